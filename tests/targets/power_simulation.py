"""A board whose joules are known and a meter that sees them badly: gain, offset, noise, drops, a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hilbench.targets.power.channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from hilbench.targets.power.clocks import ClockMap, Offset, RoundTrip, offset_from, same_clock
from hilbench.targets.power.integrate import BlockEnergy, measure_block
from hilbench.targets.power.meter import Trace
from hilbench.targets.power.windows import Window

IDLE_W = 3.0
LOW_W, HIGH_W = 5.0, 7.0
PROCESS_SD = 0.003  # processes of one candidate differ

ANALYSER = Channel(
    meter="analyser",
    site="DC input",
    sampling=Sampling.INSTANTANEOUS,
    accuracy=Accuracy(gain=0.005, offset_w=0.005, resolution=0.001, source="simulated"),
    clock=ClockDomain.METER,
    scope=Scope.BOARD_INPUT,
    meter_class=MeterClass.E2,
    interval_s=0.001,
    stale_after_s=1.0,
    max_w=20.0,
)
RAIL = replace(
    ANALYSER,
    meter="ina3221",
    site="VDD_IN",
    accuracy=Accuracy(gain=0.015, offset_w=0.04, resolution=0.04, source="simulated"),
    clock=ClockDomain.BOARD,
    meter_class=MeterClass.E3,
    scope=Scope.RAIL,
    interval_s=0.01,
    stale_after_s=3.0,
)
PLUG = replace(
    ANALYSER,
    meter="plug",
    site="wall",
    sampling=Sampling.ACCUMULATING,
    accuracy=Accuracy(gain=0.02, offset_w=0.1, resolution=3.6, source="simulated"),
    clock=ClockDomain.CONTROLLER,
    meter_class=MeterClass.E4,
    scope=Scope.WALL,
    interval_s=1.0,
    stale_after_s=120.0,
    max_w=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """How a campaign is run. Times in s; `period_s` is that of an inference, which draws high and low power in turn."""

    channel: Channel
    active_s: float = 10.0
    idle_s: float = 3.0
    period_s: float = 1 / 27
    blocks: int = 4
    drop_probability: float = 0.0
    noise_w: float = 0.05
    one_way_s: float = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaws:
    """The errors of one meter and the load of one candidate, the same in all blocks of a campaign."""

    gain: float
    offset_w: float
    clock_offset_s: float
    clock_drift: float
    duty: float


def draw_flaws(rng: np.random.Generator, channel: Channel) -> Flaws:
    accuracy = channel.accuracy
    return Flaws(
        gain=rng.uniform(-accuracy.gain, accuracy.gain),
        offset_w=rng.uniform(-accuracy.offset_w, accuracy.offset_w),
        clock_offset_s=rng.uniform(-100, 100),
        clock_drift=rng.uniform(-50e-6, 50e-6),
        duty=rng.uniform(0.3, 0.7),
    )


def window_of(bench: Bench, start_s: float = 1000.0) -> Window:
    inferences = int(np.ceil(bench.active_s / bench.period_s)) + 1
    marks = np.cumsum([start_s, bench.idle_s, inferences * bench.period_s, bench.idle_s])
    return Window.of_marks([round(mark * 1e9) for mark in marks], inferences)


def simulate_trace(
    rng: np.random.Generator, bench: Bench, flaws: Flaws, window: Window
) -> tuple[Trace, ClockMap, float, float]:
    """(trace, clocks, true total J, true net J) of one process; both energies are per inference."""
    channel = bench.channel
    beside_s = max(0.5, 3 * channel.interval_s)
    begin_s, end_s = window.idle_before.start_ns / 1e9 - beside_s, window.idle_after.end_ns / 1e9 + beside_s
    board_s = _poll_times(rng, channel, begin_s, end_s)
    level = 1 + rng.normal(0, PROCESS_SD)
    idle_w = IDLE_W + rng.normal(0, 0.01) + 0.03 * (board_s - begin_s) / (end_s - begin_s) * rng.normal()
    start_s, stop_s = window.active.start_ns / 1e9, window.active.end_ns / 1e9
    phase = np.mod((board_s - start_s) / bench.period_s, 1.0)
    busy = (board_s >= start_s) & (board_s < stop_s)
    true_w = np.where(busy, level * np.where(phase < flaws.duty, HIGH_W, LOW_W), idle_w)
    mean_w = level * (flaws.duty * HIGH_W + (1 - flaws.duty) * LOW_W)
    idle_mean_w = float(np.interp((start_s + stop_s) / 2, board_s, idle_w))
    if channel.sampling is Sampling.ACCUMULATING:
        true_w = np.where(busy, mean_w, idle_w)  # it misses nothing between two readings
    seen_w = (1 + flaws.gain) * true_w + flaws.offset_w + rng.normal(0, bench.noise_w, len(true_w))
    step = channel.accuracy.resolution
    if channel.sampling is Sampling.ACCUMULATING:
        steps_s = np.diff(board_s, prepend=board_s[0])
        values = np.floor((rng.uniform(0, step) + np.cumsum(seen_w * steps_s)) / step) * step
    else:
        values = np.round(seen_w / step) * step
    kept = rng.random(len(values)) >= bench.drop_probability
    own_clock = channel.clock is not ClockDomain.BOARD
    meter_s = board_s + (flaws.clock_offset_s + flaws.clock_drift * (board_s - begin_s) if own_clock else 0.0)
    trace = Trace(
        channel=channel,
        time_ns=np.round(meter_s[kept] * 1e9).astype(np.int64),
        values=values[kept],
        sequence=np.flatnonzero(kept).astype(np.int64),
    )
    clocks = _compare_clocks(rng, bench, flaws, begin_s, (begin_s, end_s)) if own_clock else same_clock()
    total_j, net_j = mean_w * bench.period_s, (mean_w - idle_mean_w) * bench.period_s
    return trace, clocks, total_j, net_j


def simulate_campaign(
    rng: np.random.Generator, bench: Bench, flaws: Flaws | None = None
) -> tuple[list[BlockEnergy], float, float]:
    """(measured blocks, true total J, true net J): what was really drawn in these blocks."""
    flaws = flaws or draw_flaws(rng, bench.channel)
    window = window_of(bench)
    measured: list[BlockEnergy] = []
    totals: list[float] = []
    nets: list[float] = []
    for _ in range(bench.blocks):
        trace, clocks, total_j, net_j = simulate_trace(rng, bench, flaws, window)
        measured.append(measure_block(trace, window, clocks))
        totals.append(total_j)
        nets.append(net_j)
    return measured, float(np.mean(totals)), float(np.mean(nets))


def _poll_times(rng: np.random.Generator, channel: Channel, begin_s: float, end_s: float) -> np.ndarray:
    count = int((end_s - begin_s) / channel.interval_s) + 2
    if channel.clock is ClockDomain.METER:
        return begin_s + channel.interval_s * np.arange(count)
    return begin_s + np.cumsum(channel.interval_s * rng.uniform(0.5, 1.5, count + count // 20 + 20))


def _compare_clocks(
    rng: np.random.Generator, bench: Bench, flaws: Flaws, zero_s: float, moments: tuple[float, float]
) -> ClockMap:
    def offset(at_s: float) -> Offset:
        exchanges: list[RoundTrip] = []
        for sent_s in at_s + 0.01 * np.arange(20):
            there_s, back_s = 0.0002 + rng.exponential(bench.one_way_s, 2)
            arrived_s = sent_s + there_s
            remote_s = arrived_s + flaws.clock_offset_s + flaws.clock_drift * (arrived_s - zero_s)
            moments_ns = [round(moment * 1e9) for moment in (sent_s, remote_s, arrived_s + back_s)]
            exchanges.append(RoundTrip(sent_ns=moments_ns[0], remote_ns=moments_ns[1], received_ns=moments_ns[2]))
        return offset_from(exchanges)

    return ClockMap(before=offset(moments[0]), after=offset(moments[1]))
