"""From the power traces of a run's trials to joules per inference of its cells; pure, repeated at every reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..reports.energy import EnergyFigure, EnergyRatio, PowerTrace
from ..reports.record import Record, RunRecord, Trial, TrialKind
from ..reports.summary import find_baselines
from ..targets.power.budget import Energy, combine, energy_ratio
from ..targets.power.channel import Channel, channel_from_facts
from ..targets.power.clocks import ClockMap, Offset, same_clock
from ..targets.power.integrate import BlockEnergy, measure_block
from ..targets.power.meter import Trace
from ..targets.power.windows import Window


def with_energy(run: RunRecord) -> RunRecord:
    """The run with the energy of every cell that was metered, and its ratio to that of the cell's baseline."""
    found = {record.cell_id: energy for record in run.records if (energy := energy_of(record)) is not None}
    if not found:
        return run
    records = tuple(
        replace(record, energy=_figure(found[record.cell_id], _ratio(record, base, found)))
        if record.cell_id in found
        else record
        for record, base in zip(run.records, find_baselines(run), strict=True)
    )
    return replace(run, records=records)


def energy_of(record: Record) -> Energy | None:
    """Joules per inference over the blocks of a cell; None where no process was metered, and on emulated boards.

    Blocks of other meters than the last one's are counted as lost: figures of two meters are never averaged.
    """
    if record.emulated:
        return None
    traces = [trial.power for trial in _timed(record.trials) if trial.power is not None]
    if not traces:
        return None
    meter = channel_from_facts(traces[-1].channel)
    return combine([_block(trace, meter) for trace in traces])


def _timed(trials: Sequence[Trial]) -> list[Trial]:
    return sorted((trial for trial in trials if trial.kind is TrialKind.LATENCY), key=lambda trial: trial.block)


def _block(trace: PowerTrace, meter: Channel) -> BlockEnergy:
    channel = channel_from_facts(trace.channel)
    window = Window.of_marks(trace.marks_ns, trace.inferences)
    if (channel.name, channel.meter_class) != (meter.name, meter.meter_class):
        reasons = (f"it was measured by another meter, {channel.name}",)
        return BlockEnergy.invalid(meter, window, reasons, len(trace.time_ns), 0)
    samples = Trace(
        channel=channel,
        time_ns=trace.time_ns,
        values=trace.values,
        sequence=trace.sequence,
        error=trace.error,
    )
    return measure_block(samples, window, _clocks(trace))


def _clocks(trace: PowerTrace) -> ClockMap:
    if trace.clocks is None:
        return same_clock()
    before, after = (
        Offset(board_ns=board, offset_ns=offset, half_width_ns=half) for board, offset, half in trace.clocks
    )
    return ClockMap(before=before, after=after)


def _ratio(record: Record, base: Record | None, energies: Mapping[str, Energy]) -> EnergyRatio | None:
    if base is None or base.cell_id == record.cell_id or base.cell_id not in energies:
        return None
    found = energy_ratio(energies[record.cell_id], energies[base.cell_id])
    return None if found is None else EnergyRatio(ratio=found.ratio, uncertainty=found.uncertainty)


def _figure(energy: Energy, ratio: EnergyRatio | None) -> EnergyFigure:
    return EnergyFigure(
        meter=energy.meter,
        site=energy.site,
        meter_class=energy.meter_class.value,
        scope=energy.scope.value,
        total_j=energy.total_j,
        net_j=energy.net_j,
        uncertainty_j=energy.uncertainty_j,
        net_uncertainty_j=energy.net_uncertainty_j,
        active_w=energy.active_w,
        idle_w=energy.idle_w,
        period_s=energy.period_s,
        window_s=energy.window_s,
        blocks=energy.blocks,
        samples=energy.samples,
        drops=energy.drops,
        state=energy.validity.value,
        reasons=energy.reasons,
        budget=energy.budget,
        ratio=ratio,
    )
