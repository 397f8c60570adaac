"""Two runs side by side: what became slower, less accurate, larger, hungrier, and whether the model is to blame; pure.

Cells are matched by board, model, recipe, runtime and settings. Between two runs stand days, boots and upgrades, so a
difference of results is shown beside the difference of circumstances, and where these differ no model is blamed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from .comparable import settings_key
from .comparechanges import Change, accuracy_change, count_change, energy_change, memory_change
from .comparetimes import TimePair, judge_time_pairs, time_pair
from .context import Difference, board_context, context_differences, judged_data
from .language import mark, tr
from .record import Outcome, Record, RunRecord
from .stateflags import AS_SHIPPED, CONTROLLED
from .summary import CellSummary, RunSummary, summarize

CellKey = tuple[str, str, str, str, str]


class Cause(StrEnum):
    """What a difference between two runs may be put down to."""

    MODEL = "model"  # another file, the same circumstances
    CONTEXT = "context"  # the same file, other circumstances
    BOTH = "both"  # another file and other circumstances: they cannot be told apart
    NEITHER = "neither"  # the same file in the same circumstances, as far as they are recorded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellPair:
    """One cell in both runs. `same_file` is None where a run does not know the file's hash."""

    earlier: CellSummary
    later: CellSummary
    same_file: bool | None
    cause: Cause
    work: Change
    accuracy: Change
    memory: Change
    energy: Change

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes: work first."""
        return self.work, self.accuracy, self.memory, self.energy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardComparison:
    """A board in both runs. `drift` is the median ratio of work of the cells whose file is the same: what the board
    itself, its circumstances or chance did to the figures; None without such a cell."""

    board: str
    emulated: bool
    context: tuple[Difference, ...]
    drift: float | None
    pairs: tuple[CellPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunComparison:
    """Two runs. `only_earlier` and `only_later` are the cells that the other run has not."""

    earlier: RunSummary
    later: RunSummary
    boards: tuple[BoardComparison, ...]
    only_earlier: tuple[CellSummary, ...]
    only_later: tuple[CellSummary, ...]

    @property
    def pairs(self) -> tuple[CellPair, ...]:
        """All matched cells, board by board."""
        return tuple(pair for board in self.boards for pair in board.pairs)


def compare_runs(earlier: RunRecord, later: RunRecord) -> RunComparison:
    """Compare a run with an earlier one."""
    return compare_summaries(summarize(earlier), summarize(later))


def compare_summaries(first: RunSummary, second: RunSummary) -> RunComparison:
    """`compare_runs` of two runs that were summarized already."""
    earlier, later = first.run, second.run
    before = {cell_key(cell.record): cell for cell in first.cells}
    after = {cell_key(cell.record): cell for cell in second.cells}
    contexts = {
        board: context_differences(board_context(earlier, board), board_context(later, board))
        for board in second.boards
    }
    pairs = {key: _pair(before[key], after[key], contexts[key[0]], first, second) for key in after if key in before}
    judged = _judge_times(pairs, first, second)
    boards = dict.fromkeys(key[0] for key in judged)
    return RunComparison(
        earlier=first,
        later=second,
        boards=tuple(
            _board(board, [p for k, p in judged.items() if k[0] == board], contexts[board]) for board in boards
        ),
        only_earlier=tuple(cell for key, cell in before.items() if key not in after),
        only_later=tuple(cell for key, cell in after.items() if key not in before),
    )


def cell_key(record: Record) -> CellKey:
    """What makes two cells of different runs the same: all but the file."""
    return (record.board, record.model, record.recipe, record.runtime, settings_key(record))


def _board(board: str, pairs: list[CellPair], context: tuple[Difference, ...]) -> BoardComparison:
    unmoved = [pair for pair in pairs if pair.same_file and pair.work.ratio is not None]
    return BoardComparison(
        board=board,
        emulated=pairs[0].later.record.emulated,
        context=context,
        drift=_drift(unmoved),
        pairs=tuple(pairs),
    )


def _pair(
    earlier: CellSummary,
    later: CellSummary,
    context: tuple[Difference, ...],
    first: RunSummary,
    second: RunSummary,
) -> CellPair:
    a, b = earlier.record.artifact, later.record.artifact
    same_file = None if a is None or b is None else a.sha256 == b.sha256
    model = later.record.model
    return CellPair(
        earlier=earlier,
        later=later,
        same_file=same_file,
        cause=_cause(same_file, context),
        work=_count_or_reason(earlier, later, first, second),
        accuracy=accuracy_change(
            earlier,
            later,
            data=(judged_data(first.run, model), judged_data(second.run, model)),
            same_seed=first.run.seed == second.run.seed,
            same_file=same_file is True,
        ),
        memory=memory_change(earlier, later),
        energy=energy_change(earlier, later),
    )


def _cause(same_file: bool | None, context: tuple[Difference, ...]) -> Cause:
    if same_file:
        return Cause.CONTEXT if context else Cause.NEITHER
    return Cause.BOTH if context else Cause.MODEL


def why_no_work(earlier: CellSummary, later: CellSummary) -> str | None:
    """Why the work of a cell cannot be compared between two runs; None where it can."""
    for name, cell in ((mark("earlier"), earlier), (mark("later"), later)):
        if cell.record.outcome is not Outcome.OK:
            text = mark("its outcome in the {run} run is {outcome}")
            return tr(text, run=tr(name), outcome=tr(cell.record.outcome.value))
        if not cell.by_block:
            return tr("nothing was measured in the {run} run", run=tr(name))
        if cell.record.profile not in (AS_SHIPPED, CONTROLLED):
            text = mark("the profile of the board was {profile} in the {run} run")
            return tr(text, profile=cell.record.profile, run=tr(name))
    if earlier.record.profile != later.record.profile:
        profiles = (earlier.record.profile, later.record.profile)
        return tr("the board's profile was {first} first and {then} then", first=profiles[0], then=profiles[1])
    if earlier.record.emulated is not later.record.emulated:
        return tr("one was counted on an emulated board, the other timed on a real one")
    if earlier.instructions and later.instructions and earlier.instructions.source != later.instructions.source:
        return tr("the two were counted by different sources")
    return None


def _count_or_reason(earlier: CellSummary, later: CellSummary, first: RunSummary, second: RunSummary) -> Change:
    """The change of instructions; for times a place that `_judge_times` fills."""
    reason = why_no_work(earlier, later)
    metric = "instructions" if later.record.emulated else "latency_ns"
    if reason is not None:
        return Change.without(metric, reason, earlier.work, later.work)
    if not later.record.emulated:
        return Change.without(metric, "", earlier.work, later.work)
    noise = _control_margin(later.record.board, first, second)
    return count_change(earlier, later, noise)


def _judge_times(pairs: Mapping[CellKey, CellPair], first: RunSummary, second: RunSummary) -> dict[CellKey, CellPair]:
    """The changes of times of all cells, judged together: their number decides how strong each must be."""
    timed = {
        key: pair
        for key, pair in pairs.items()
        if not pair.later.record.emulated and why_no_work(pair.earlier, pair.later) is None
    }
    found: dict[str, TimePair] = {}
    for key, pair in timed.items():
        drift = _drift([other for place, other in timed.items() if place[0] == key[0] and other.same_file])
        moved = 0.0 if pair.same_file or drift is None else abs(drift - 1)
        margin = max(moved, _control_margin(key[0], first, second))
        found[pair.later.record.cell_id] = time_pair(pair.earlier.by_block, pair.later.by_block, margin)
    changes = judge_time_pairs(found)
    return {
        key: replace(pair, work=changes[pair.later.record.cell_id]) if key in timed else pair
        for key, pair in pairs.items()
    }


def _drift(unchanged: Sequence[CellPair]) -> float | None:
    """Median ratio of work of cells whose file is the same in both runs."""
    ratios = [p.later.work / p.earlier.work for p in unchanged if p.later.work and p.earlier.work]
    return float(median(ratios)) if ratios else None


def _control_margin(board: str, *runs: RunSummary) -> float:
    """What the A/A controls of the two runs differed by, at least the usual margin; 0 where none was run."""
    return max((run.controls[board].margin for run in runs if board in run.controls), default=0.0)
