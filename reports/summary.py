"""One computation of all figures that the export, the frames and the page show; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .comparable import settings_key, why_not_comparable
from .control import Control, controls
from .drop import Drop, accuracy_drop, board_interval
from .energy import EnergyFigure
from .figures import Instructions, Latency, Memory, instructions, latencies, memory
from .joules import energy_absent, judged_energy
from .language import mark, tr
from .record import Accuracy, Outcome, Record, RunRecord
from .sustained import ColdAndSustained, cold_and_sustained
from .validity import Validity, validity
from .verdict import (
    TIME_MARGIN,
    Comparison,
    Verdict,
    Word,
    compare_times,
    judge_counts,
    judge_times,
)

_Candidates = dict[tuple[str, str, str], list[Record]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellSummary:
    """A cell with its figures. None means that it was not measured."""

    record: Record
    baseline: bool
    baseline_cell: str | None
    baseline_recipe: str  # of the cell that this one is compared with
    latency: Latency | None
    instructions: Instructions | None
    memory: Memory | None
    board_interval: tuple[float, float] | None
    drop: Drop | None
    validity: Validity
    verdict: Verdict | None
    verdict_absent: str | None
    energy: EnergyFigure | None = None
    energy_absent: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the figures of this cell may be used for a decision."""
        return self.record.outcome is Outcome.OK

    @property
    def accuracy(self) -> Accuracy | None:
        """Accuracy, unless neither the host's nor the board's was judged."""
        accuracy = self.record.accuracy
        return None if accuracy is None or (accuracy.host is None and accuracy.board is None) else accuracy

    @property
    def work(self) -> float | None:
        """What one inference costs on this board: ns on a real one, instructions on an emulated one."""
        if self.record.emulated:
            return None if self.instructions is None else self.instructions.median
        return None if self.latency is None else self.latency.median_ns

    @property
    def by_block(self) -> Mapping[int, float]:
        """`work` of each block."""
        if self.instructions is not None:
            return self.instructions.process_medians
        return {} if self.latency is None else self.latency.block_medians_ns

    @property
    def sustained(self) -> ColdAndSustained | None:
        """What the cell gives at first and what it keeps up, where it had a sustained run. Emulated: None."""
        if self.record.emulated:
            return None
        run = next((trial.sustained for trial in self.record.trials if trial.sustained is not None), None)
        return None if run is None else cold_and_sustained(run)

    @property
    def fraction(self) -> float | None:
        """The accuracy that candidates are compared by: the host's over the whole test set, else the board's."""
        if self.accuracy is None:
            return None
        return self.accuracy.board if self.accuracy.host is None else self.accuracy.host


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunSummary:
    """All cells of a run in the order of the plan, and the A/A control of each board that had one."""

    run: RunRecord
    cells: tuple[CellSummary, ...]
    controls: Mapping[str, Control]

    def on_board(self, board: str) -> tuple[CellSummary, ...]:
        """The cells of one board, in the order of the plan."""
        return tuple(cell for cell in self.cells if cell.record.board == board)

    @property
    def boards(self) -> tuple[str, ...]:
        """Boards in the order in which the plan's cells name them; one without any cell comes last."""
        return tuple(dict.fromkeys([*(cell.record.board for cell in self.cells), *self.run.boards]))


def summarize(run: RunRecord) -> RunSummary:
    """Compute every figure of a run once."""
    aa = controls(run.records)
    times = latencies(run.records)
    bases = find_baselines(run)
    plain = {
        record.cell_id: _without_verdict(record, run, time, aa.get(record.board), base)
        for record, time, base in zip(run.records, times, bases, strict=True)
    }
    judged = _judge(run, plain, aa)
    return RunSummary(run=run, controls=aa, cells=tuple(judged[record.cell_id] for record in run.records))


def _without_verdict(
    record: Record, run: RunRecord, time: Latency | None, control: Control | None, base: Record | None
) -> CellSummary:
    count, peak = instructions(record), memory(record)
    accuracy = record.accuracy
    return CellSummary(
        record=record,
        baseline=record.recipe == run.baseline_recipe or record is base,
        baseline_cell=base.cell_id if base else None,
        baseline_recipe=base.recipe if base else run.baseline_recipe,
        latency=time,
        instructions=count,
        memory=peak,
        board_interval=board_interval(accuracy),
        drop=accuracy_drop(accuracy, base.accuracy if base else None),
        validity=validity(record, run, time, count, control),
        verdict=None,
        verdict_absent=None,
        energy=judged_energy(record, control),
        energy_absent=energy_absent(record, run),
    )


