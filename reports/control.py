"""The A/A control: one candidate of a board measured under two names. It must not differ from itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .figures import medians, one_per_block
from .record import Record, TrialKind
from .verdict import COUNT_MARGIN, TIME_MARGIN, Verdict, Word, compare_times, judge_counts, judge_times


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What the twin of a cell showed on a board. `equal` is False when the verdict found a difference.

    `margin` is what comparisons on this board must exceed because of it, `pairs` the blocks (or processes) compared.
    """

    board: str
    model: str
    recipe: str
    runtime: str
    verdict: Verdict
    equal: bool
    margin: float


def controls(records: Iterable[Record]) -> dict[str, Control]:
    """The A/A control of each board that ran one; with several, the one that differed most."""
    found: dict[str, Control] = {}
    for record in records:
        control = _control(record)
        known = found.get(record.board)
        if control is not None and (known is None or control.margin > known.margin):
            found[record.board] = control
    return found


def _control(record: Record) -> Control | None:
    if not record.twin_trials:
        return None
    kind = TrialKind.COUNT if record.emulated else TrialKind.LATENCY
    subject = medians(one_per_block(record.trials, kind))
    twin = medians(one_per_block(record.twin_trials, kind))
    if not subject.keys() & twin.keys():
        return None
    verdict = judge_counts(twin, subject) if record.emulated else _in_time(twin, subject)
    ratio = 1.0 if verdict.ratio is None else verdict.ratio
    return Control(
        board=record.board,
        model=record.model,
        recipe=record.recipe,
        runtime=record.runtime,
        verdict=verdict,
        equal=verdict.word in (Word.EQUIVALENT, Word.INCONCLUSIVE),
        margin=max(COUNT_MARGIN if record.emulated else TIME_MARGIN, abs(ratio - 1)),
    )


def _in_time(twin: dict[int, float], subject: dict[int, float]) -> Verdict:
    comparison = compare_times(twin, subject)
    assert comparison is not None, "the caller saw common blocks"
    return judge_times({"twin": comparison})["twin"]
