"""Does the board compute what the host computes? The same images, answer by answer; pure.

The host judges an artifact before any board is used. A board with another runtime, another version of it or other
instructions may give other answers from the same file, without any error: that is a finding, with its figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .language import mark, tr
from .record import Record
from .units import percent
from .validity import LEAST_AGREEMENT

SCORE_TOLERANCE = 0.01  # where single answers are not told, a score that differs by more is another answer


class Agreement(StrEnum):
    """How host and board agree on the same images."""

    SAME = "same"
    FEW_DIFFER = "few-differ"
    OTHER_ANSWER = "other-answer"
    NOT_COMPARED = "not-compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One cell: scores on the same `samples` images as fractions, how many answers differ (None = not told), and the
    runtimes with their versions where they are known."""

    agreement: Agreement
    host: float | None
    board: float | None
    samples: int | None
    differing: int | None
    host_runtime: str | None
    board_runtime: str | None

    @property
    def finding(self) -> bool:
        """Whether the two disagree."""
        return self.agreement in (Agreement.FEW_DIFFER, Agreement.OTHER_ANSWER)

    @property
    def other_runtime(self) -> bool:
        """Whether host and board are known to have run different runtimes or versions."""
        return None not in (self.host_runtime, self.board_runtime) and self.host_runtime != self.board_runtime


def gap(record: Record, board: Mapping[str, Any], provenance: Mapping[str, Any]) -> Gap | None:
    """Compare one cell with the host; None where the board judged nothing. `board` are the board's facts."""
    accuracy = record.accuracy
    if accuracy is None or accuracy.board is None:
        return None
    host, samples = accuracy.host_on_board_images, accuracy.board_samples
    differing = None
    if accuracy.agreement is not None and samples:
        differing = round((1 - accuracy.agreement) * samples)
    return Gap(
        agreement=_agreement(host, accuracy.board, accuracy.agreement),
        host=host,
        board=accuracy.board,
        samples=samples,
        differing=differing,
        host_runtime=accuracy.host_runtime or _host_runtime(record, provenance),
        board_runtime=_board_runtime(record, board),
    )


def _agreement(host: float | None, board: float, agreement: float | None) -> Agreement:
    if host is None:
        return Agreement.NOT_COMPARED
    other = abs(host - board) > SCORE_TOLERANCE if agreement is None else agreement < LEAST_AGREEMENT
    if other:
        return Agreement.OTHER_ANSWER
    if host != board or (agreement is not None and agreement < 1):
        return Agreement.FEW_DIFFER
    return Agreement.SAME


def _host_runtime(record: Record, provenance: Mapping[str, Any]) -> str | None:
    """What the host would have run such a file with, for runs that did not store it with the accuracy."""
    version = (provenance.get("libraries") or {}).get(record.runtime)
    return None if version is None else f"{record.runtime} {version}"


def _board_runtime(record: Record, board: Mapping[str, Any]) -> str | None:
    """The runtime that ran on the board: what a process said of itself, else what the board has."""
    used = next((t.used["runtime_version"] for t in record.trials if t.used.get("runtime_version") is not None), None)
    has: Any = (board.get("runtimes") or {}).get(record.runtime)
    version = used if used is not None else has.get("version") if isinstance(has, Mapping) else has
    return None if version is None else f"{record.runtime} {version}"


def gap_text(found: Gap, label: str) -> str:
    """One sentence with the figures, for a cell that is no `same`."""
    if found.agreement is Agreement.NOT_COMPARED:
        text = mark("{candidate}: board {score}; the host could not judge this file, so the two are not compared.")
        return tr(text, candidate=label, score=percent(found.board))
    figures = tr(
        "{candidate}: host {host}, board {board} on {images}",
        candidate=label,
        host=percent(found.host),
        board=percent(found.board),
        images=_same_images(found.samples),
    )
    if found.differing is not None:
        many = mark("{figures}; {differing} of {samples} answers differ")
        figures = tr(many, figures=figures, differing=found.differing, samples=found.samples)
    if found.agreement is Agreement.OTHER_ANSWER:
        figures = tr("{figures}: the board's runtime computes another answer", figures=figures)
    if found.other_runtime:
        runtimes = mark("{figures} ({host} on the host, {board} on the board)")
        figures = tr(runtimes, figures=figures, host=found.host_runtime, board=found.board_runtime)
    return tr("{figures}.", figures=figures)


def _same_images(samples: int | None) -> str:
    return tr("the same images") if samples is None else tr("the same {number} images", number=samples)


def gap_lines(
    cells: Iterable[tuple[str, Record]], board: Mapping[str, Any], provenance: Mapping[str, Any]
) -> list[str]:
    """What a report says of one board: every finding, other versions than the host's, and how many agree.

    `cells` are the board's records with the names that the report gives them.
    """
    found = [(label, one) for label, record in cells if (one := gap(record, board, provenance)) is not None]
    worst = sorted((each for each in found if each[1].finding), key=lambda each: -_distance(each[1]))
    lines = [gap_text(one, label) for label, one in worst]
    lines += [gap_text(one, label) for label, one in found if one.agreement is Agreement.NOT_COMPARED]
    pairs = dict.fromkeys((one.host_runtime, one.board_runtime) for _, one in found if one.other_runtime)
    lines += [
        tr("Other runtimes: the host judged with {host}, the board runs {board}.", host=host, board=mine)
        for host, mine in pairs
    ]
    same = [one for _, one in found if one.agreement is Agreement.SAME]
    if same:
        images = {one.samples for one in same if one.samples}
        on = _same_images(images.pop() if len(images) == 1 else None)
        one, many = (
            mark("The candidate gives the host's answers on {images}."),
            mark("{number} of {candidates} candidates give the host's answers on {images}."),
        )
        text = one if len(same) == len(found) == 1 else many
        lines.append(tr(text, number=len(same), candidates=len(found), images=on))
    return lines


def _distance(one: Gap) -> float:
    return abs((one.host or 0.0) - (one.board or 0.0)) + (one.differing or 0) / (one.samples or 1)