def find_baselines(run: RunRecord) -> list[Record | None]:
    """The cell that each one of a run is compared with: same board, model, settings, the baseline's recipe.

    The same runtime is preferred; a candidate whose runtime has no baseline is compared with that of another runtime.
    Where the board cannot run the baseline at all, its stand-in is: the same model in another file format.
    """
    keys = [(record.board, record.model, settings_key(record)) for record in run.records]
    owns, stand_ins = _Candidates(), _Candidates()
    for record, key in zip(run.records, keys, strict=True):
        if record.recipe == run.baseline_recipe:
            owns.setdefault(key, []).append(record)
        if record.recipe == run.stand_in_recipe:
            stand_ins.setdefault(key, []).append(record)
    return [
        _baseline(_nearest(record, owns.get(key, ())), _nearest(record, stand_ins.get(key, ())))
        for record, key in zip(run.records, keys, strict=True)
    ]


def _baseline(own: Record | None, stand_in: Record | None) -> Record | None:
    if stand_in is None or stand_in.outcome is Outcome.UNSUPPORTED:
        return own
    return stand_in if own is None or own.outcome is Outcome.UNSUPPORTED else own


def _nearest(record: Record, candidates: Sequence[Record]) -> Record | None:
    """The first with the same runtime and figures, else the next best."""
    return min(candidates, key=lambda one: (one.runtime != record.runtime, one.outcome is not Outcome.OK), default=None)


def _judge(run: RunRecord, cells: Mapping[str, CellSummary], aa: Mapping[str, Control]) -> dict[str, CellSummary]:
    judged = dict(cells)
    comparisons: dict[str, Comparison] = {}
    for key, cell in cells.items():
        outcome = _compare(run, cell, cells, aa.get(cell.record.board))
        match outcome:
            case Comparison():
                comparisons[key] = outcome
            case Verdict():
                judged[key] = replace(cell, verdict=outcome)
            case str():
                judged[key] = replace(cell, verdict_absent=outcome)
    for key, verdict in judge_times(comparisons).items():
        judged[key] = replace(cells[key], verdict=verdict)
    return judged


def _compare(
    run: RunRecord, cell: CellSummary, cells: Mapping[str, CellSummary], control: Control | None
) -> Comparison | Verdict | str:
    """A comparison still to be adjusted, a verdict that stands, or the reason why there is none."""
    if cell.baseline:
        return tr("this is the baseline")
    if not cell.by_block:
        return tr("nothing was measured")
    if (
        not cell.record.emulated
        and run.protocol == "quick"
        and run.shortlist
        and cell.record.recipe not in run.shortlist
    ):
        return tr("not on the plan's shortlist: the quick protocol gives verdicts to those only")
    metric = "instructions" if cell.record.emulated else "latency_ns"
    base = cells.get(cell.baseline_cell or "")
    if base is None or not base.by_block:
        text = mark("the baseline {baseline} gave no figures on this board")
        return _not_comparable(metric, tr(text, baseline=cell.baseline_recipe))
    if not cell.ok or not base.ok:
        text = (
            mark("the outcome of the baseline is {outcome}")
            if cell.ok
            else mark("the outcome of the candidate is {outcome}")
        )
        outcome = base.record.outcome if cell.ok else cell.record.outcome
        return _not_comparable(metric, tr(text, outcome=tr(outcome.value)))
    reason = why_not_comparable(cell.record, base.record)
    if reason is not None:
        return _not_comparable(metric, reason)
    if cell.instructions is not None and base.instructions is not None:
        if cell.instructions.source != base.instructions.source:
            return _not_comparable(metric, tr("the two were counted by different sources"))
        return judge_counts(cell.by_block, base.by_block, control.margin if control else 0.0)
    comparison = compare_times(cell.by_block, base.by_block, control.margin if control else TIME_MARGIN)
    return comparison or _not_comparable(metric, tr("no block measured both"))


def _not_comparable(metric: str, note: str) -> Verdict:
    return Verdict(word=Word.NOT_COMPARABLE, metric=metric, note=note)
