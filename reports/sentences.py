"""What the first screen says, as plain sentences; pure, so that they are tested as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .drop import Drop
from .pick import Check, Choice, Purpose, Rival
from .summary import CellSummary, RunSummary
from .units import duration, file_size, memory, percent, points
from .wording import bound_text, bounded, control_text, name, outcomes, plural, ratio_text, verdict_text, work_text

MOST_OUT = 4  # of the candidates that break the budget a card names the nearest ones


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """The answer for one board: a headline, then why, at what cost and how sure; each list may be empty."""

    choice: Choice
    headline: str
    why: tuple[str, ...]
    cost: tuple[str, ...]
    sure: tuple[str, ...]
    others: tuple[str, ...]
    file: str = ""


def answers(summary: RunSummary, chosen: Iterable[Choice]) -> tuple[Answer, ...]:
    """One answer for each choice, in their order."""
    several = len({cell.record.model for cell in summary.cells}) > 1
    return tuple(_answer(choice, summary, several=several) for choice in chosen)


def _answer(choice: Choice, summary: RunSummary, *, several: bool) -> Answer:
    where = f"{choice.board} ({choice.model})" if several else choice.board
    if choice.chosen is None:
        headline, why = _no_headline(choice, where), tuple(_near(choice, summary))
        return Answer(choice=choice, headline=headline, why=why, cost=(), sure=(), others=())
    label = name(choice.chosen, summary.cells)
    plain = " without compression" if choice.chosen.baseline else ""
    headline = {
        Purpose.SHIP: f"Ship {label}{plain} on {where}.",
        Purpose.REFERENCE: f"{label}{plain} comes out best on {where}.",
        Purpose.LEAST_WORK: f"{label}{plain} does the least work on {where}.",
    }[choice.purpose]
    return Answer(
        choice=choice,
        headline=headline,
        why=tuple(_why(choice, summary)),
        cost=tuple(_cost(choice)),
        sure=tuple(_sure(choice, summary)),
        others=tuple(_others(choice, summary)),
        file=_file(choice.chosen),
    )


def _no_headline(choice: Choice, where: str) -> str:
    if choice.measured == 0:
        return f"Nothing was measured on {where}."
    return f"Nothing meets the budget on {where}."


def _near(choice: Choice, summary: RunSummary) -> Iterator[str]:
    if choice.measured == 0:
        cells = [cell for cell in summary.on_board(choice.board) if cell.record.model == choice.model]
        yield f"Outcomes of the {plural(len(cells), 'cell')}: {outcomes(cells)}. The reasons are listed below."
    for rival in choice.rejected[:1]:
        yield f"The nearest miss is {name(rival.cell, summary.cells)}: {misses_text(rival.misses)}."


def _why(choice: Choice, summary: RunSummary) -> Iterator[str]:
    cell = choice.chosen
    assert cell is not None
    shown, quantity = work_text(cell), "instruction count" if cell.record.emulated else "median latency"
    meeting = choice.measured - len(choice.rejected)
    pool = (
        f"the {plural(meeting, 'candidate')} within the budget" if bounded(summary.run) else "all candidates measured"
    )
    least = meeting > 1 and _is_least(choice) and not choice.sustained
    claim = f"the lowest {quantity} of {pool}" if least else f"{quantity}"
    if meeting == 1 and bounded(summary.run):
        yield f"It is the only candidate within the budget; {quantity} {shown}."
    elif least:
        yield f"It has {claim}: {shown}."
    else:
        yield f"Its {claim} is {shown}."
    if choice.sustained and cell.sustained is not None:
        kept = duration(cell.sustained.sustained_ns).text
        yield f"The board slows down in long runs, so what a candidate keeps up decides: {kept} here."
    elif choice.runner_up is not None and choice.runner_up.tied:
        other = name(choice.runner_up.cell, summary.cells)
        yield f"It cannot be told apart from {other} in that, so {_tie_break(cell, choice.runner_up.cell)}."


def _file(cell: CellSummary) -> str:
    """Which file that is: its name, its hash, and where it lies."""
    artifact = cell.record.artifact
    if artifact is None:
        return "No file of it was kept."
    if artifact.path is None:
        return f"Its file has the sha256 {artifact.sha256}; where it lies was not recorded."
    folder, _, file_name = artifact.path.rpartition("/")
    return f"The file is {file_name} in {folder or '.'}, sha256 {artifact.sha256}."


def _is_least(choice: Choice) -> bool:
    second = choice.runner_up.cell if choice.runner_up else None
    return choice.chosen is not None and (second is None or (choice.chosen.work or 0) <= (second.work or 0))


def _tie_break(cell: CellSummary, other: CellSummary) -> str:
    if cell.fraction is not None and other.fraction is not None and cell.fraction != other.fraction:
        return f"the higher accuracy decides ({percent(cell.fraction, 2)} against {percent(other.fraction, 2)})"
    peaks = [c.memory.peak_bytes if c.memory else None for c in (cell, other)]
    if peaks[0] is not None and peaks[0] != peaks[1]:
        return f"the lower memory peak decides ({memory(peaks[0])} against {memory(peaks[1])})"
    return "the smaller file decides"


def _cost(choice: Choice) -> Iterator[str]:
    cell, base = choice.chosen, choice.baseline
    assert cell is not None
    yield _accuracy_cost(cell, base)
    if (boxes := _boxes(cell, base)) is not None:
        yield boxes
    peak = cell.memory.peak_bytes if cell.memory else None
    compared = "" if base is None or base is cell else f" ({base.record.recipe}: {{}})"
    if peak is not None:
        base_peak = base.memory.peak_bytes if base and base.memory else None
        yield f"Peak memory {memory(peak)}{compared.format(memory(base_peak))}."
    if cell.record.artifact is not None:
        base_bytes = base.record.artifact.bytes if base and base.record.artifact else None
        sizes = f"{file_size(cell.record.artifact.bytes)}{compared.format(file_size(base_bytes))}"
        yield f"File {sizes}; {file_size(cell.record.artifact.compressed_bytes)} compressed with zstd."


def _accuracy_cost(cell: CellSummary, base: CellSummary | None) -> str:
    if cell.fraction is None:
        return "Accuracy was not judged."
    text = f"Accuracy {percent(cell.fraction, 2)}"
    if cell.baseline or base is None or cell.drop is None:
        return text + "."
    lost = cell.drop
    direction = "below" if lost.value > 0 else "above" if lost.value < 0 else "from"
    text += f", {points(abs(lost.value))} {direction} {base.record.recipe}"
    if lost.low is not None and lost.high is not None:
        text += f" (95 % interval of the loss {points(lost.low)} to {points(lost.high)}{_known(lost)})"
    return text + (", on the board's own inputs." if lost.on_board_images else ".")


def _boxes(cell: CellSummary, base: CellSummary | None) -> str | None:
    """What accuracy is of a detection, and the figure of the whole set beside it; None of other tasks."""
    if cell.accuracy is None or cell.accuracy.map50 is None:
        return None
    compared = ""
    if base is not None and base is not cell and base.accuracy is not None and base.accuracy.map50 is not None:
        compared = f" ({base.record.recipe}: {percent(base.accuracy.map50, 2)})"
    return f"That is the mean F1 score of an image; mAP@0.5 of all is {percent(cell.accuracy.map50, 2)}{compared}."


def _known(lost: Drop) -> str:
    if lost.lost is None or lost.gained is None:
        return ", as if on different images: which images each got right is not known"
    return f"; {plural(lost.lost, 'image')} lost, {lost.gained} won"


def _sure(choice: Choice, summary: RunSummary) -> Iterator[str]:
    cell = choice.chosen
    assert cell is not None
    if cell.verdict is not None and choice.baseline is not None:
        yield verdict_text(cell.verdict, choice.baseline.record.recipe)
    elif cell.baseline:
        yield "It is the baseline itself, so it is no faster than that: no gain was found that keeps the budget."
    elif cell.verdict_absent:
        yield f"No verdict: {cell.verdict_absent}."
    yield control_text(summary.controls.get(choice.board), choice.board)
    if cell.record.emulated:
        yield "Instructions are work, not time: a real board may gain more or less than the count says."
    for reason in cell.validity.reasons:
        yield f"Note: {reason}."


def _others(choice: Choice, summary: RunSummary) -> Iterator[str]:
    if choice.runner_up is not None:
        yield f"Second: {name(choice.runner_up.cell, summary.cells)}, {_why_lost(choice, choice.runner_up)}."
    for rival in choice.rejected[:MOST_OUT]:
        quicker = ""
        if rival.ci_high is not None and rival.ci_high < 1 and rival.ratio is not None:
            counted = rival.cell.record.emulated
            quicker = ratio_text(rival.ratio, rival.ci_low, rival.ci_high, counted=counted) + ", but "
        yield f"Out: {name(rival.cell, summary.cells)}, {quicker}{misses_text(rival.misses)}."
    if len(choice.rejected) > MOST_OUT:
        yield f"{len(choice.rejected) - MOST_OUT} more break the budget; the tables have them."


def _why_lost(choice: Choice, rival: Rival) -> str:
    if rival.tied and choice.chosen is not None:
        return f"as good in {'work' if rival.cell.record.emulated else 'time'}; {_tie_break(choice.chosen, rival.cell)}"
    if rival.ratio is None:
        return "not measured in the same blocks"
    return ratio_text(rival.ratio, rival.ci_low, rival.ci_high, counted=rival.cell.record.emulated)


def misses_text(misses: Iterable[Check]) -> str:
    """The bounds that a candidate breaks."""
    return " and ".join(bound_text(check) for check in misses)
