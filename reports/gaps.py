"""What a run does not tell: how it ended, what was not measured and why; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .joules import NO_METER
from .language import listed, mark, plural, tr
from .record import Outcome
from .summary import CellSummary, RunSummary
from .tails import LEAST_ITERATIONS
from .wording import names, outcomes

LONGEST_REASON = 200
MOST_FAILURES = 3  # kinds of failure that the first screen tells
_REST = mark(
    "{done} of {cells} are complete. What follows is what was measured so far; running the same plan again adds what "
    "is missing."
)
_STOPPED = {
    "interrupted": mark("This run was interrupted: {rest}"),
    "incomplete": mark("This run is incomplete, as a board was lost: {rest}"),
}
# outcome -> of one cell or kind of cell, of several
_FAILED = {
    Outcome.INVALID: (mark("{cells} failed a gate: {reason}."), mark("{cells} failed a gate: {reason}.")),
    Outcome.UNSUPPORTED: (mark("{cells} is unsupported: {reason}."), mark("{cells} are unsupported: {reason}.")),
    Outcome.ERROR: (mark("{cells} ended in an error: {reason}."), mark("{cells} ended in an error: {reason}.")),
    Outcome.TIMEOUT: (mark("{cells} timed out: {reason}."), mark("{cells} timed out: {reason}.")),
}


def state_text(summary: RunSummary) -> str | None:
    """A warning when the run did not come to its end; None for a finished one."""
    if summary.run.state == "finished":
        return None
    done = sum(cell.ok for cell in summary.cells)
    rest = tr(_REST, done=done, cells=plural(len(summary.cells), "cell"))
    return tr(_STOPPED.get(summary.run.state, mark("This run is still running: {rest}")), rest=rest)


def scope_text(summary: RunSummary) -> str:
    """What the run compared and how its cells ended."""
    recipes = plural(len({cell.record.recipe for cell in summary.cells}), "recipe")
    if not summary.cells:
        return tr("This run has no cells: the plan named nothing that could be compared.")
    boards = plural(len(summary.boards), "board")
    return tr("{recipes} on {boards}: {outcomes}.", recipes=recipes, boards=boards, outcomes=outcomes(summary.cells))


def not_measured(summary: RunSummary) -> tuple[str, ...]:
    """One sentence for each thing that a reader could miss; in a fixed order."""
    return tuple(_gaps(summary))


def _gaps(summary: RunSummary) -> Iterator[str]:
    cells = summary.cells
    if not cells:
        return
    if not any(cell.record.role == "target" for cell in cells):
        yield tr("Target boards: none in this run, so nothing here was measured on a board that ships.")
    lost = [cell for cell in cells if not cell.ok]
    if lost:
        yield tr(
            "{number} of {cells} gave no usable figures ({outcomes}); reasons below.",
            number=len(lost),
            cells=plural(len(cells), "cell"),
            outcomes=outcomes(lost),
        )
    yield from _of_energy(cells)
    yield from _of_accuracy([cell for cell in cells if cell.ok])
    for board in summary.boards:
        yield from _of_board(board, summary)


def _of_energy(cells: Sequence[CellSummary]) -> Iterator[str]:
    """Once where nothing was metered; else by board and reason. What an emulated board has not, its own line says."""
    real = [cell for cell in cells if not cell.record.emulated]
    reasons = {cell.record.cell_id: cell.energy_absent for cell in real if cell.energy_absent is not None}
    if set(reasons.values()) <= {NO_METER} and len(reasons) == len(real):
        yield tr("Energy: not measured, no power meter was read.")
        return
    for board, reason in dict.fromkeys((cell.record.board, cell.energy_absent) for cell in real):
        if reason is not None:
            yield tr("{board}: energy not measured: {reason}.", board=board, reason=tr(reason))


def _of_accuracy(cells: list[CellSummary]) -> Iterator[str]:
    judged = [cell for cell in cells if cell.fraction is not None]
    if cells and not judged:
        yield tr("Accuracy: not judged, as no data was given; inputs may be random, so only cost is compared.")
    elif len(judged) < len(cells):
        yield tr("Accuracy: not judged for {cells}.", cells=plural(len(cells) - len(judged), "cell"))


def _of_board(board: str, summary: RunSummary) -> Iterator[str]:
    cells = [cell for cell in summary.on_board(board) if cell.ok]
    if not cells:
        yield tr("{board}: nothing was measured.", board=board)
        return
    if cells[0].record.emulated:
        yield tr("{board}: no time and no energy, as it is emulated; it counts instructions instead.", board=board)
    else:
        yield from _of_tails(board, cells)
    without = sum(cell.memory is None for cell in cells)
    if without:
        yield tr("{board}: memory was not measured for {cells}.", board=board, cells=plural(without, "cell"))
    if board not in summary.controls:
        yield tr("{board}: no A/A control, so its own noise is not known.", board=board)


def _of_tails(board: str, cells: list[CellSummary]) -> Iterator[str]:
    times = [cell.latency for cell in cells if cell.latency is not None]
    if any(time.loop_k > 1 for time in times):
        yield tr("{board}: no tail percentiles where one sample is the mean of several inferences.", board=board)
    short = [time for time in times if time.p99_ns is None and time.loop_k == 1]
    if short:
        least = min(time.iterations for time in short)
        missing = "p99" if all(time.p95_ns is not None for time in short) else tr("p95 and p99")
        needed = LEAST_ITERATIONS[99 if missing == "p99" else 95]
        yield tr(
            "{board}: {missing} not given for {cells}: {least} iterations, at least {needed} needed.",
            board=board,
            missing=missing,
            cells=plural(len(short), "cell"),
            least=least,
            needed=needed,
        )


def failures(summary: RunSummary) -> tuple[str, ...]:
    """What failed, in sentences: each outcome and reason once with its cells, the most frequent first, then how many
    more there are; one sentence that nothing did where nothing did."""
    lost = failed(summary)
    if not lost:
        if not summary.cells:
            return ()
        return (tr("Nothing failed: all {cells} gave figures.", cells=plural(len(summary.cells), "cell")),)
    labels = names(summary.cells)
    alike: dict[tuple[Outcome, str], list[str]] = {}
    for cell in lost:
        key = (cell.record.outcome, _shortened(cell.record.reason or tr("no reason was recorded")))
        where = tr("{candidate} on {board}", candidate=labels[cell.record.cell_id], board=cell.record.board)
        alike.setdefault(key, []).append(where)
    ranked = sorted(alike.items(), key=lambda item: -len(item[1]))
    told = [_failure(outcome, reason, cells) for (outcome, reason), cells in ranked[:MOST_FAILURES]]
    rest = sum(len(cells) for _, cells in ranked[MOST_FAILURES:])
    if rest:
        others = plural(rest, "more cell")
        told.append(tr("{cells} of other kinds; the list of cells without figures has them.", cells=others))
    return tuple(told)


def _failure(outcome: Outcome, reason: str, cells: Sequence[str]) -> str:
    shown = listed(cells[:2])
    if len(cells) > 2:
        shown = tr("{cells} and {number} more", cells=shown, number=len(cells) - 2)
    one, many = _FAILED[outcome]
    return tr(one if len(cells) == 1 else many, cells=shown, reason=reason)


def _shortened(reason: str) -> str:
    """One line of a reason; the list of cells without figures has it whole."""
    line = " ".join(reason.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def failed(summary: RunSummary) -> tuple[CellSummary, ...]:
    """The cells that did not end ok, in the order of the plan."""
    return tuple(cell for cell in summary.cells if cell.record.outcome is not Outcome.OK)
