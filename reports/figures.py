"""The figures of one cell, computed from its trials: latency, instructions, memory; pure.

Each takes one value per process first (its median) and only then looks across processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median  # of few values; numpy takes ten times as long for those

import numpy as np

from .record import MemoryPhases, Record, Samples, Trial, TrialKind
from .shape import ProcessShape, drift_within, outliers, shapes, typical_lag1
from .statistics import coefficient_of_variation, median_estimate
from .tails import Outliers, percentiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Time of one inference on a real board, in ns; the interval is over blocks (fresh processes).

    Percentiles are None with too few iterations, and where one sample is the mean of several inferences, which hides
    the tail. `load_ns` and `first_ns` are medians over blocks of making the session and of the first inference.
    `mad_within` (median absolute deviation over median) and `lag1_within` (correlation of neighbouring samples) are
    medians over processes; in `sloped_blocks` of them time still changed with the iterations.
    """

    median_ns: float
    ci_low_ns: float | None
    ci_high_ns: float | None
    p90_ns: float | None
    p95_ns: float | None
    p99_ns: float | None
    load_ns: float | None
    first_ns: float | None
    blocks: int
    iterations: int
    cv_within: float | None
    cv_blocks: float | None
    mad_within: float | None
    lag1_within: float | None
    sloped_blocks: int
    drift_within: float | None
    outliers: Outliers
    loop_k: int
    block_medians_ns: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """User-mode instructions of one inference on an emulated board; the unit is an importer process.

    `cv_within` is the largest over the processes, `source` is `pmu` or `virtual-clock`.
    """

    median: float
    cv_within: float | None
    cv_processes: float | None
    source: str | None
    processes: int
    samples: int
    process_medians: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory by phase in bytes, as absolute peaks; `peak_bytes` is the largest that was measured."""

    phases: MemoryPhases
    peak_bytes: int | None


def one_per_block(trials: Iterable[Trial], kind: TrialKind) -> dict[int, Trial]:
    """The trials of a kind by block, in order; of several attempts at a block the first counts.

    A process whose median is not positive measured nothing and is left out.

    On an emulated board a block is one importer process, so its number names the process there.
    """
    chosen: dict[int, Trial] = {}
    for trial in trials:
        if trial.kind is kind and _positive(trial.samples):
            known = chosen.get(trial.block)
            if known is None or trial.attempt < known.attempt:
                chosen[trial.block] = trial
    return dict(sorted(chosen.items()))


def _positive(samples: Samples) -> bool:
    """Whether the median is above zero; the least sample, which is quick to find, mostly tells already."""
    return bool(samples.size) and (samples.min() > 0 or bool(np.median(samples) > 0))


def medians(trials: Mapping[int, Trial]) -> dict[int, float]:
    """The median sample of each process, by block."""
    return {block: float(np.median(trial.samples)) for block, trial in trials.items()}


def latency(record: Record) -> Latency | None:
    """Latency of a cell on a real board; None on emulated boards, where time means nothing, and without trials."""
    return latencies([record])[0]


def latencies(records: Sequence[Record]) -> list[Latency | None]:
    """`latency` of each record, all their processes described at once."""
    timed = [{} if one.emulated else one_per_block(one.trials, TrialKind.LATENCY) for one in records]
    described = iter(shapes([trial.samples for trials in timed for trial in trials.values()]))
    return [_latency(trials, [next(described) for _ in trials]) if trials else None for trials in timed]


def _latency(trials: Mapping[int, Trial], processes: Sequence[ProcessShape]) -> Latency:
    """The figures of one cell from its trials by block and what each looks like."""
    samples = [trial.samples for trial in trials.values()]
    by_block = {block: one.median_ns for block, one in zip(trials, processes, strict=True)}
    estimate = median_estimate(list(by_block.values()))
    loop_k = max(trial.loop_k for trial in trials.values())
    tail = percentiles(samples) if loop_k == 1 else {}
    within = [one.cv for one in processes if one.cv is not None]
    return Latency(
        median_ns=estimate.value,
        ci_low_ns=estimate.low,
        ci_high_ns=estimate.high,
        p90_ns=tail.get(90),
        p95_ns=tail.get(95),
        p99_ns=tail.get(99),
        load_ns=_median_of(trials.values(), lambda trial: trial.load_ns),
        first_ns=_median_of(trials.values(), lambda trial: trial.first_ns),
        blocks=len(trials),
        iterations=sum(int(trial.samples.size) * trial.loop_k for trial in trials.values()),
        cv_within=float(median(within)) if within else None,
        cv_blocks=coefficient_of_variation(list(by_block.values())),
        mad_within=float(median(one.mad_ns / one.median_ns for one in processes)),
        lag1_within=typical_lag1(processes),
        sloped_blocks=sum(one.sloped for one in processes),
        drift_within=drift_within(processes),
        outliers=outliers(processes),
        loop_k=loop_k,
        block_medians_ns=by_block,
    )


def instructions(record: Record) -> Instructions | None:
    """Instructions of a cell on an emulated board; None on real ones and without trials.

    Processes that counted by different sources are not mixed: the source of the first one is kept.
    """
    trials = one_per_block(record.trials, TrialKind.COUNT) if record.emulated else {}
    if not trials:
        return None
    source = next(iter(trials.values())).counter_source
    trials = {block: trial for block, trial in trials.items() if trial.counter_source == source}
    by_process = medians(trials)
    within = [cv for cv in (_cv(trial) for trial in trials.values()) if cv is not None]
    return Instructions(
        median=float(np.median(list(by_process.values()))),
        cv_within=max(within, default=None),
        cv_processes=coefficient_of_variation(list(by_process.values())),
        source=source,
        processes=len(trials),
        samples=sum(int(trial.samples.size) for trial in trials.values()),
        process_medians=by_process,
    )


def memory(record: Record) -> Memory | None:
    """Memory by phase; the median where several processes read it. None where no process did."""
    read = [trial.memory for trial in record.trials if trial.memory is not None]
    if not read:
        return None
    phases = MemoryPhases(
        baseline_bytes=_middle(phases.baseline_bytes for phases in read),
        load_peak_bytes=_middle(phases.load_peak_bytes for phases in read),
        first_peak_bytes=_middle(phases.first_peak_bytes for phases in read),
        steady_peak_bytes=_middle(phases.steady_peak_bytes for phases in read),
        anon_bytes=_middle(phases.anon_bytes for phases in read),
        file_bytes=_middle(phases.file_bytes for phases in read),
        method=read[0].method,
    )
    peaks = (phases.load_peak_bytes, phases.first_peak_bytes, phases.steady_peak_bytes)
    return Memory(phases=phases, peak_bytes=max((peak for peak in peaks if peak is not None), default=None))


def _cv(trial: Trial) -> float | None:
    return coefficient_of_variation(trial.samples.astype(np.float64))


def _median_of(trials: Iterable[Trial], field: Callable[[Trial], int | None]) -> float | None:
    values = [value for value in map(field, trials) if value is not None]
    return float(median(values)) if values else None


def _middle(values: Iterable[int | None]) -> int | None:
    measured = sorted(value for value in values if value is not None)
    return measured[len(measured) // 2] if measured else None
