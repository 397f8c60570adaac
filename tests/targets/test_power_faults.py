"""What goes wrong with a meter makes the energy invalid, with its reason; what is only late or rare does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hilbench.targets.power.channel import Channel, ClockDomain
from hilbench.targets.power.clocks import ClockMap, Offset, RoundTrip, offset_from, same_clock
from hilbench.targets.power.integrate import BlockEnergy, Validity, measure_block
from hilbench.targets.power.meter import Trace
from hilbench.targets.power.windows import Window, refusal

from .power_simulation import ANALYSER, PLUG, RAIL, Bench, Flaws, simulate_trace, window_of

PERFECT = Flaws(gain=0.0, offset_w=0.0, clock_offset_s=5.0, clock_drift=0.0, duty=0.5)
MIDDLE_S = 8.0  # after the trace's begin: inside the active window


def good(channel: Channel = ANALYSER) -> tuple[Trace, Window, ClockMap]:
    bench = Bench(channel=channel)
    window = window_of(bench)
    trace, clocks, _, _ = simulate_trace(np.random.default_rng(3), bench, PERFECT, window)
    return trace, window, clocks


def middle(trace: Trace, length_s: float = 1.5) -> np.ndarray:
    since_s = (trace.time_ns - trace.time_ns[0]) / 1e9
    return (since_s > MIDDLE_S) & (since_s < MIDDLE_S + length_s)


def without(trace: Trace, lost: np.ndarray) -> Trace:
    assert trace.sequence is not None
    kept = ~lost
    return replace(trace, time_ns=trace.time_ns[kept], values=trace.values[kept], sequence=trace.sequence[kept])


def cut_off(trace: Trace) -> Trace:
    since_s = (trace.time_ns - trace.time_ns[0]) / 1e9
    return replace(without(trace, since_s > MIDDLE_S), error="the USB device is gone")


def interrupted(trace: Trace) -> Trace:
    return replace(without(trace, middle(trace)), sequence=None)


def lines_lost(trace: Trace) -> Trace:
    """Without a counter only gaps tell: here of 5 samples each."""
    lost = np.isin(np.arange(len(trace.time_ns)) % 500, range(5))
    return replace(without(trace, lost), sequence=None)


def late(trace: Trace) -> Trace:
    return without(trace, (trace.time_ns - trace.time_ns[0]) / 1e9 < 2.0)


def stale(trace: Trace) -> Trace:
    return replace(trace, values=np.where(middle(trace), 5.125, trace.values))


def jumped_ahead(trace: Trace) -> Trace:
    after = np.arange(len(trace.time_ns)) > 8000
    return replace(trace, time_ns=trace.time_ns + np.where(after, 700_000_000, 0))


def went_back(trace: Trace) -> Trace:
    after = np.arange(len(trace.time_ns)) > 8000
    return replace(trace, time_ns=trace.time_ns - np.where(after, 250_000_000, 0))


def saturated(trace: Trace) -> Trace:
    return replace(
        trace, values=np.where(middle(trace), 20.0 + 0.001 * np.random.default_rng(1).random(), trace.values)
    )


def clipped_peak(trace: Trace) -> Trace:
    values = trace.values.copy()
    values[8000] = 20.0
    return replace(trace, values=values)


def dropping(trace: Trace) -> Trace:
    return without(trace, np.random.default_rng(2).random(len(trace.time_ns)) < 0.003)


def not_a_number(trace: Trace) -> Trace:
    values = trace.values.copy()
    values[8000] = np.nan
    return replace(trace, values=values)


def restarted_counter(trace: Trace) -> Trace:
    assert trace.sequence is not None
    return replace(trace, sequence=np.where(middle(trace, 99.0), trace.sequence - 8000, trace.sequence))


def silent(trace: Trace) -> Trace:
    nothing = np.empty(0, np.int64)
    return replace(trace, time_ns=nothing, values=np.empty(0), sequence=nothing, error="connection refused")


FAULTS: list[tuple[Callable[[Trace], Trace], str]] = [
    (cut_off, r"the meter fell silent \d\.\d+ s before the end \(the USB device is gone\)"),
    (interrupted, r"the meter gave nothing for 1\.5 s"),
    (lines_lost, r"the meter lost \d+ of \d+ samples"),
    (late, r"the meter began 1\.5 s late"),
    (stale, r"the meter repeated the value 5\.125 W for 1\.5 s"),
    (jumped_ahead, r"the meter's time jumped ahead by 0\.7 s"),
    (went_back, r"the meter's time went back by 0\.249 s"),
    (saturated, r"the meter was at the end of its range \(20 W\) in \d+ samples"),
    (clipped_peak, r"the meter was at the end of its range \(20 W\) in 1 samples"),
    (dropping, r"the meter lost \d+ of \d+ samples"),
    (not_a_number, r"the meter gave a value that is no number"),
    (restarted_counter, r"the meter's sample counter went back"),
    (silent, r"the meter gave no samples \(connection refused\)"),
]


@pytest.mark.parametrize(("break_it", "reason"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_of_the_meter_makes_energy_invalid_with_its_reason(
    break_it: Callable[[Trace], Trace], reason: str
) -> None:
    trace, window, clocks = good()
    block = measure_block(break_it(trace), window, clocks)
    assert block.validity is Validity.INVALID
    assert (block.total_j, block.net_j, block.random_j) == (None, None, None)
    assert re.search(reason, "; ".join(block.reasons)), block.reasons


def measured(trace: Trace, window: Window, clocks: ClockMap) -> BlockEnergy:
    block = measure_block(trace, window, clocks)
    assert block.validity is Validity.VALID, block.reasons
    return block


@pytest.mark.parametrize("channel", [ANALYSER, RAIL])
def test_a_healthy_trace_is_valid_and_gives_the_joules(channel: Channel) -> None:
    block = measured(*good(channel))
    assert block.total_j == pytest.approx(6.0 / 27, rel=0.02)
    assert block.net_j == pytest.approx(3.0 / 27, rel=0.04)
    assert block.drops == 0


def test_long_inferences_are_counted_whole() -> None:
    """Five of 3 s that draw 7 W for 0.9 s and 5 W for 2.1 s: a part of one more would weigh too much."""
    bench = Bench(channel=ANALYSER, period_s=3.0, active_s=11.0)
    window = window_of(bench)
    flaws = replace(PERFECT, duty=0.3)
    trace, clocks, total_j, _ = simulate_trace(np.random.default_rng(3), bench, flaws, window)
    assert measured(trace, window, clocks).total_j == pytest.approx(total_j, rel=0.004)


def test_a_lost_sample_in_a_thousand_is_borne() -> None:
    trace, window, clocks = good()
    lost = np.zeros(len(trace.time_ns), bool)
    lost[::1500] = True
    block = measured(without(trace, lost), window, clocks)
    assert block.drops == 11


def test_faults_outside_the_windows_do_not_matter() -> None:
    trace, window, clocks = good()
    values = trace.values.copy()
    values[:100] = 20.0
    measured(replace(trace, values=values), window, clocks)


def test_a_poll_that_came_late_is_no_jump_of_the_clock() -> None:
    trace, window, clocks = good(replace(ANALYSER, clock=ClockDomain.CONTROLLER))
    after = np.arange(len(trace.time_ns)) > 8000
    measured(replace(trace, time_ns=trace.time_ns + np.where(after, 50_000_000, 0)), window, clocks)


def test_a_counter_that_wraps_is_unwrapped_and_one_that_falls_is_a_fault() -> None:
    wrapping = replace(PLUG, wrap=500.0)
    bench = Bench(channel=wrapping, active_s=120.0, idle_s=60.0)
    window = window_of(bench)
    trace, clocks, total_j, _ = simulate_trace(np.random.default_rng(3), bench, PERFECT, window)
    folded = replace(trace, values=np.mod(trace.values, 500.0))
    assert measured(folded, window, clocks).total_j == pytest.approx(total_j, rel=0.03)
    block = measure_block(replace(folded, channel=PLUG), window, clocks)
    assert block.reasons == ("the meter's energy counter went back",)


def test_a_load_that_began_late_is_suspect() -> None:
    trace, window, clocks = good()
    since_s = (trace.time_ns - trace.time_ns[0]) / 1e9
    stalled = replace(trace, values=np.where((since_s > 3.5) & (since_s < 4.0), trace.values - 3.0, trace.values))
    block = measure_block(stalled, window, clocks)
    assert block.validity is Validity.SUSPECT
    assert block.reasons == (
        "power in the middle of the window is 2.5% above that of the whole window: the load was not steady",
    )
    assert block.total_j == pytest.approx(6.0 / 27, rel=0.02)


def test_clocks_that_part_while_the_meter_runs_are_a_fault() -> None:
    trace, window, clocks = good()
    moved = replace(clocks.after, offset_ns=clocks.after.offset_ns + 80_000_000)
    block = measure_block(trace, window, ClockMap(before=clocks.before, after=moved))
    assert block.reasons[0].startswith("the meter's clock moved by 80 ms against the board's")


def test_the_quickest_round_trip_bounds_the_offset() -> None:
    slow = RoundTrip(sent_ns=0, remote_ns=1_000_900, received_ns=2000)
    quick = RoundTrip(sent_ns=5000, remote_ns=1_005_060, received_ns=5100)
    assert offset_from([slow, quick]) == Offset(board_ns=5050, offset_ns=1_000_010, half_width_ns=50)
    with pytest.raises(ValueError, match="at least one round trip"):
        offset_from([])


def test_drift_between_two_offsets_is_followed() -> None:
    clocks = ClockMap(
        before=Offset(board_ns=0, offset_ns=1000, half_width_ns=5),
        after=Offset(board_ns=1_000_000, offset_ns=1100, half_width_ns=9),
    )
    assert clocks.to_meter_ns(500_000) == 501_050
    assert clocks.half_width_s == pytest.approx(9e-9)
    assert same_clock().to_meter_ns(7) == 7


def spans(active_s: float, idle_s: float) -> Window:
    marks = [0, idle_s, idle_s + active_s, 2 * idle_s + active_s]
    return Window.of_marks([round(mark * 1e9) for mark in marks], 10)


@pytest.mark.parametrize(
    ("channel", "active_s", "idle_s", "half_width_s", "expected"),
    [
        (ANALYSER, 5, 3, 0.001, "the window of 5 s is too short for analyser DC input: it must be at least 10 s"),
        (ANALYSER, 20, 9, 0.4, "it must be at least 40 s (its clock is known to 400 ms)"),
        (replace(RAIL, interval_s=1.0), 20, 20, 0, "it must be at least 50 s (it gives a fresh value every 1 s)"),
        (PLUG, 9, 99, 0.01, "it must be at least 10 s"),
        (RAIL, 20, 1, 0, "an idle window of 1 s is too short for ina3221 VDD_IN: it must be at least 2.04 s"),
        (ANALYSER, 60, 3, 0.4, "an idle window of 3 s is too short for analyser DC input: it must be at least 4.4 s"),
    ],
)
def test_a_window_too_short_for_the_meter_is_refused_with_the_length_it_needs(
    channel: Channel, active_s: float, idle_s: float, half_width_s: float, expected: str
) -> None:
    said = refusal(channel, spans(active_s, idle_s), half_width_s)
    assert said is not None
    assert expected in said


def test_a_window_without_inferences_is_none() -> None:
    with pytest.raises(ValueError, match="without inferences"):
        Window.of_marks([0, 1, 2, 3], 0)


def test_a_window_that_is_long_enough_is_not_refused() -> None:
    assert refusal(ANALYSER, spans(10, 3), 0.001) is None
