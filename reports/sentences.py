"""What the first screen says, as plain sentences; pure, so that they are tested as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .deployed import deployed_file
from .drop import Drop
from .language import mark, plural, tr
from .pick import Check, Choice, Purpose, Rival
from .summary import CellSummary, RunSummary
from .units import duration, file_size, memory, percent, points
from .wording import bound_text, bounded, control_text, name, outcomes, ratio_text, verdict_text, work_text

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
    headline = tr(_HEADLINES[choice.purpose, choice.chosen.baseline], candidate=label, board=where)
    return Answer(
        choice=choice,
        headline=headline,
        why=tuple(_why(choice, summary)),
        cost=tuple(_cost(choice)),
        sure=tuple(_sure(choice, summary)),
        others=tuple(_others(choice, summary)),
        file=_file(choice.chosen),
    )


# by purpose, and by whether it is the baseline
_HEADLINES = {
    (Purpose.SHIP, False): mark("Ship {candidate} on {board}."),
    (Purpose.SHIP, True): mark("Ship {candidate} without compression on {board}."),
    (Purpose.REFERENCE, False): mark("{candidate} comes out best on {board}."),
    (Purpose.REFERENCE, True): mark("{candidate} without compression comes out best on {board}."),
    (Purpose.LEAST_WORK, False): mark("{candidate} does the least work on {board}."),
    (Purpose.LEAST_WORK, True): mark("{candidate} without compression does the least work on {board}."),
}


def _no_headline(choice: Choice, where: str) -> str:
    if choice.measured == 0:
        return tr("Nothing was measured on {board}.", board=where)
    return tr("Nothing meets the budget on {board}.", board=where)


def _near(choice: Choice, summary: RunSummary) -> Iterator[str]:
    if choice.measured == 0:
        cells = [cell for cell in summary.on_board(choice.board) if cell.record.model == choice.model]
        yield tr(
            "Outcomes of the {cells}: {outcomes}. The reasons are listed below.",
            cells=plural(len(cells), "cell"),
            outcomes=outcomes(cells),
        )
    for rival in choice.rejected[:1]:
        near = name(rival.cell, summary.cells)
        yield tr("The nearest miss is {candidate}: {misses}.", candidate=near, misses=misses_text(rival.misses))


def _why(choice: Choice, summary: RunSummary) -> Iterator[str]:
    cell = choice.chosen
    assert cell is not None
    yield _claim(choice, cell, summary)
    if choice.sustained and cell.sustained is not None:
        kept = duration(cell.sustained.sustained_ns).text
        yield tr("The board slows down in long runs, so what a candidate keeps up decides: {kept} here.", kept=kept)
    elif choice.runner_up is not None and choice.runner_up.tied:
        other = name(choice.runner_up.cell, summary.cells)
        decides = _tie_break(cell, choice.runner_up.cell)
        yield tr("It cannot be told apart from {other} in that, so {decides}.", other=other, decides=decides)


def _claim(choice: Choice, cell: CellSummary, summary: RunSummary) -> str:
    """How little work it does, among how many."""
    work, meeting = work_text(cell), choice.measured - len(choice.rejected)
    quantity = tr("instruction count") if cell.record.emulated else tr("median latency")
    if meeting == 1 and bounded(summary.run):
        return tr("It is the only candidate within the budget; {quantity} {work}.", quantity=quantity, work=work)
    if not (meeting > 1 and _is_least(choice) and not choice.sustained):
        return tr("Its {quantity} is {work}.", quantity=quantity, work=work)
    if not bounded(summary.run):
        return tr("It has the lowest {quantity} of all candidates measured: {work}.", quantity=quantity, work=work)
    return tr(
        "It has the lowest {quantity} of the {candidates} within the budget: {work}.",
        quantity=quantity,
        candidates=plural(meeting, "candidate"),
        work=work,
    )


def _file(cell: CellSummary) -> str:
    """Which file that is: its name, its hash, and where it lies."""
    file = deployed_file(cell.record)
    if file is None:
        return tr("No file of it was kept.")
    if file.path is None:
        return tr("Its file has the sha256 {sha256}; where it lies was not recorded.", sha256=file.sha256)
    folder, _, file_name = file.path.rpartition("/")
    text = mark("The file is {name} in {folder}, sha256 {sha256}.")
    if file.layout is not None:
        text = mark("The file is {name} in {folder}, sha256 {sha256}; it takes its images as {layout}.")
    return tr(text, name=file_name, folder=folder or ".", sha256=file.sha256, layout=(file.layout or "").upper())


def _is_least(choice: Choice) -> bool:
    second = choice.runner_up.cell if choice.runner_up else None
    return choice.chosen is not None and (second is None or (choice.chosen.work or 0) <= (second.work or 0))


def _tie_break(cell: CellSummary, other: CellSummary) -> str:
    if cell.fraction is not None and other.fraction is not None and cell.fraction != other.fraction:
        text = mark("the higher accuracy decides ({one} against {other})")
        return tr(text, one=percent(cell.fraction, 2), other=percent(other.fraction, 2))
    peaks = [c.memory.peak_bytes if c.memory else None for c in (cell, other)]
    if peaks[0] is not None and peaks[0] != peaks[1]:
        text = mark("the lower memory peak decides ({one} against {other})")
        return tr(text, one=memory(peaks[0]), other=memory(peaks[1]))
    return tr("the smaller file decides")


def _cost(choice: Choice) -> Iterator[str]:
    cell, base = choice.chosen, choice.baseline
    assert cell is not None
    yield _accuracy_cost(cell, base)
    other = None if base is None or base is cell else base
    if (boxes := _boxes(cell, other)) is not None:
        yield boxes
    if cell.memory is not None and cell.memory.peak_bytes is not None:
        before = memory(other.memory.peak_bytes if other and other.memory else None)
        peak = _beside(memory(cell.memory.peak_bytes), other, before)
        yield tr("Peak memory {memory}.", memory=peak)
    if cell.record.artifact is not None:
        before = file_size(other.record.artifact.bytes if other and other.record.artifact else None)
        size = _beside(file_size(cell.record.artifact.bytes), other, before)
        packed = file_size(cell.record.artifact.compressed_bytes)
        yield tr("File {size}; {packed} compressed with zstd.", size=size, packed=packed)


def _beside(figure: str, base: CellSummary | None, before: str) -> str:
    """A figure, with the baseline's in brackets where there is another baseline."""
    if base is None:
        return figure
    return tr("{figure} ({baseline}: {before})", figure=figure, baseline=base.record.recipe, before=before)


