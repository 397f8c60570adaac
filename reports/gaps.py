"""What a run does not tell: how it ended, what was not measured and why; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .joules import NO_METER
from .record import Outcome
from .summary import CellSummary, RunSummary
from .tails import LEAST_ITERATIONS
from .wording import OUTCOMES, names, outcomes, plural

LONGEST_REASON = 200
MOST_FAILURES = 3  # kinds of failure that the first screen tells
_STOPPED = {"interrupted": "was interrupted", "incomplete": "is incomplete, as a board was lost"}


def state_text(summary: RunSummary) -> str | None:
    """A warning when the run did not come to its end; None for a finished one."""
    if summary.run.state == "finished":
        return None
    done = sum(cell.ok for cell in summary.cells)
    how = _STOPPED.get(summary.run.state, "is still running")
    return (
        f"This run {how}: {done} of {plural(len(summary.cells), 'cell')} are complete. "
        "What follows is what was measured so far; running the same plan again adds what is missing."
    )


def scope_text(summary: RunSummary) -> str:
    """What the run compared and how its cells ended."""
    recipes = plural(len({cell.record.recipe for cell in summary.cells}), "recipe")
    if not summary.cells:
        return "This run has no cells: the plan named nothing that could be compared."
    return f"{recipes} on {plural(len(summary.boards), 'board')}: {outcomes(summary.cells)}."


def not_measured(summary: RunSummary) -> tuple[str, ...]:
    """One sentence for each thing that a reader could miss; in a fixed order."""
    return tuple(_gaps(summary))


def _gaps(summary: RunSummary) -> Iterator[str]:
    cells = summary.cells
    if not cells:
        return
    if not any(cell.record.role == "target" for cell in cells):
        yield "Target boards: none in this run, so nothing here was measured on a board that ships."
    lost = [cell for cell in cells if not cell.ok]
    if lost:
        yield f"{len(lost)} of {plural(len(cells), 'cell')} gave no usable figures ({outcomes(lost)}); reasons below."
    yield from _of_energy(cells)
    yield from _of_accuracy([cell for cell in cells if cell.ok])
    for board in summary.boards:
        yield from _of_board(board, summary)


def _of_energy(cells: Sequence[CellSummary]) -> Iterator[str]:
    """Once where nothing was metered; else by board and reason. What an emulated board has not, its own line says."""
    real = [cell for cell in cells if not cell.record.emulated]
    reasons = {cell.record.cell_id: cell.energy_absent for cell in real if cell.energy_absent is not None}
    if set(reasons.values()) <= {NO_METER} and len(reasons) == len(real):
        yield "Energy: not measured, no power meter was read."
        return
    for board, reason in dict.fromkeys((cell.record.board, cell.energy_absent) for cell in real):
        if reason is not None:
            yield f"{board}: energy not measured: {reason}."


def _of_accuracy(cells: list[CellSummary]) -> Iterator[str]:
    judged = [cell for cell in cells if cell.fraction is not None]
    if cells and not judged:
        yield "Accuracy: not judged, as no data was given; inputs may be random, so only cost is compared."
    elif len(judged) < len(cells):
        yield f"Accuracy: not judged for {plural(len(cells) - len(judged), 'cell')}."


def _of_board(board: str, summary: RunSummary) -> Iterator[str]:
    cells = [cell for cell in summary.on_board(board) if cell.ok]
    if not cells:
        yield f"{board}: nothing was measured."
        return
    if cells[0].record.emulated:
        yield f"{board}: no time and no energy, as it is emulated; it counts instructions instead."
    else:
        yield from _of_tails(board, cells)
    if any(cell.memory is None for cell in cells):
        yield f"{board}: memory was not measured for {plural(sum(cell.memory is None for cell in cells), 'cell')}."
    if board not in summary.controls:
        yield f"{board}: no A/A control, so its own noise is not known."


def _of_tails(board: str, cells: list[CellSummary]) -> Iterator[str]:
    times = [cell.latency for cell in cells if cell.latency is not None]
    if any(time.loop_k > 1 for time in times):
        yield f"{board}: no tail percentiles where one sample is the mean of several inferences."
    short = [time for time in times if time.p99_ns is None and time.loop_k == 1]
    if short:
        least = min(time.iterations for time in short)
        missing = "p99" if all(time.p95_ns is not None for time in short) else "p95 and p99"
        needed = LEAST_ITERATIONS[99 if missing == "p99" else 95]
        cells_text = plural(len(short), "cell")
        yield f"{board}: {missing} not given for {cells_text}: {least} iterations, at least {needed} needed."


def failures(summary: RunSummary) -> tuple[str, ...]:
    """What failed, in sentences: each outcome and reason once with its cells, the most frequent first, then how many
    more there are; one sentence that nothing did where nothing did."""
    lost = failed(summary)
    if not lost:
        return (f"Nothing failed: all {plural(len(summary.cells), 'cell')} gave figures.",) if summary.cells else ()
    labels = names(summary.cells)
    alike: dict[tuple[str, str], list[str]] = {}
    for cell in lost:
        key = (OUTCOMES[cell.record.outcome], _shortened(cell.record.reason or "no reason was recorded"))
        alike.setdefault(key, []).append(f"{labels[cell.record.cell_id]} on {cell.record.board}")
    ranked = sorted(alike.items(), key=lambda item: -len(item[1]))
    told = [_failure(outcome, reason, cells) for (outcome, reason), cells in ranked[:MOST_FAILURES]]
    rest = sum(len(cells) for _, cells in ranked[MOST_FAILURES:])
    return (
        *told,
        *([f"{plural(rest, 'more cell')} of other kinds; the list of cells without figures has them."] if rest else []),
    )


def _failure(outcome: str, reason: str, cells: Sequence[str]) -> str:
    shown = ", ".join(cells[:2]) + (f" and {len(cells) - 2} more" if len(cells) > 2 else "")
    return f"{shown} {outcome if outcome != OUTCOMES[Outcome.UNSUPPORTED] else f'{_be(cells)} {outcome}'}: {reason}."


def _shortened(reason: str) -> str:
    """One line of a reason; the list of cells without figures has it whole."""
    line = " ".join(reason.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def _be(cells: Sequence[str]) -> str:
    return "is" if len(cells) == 1 else "are"


def failed(summary: RunSummary) -> tuple[CellSummary, ...]:
    """The cells that did not end ok, in the order of the plan."""
    return tuple(cell for cell in summary.cells if cell.record.outcome is not Outcome.OK)