def _accuracy_cost(cell: CellSummary, base: CellSummary | None) -> str:
    if cell.fraction is None:
        return tr("Accuracy was not judged.")
    accuracy = percent(cell.fraction, 2)
    if cell.baseline or base is None or cell.drop is None:
        return tr("Accuracy {accuracy}.", accuracy=accuracy)
    lost = cell.drop
    text = _ABOVE if lost.value < 0 else _BELOW if lost.value > 0 else _SAME
    figure = tr(text, accuracy=accuracy, points=points(abs(lost.value)), baseline=base.record.recipe)
    if lost.low is not None and lost.high is not None:
        figure = _with_interval(figure, lost, points(lost.low), points(lost.high))
    if lost.on_board_images:
        return tr("{figure}, on the board's own inputs.", figure=figure)
    return tr("{figure}.", figure=figure)


def _boxes(cell: CellSummary, base: CellSummary | None) -> str | None:
    """What accuracy is of a detection, and the figure of the whole set beside it; None of other tasks."""
    if cell.accuracy is None or cell.accuracy.map50 is None:
        return None
    before = None if base is None or base.accuracy is None else base.accuracy.map50
    own = percent(cell.accuracy.map50, 2)
    figure = own if before is None else _beside(own, base, percent(before, 2))
    return tr("That is the mean F1 score of an image; mAP@0.5 of all is {figure}.", figure=figure)


_BELOW = mark("Accuracy {accuracy}, {points} below {baseline}")
_ABOVE = mark("Accuracy {accuracy}, {points} above {baseline}")
_SAME = mark("Accuracy {accuracy}, {points} from {baseline}")


def _with_interval(figure: str, lost: Drop, low: str, high: str) -> str:
    if lost.lost is None or lost.gained is None:
        return tr(
            "{figure} (95 % interval of the loss {low} to {high}, as if on different images: which images each got "
            "right is not known)",
            figure=figure,
            low=low,
            high=high,
        )
    return tr(
        "{figure} (95 % interval of the loss {low} to {high}; {images} lost, {gained} won)",
        figure=figure,
        low=low,
        high=high,
        images=plural(lost.lost, "image"),
        gained=lost.gained,
    )


def _sure(choice: Choice, summary: RunSummary) -> Iterator[str]:
    cell = choice.chosen
    assert cell is not None
    if cell.verdict is not None and choice.baseline is not None:
        yield verdict_text(cell.verdict, choice.baseline.record.recipe)
    elif cell.baseline:
        yield tr("It is the baseline itself, so it is no faster than that: no gain was found that keeps the budget.")
    elif cell.verdict_absent:
        yield tr("No verdict: {reason}.", reason=cell.verdict_absent)
    yield control_text(summary.controls.get(choice.board), choice.board)
    if cell.record.emulated:
        yield tr("Instructions are work, not time: a real board may gain more or less than the count says.")
    for reason in cell.validity.reasons:
        yield tr("Note: {reason}.", reason=reason)


def _others(choice: Choice, summary: RunSummary) -> Iterator[str]:
    if choice.runner_up is not None:
        second = name(choice.runner_up.cell, summary.cells)
        yield tr("Second: {candidate}, {reason}.", candidate=second, reason=_why_lost(choice, choice.runner_up))
    for rival in choice.rejected[:MOST_OUT]:
        out, misses = name(rival.cell, summary.cells), misses_text(rival.misses)
        if rival.ci_high is not None and rival.ci_high < 1 and rival.ratio is not None:
            gain = ratio_text(rival.ratio, rival.ci_low, rival.ci_high, counted=rival.cell.record.emulated)
            yield tr("Out: {candidate}, {gain}, but {misses}.", candidate=out, gain=gain, misses=misses)
        else:
            yield tr("Out: {candidate}, {misses}.", candidate=out, misses=misses)
    if len(choice.rejected) > MOST_OUT:
        number = len(choice.rejected) - MOST_OUT
        yield tr("{number} more break the budget; the tables have them.", number=number)


def _why_lost(choice: Choice, rival: Rival) -> str:
    if rival.tied and choice.chosen is not None:
        decides = _tie_break(choice.chosen, rival.cell)
        if rival.cell.record.emulated:
            return tr("as good in work; {decides}", decides=decides)
        return tr("as good in time; {decides}", decides=decides)
    if rival.ratio is None:
        return tr("not measured in the same blocks")
    return ratio_text(rival.ratio, rival.ci_low, rival.ci_high, counted=rival.cell.record.emulated)


def misses_text(misses: Iterable[Check]) -> str:
    """The bounds that a candidate breaks."""
    return tr(" and ").join(bound_text(check) for check in misses)
