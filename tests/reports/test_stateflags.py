"""What a board's state means for the figures, by profile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hilbench.reports.record import Trial, TrialKind
from hilbench.reports.stateflags import EFFECTS, Effect, flags, flags_by_block, invalid_blocks

QUIET: dict[str, Any] = {
    "pi_throttled": 0,
    "thermal_throttles": 0,
    "over_current_events": {"oc1_event_cnt": 4},
    "cooling": {"cooling_device0:cpufreq-cpu0": 0},
    "temperature_c": {"thermal_zone0:cpu": 50.0},
    "busy_ticks": 1000,
    "steal_ticks": 10,
    "swapped_pages": 7,
    "governor": ["performance"],
    "cpu_freq_min_khz": [1_500_000],
    "clock": {"monotonic_ns": 0, "own_cpu_ns": 0, "ticks_per_s": 100},
}
# Ten seconds later, all of them spent by ourselves.
LATER: dict[str, Any] = {
    **QUIET,
    "busy_ticks": 2000,
    "clock": {"monotonic_ns": 10_000_000_000, "own_cpu_ns": 10_000_000_000, "ticks_per_s": 100},
}


def timed(after: dict[str, Any] | None = None, before: dict[str, Any] | None = None, **changes: Any) -> Trial:
    given: dict[str, Any] = {
        "trial_id": "t",
        "cell_id": "a",
        "kind": TrialKind.LATENCY,
        "block": 0,
        "attempt": 1,
        "position": 0,
        "started_at": "",
        "samples": np.full(20, 5_000_000, np.int64),
        "state_before": {**QUIET, **(before or {})},
        "state_after": {**LATER, **(after or {})},
    }
    return Trial(**{**given, **changes})


def found(trial: Trial, profile: str = "controlled") -> list[tuple[str, str]]:
    return [(flag.rule, flag.effect.value) for flag in flags(trial, profile)]


def test_quiet_board_has_nothing_to_say() -> None:
    assert found(timed()) == []


def test_board_that_tells_nothing_is_not_accused() -> None:
    assert found(timed(state_before={}, state_after={})) == []
    assert found(timed(state_before=dict.fromkeys(QUIET), state_after=dict.fromkeys(QUIET))) == []


@pytest.mark.parametrize(
    ("before", "after", "rule", "says"),
    [
        ({}, {"pi_throttled": 0x4}, "throttled", "the firmware reported throttling"),
        ({"pi_throttled": 0x2}, {}, "throttled", "the firmware reported a capped frequency"),
        ({}, {"pi_throttled": 0x40000}, "throttled", "the firmware noted throttling within the process"),
        ({}, {"pi_throttled": 0x10000}, "under-voltage", "the firmware noted under-voltage within the process"),
        ({"pi_throttled": 0x40000}, {"pi_throttled": 0x40000}, "throttled-before", "had noted throttling since boot"),
        ({}, {"thermal_throttles": 3}, "throttled", "the processors throttled 3 times because of heat"),
        ({}, {"over_current_events": {"oc1_event_cnt": 6}}, "throttled", "came 2 times (oc1_event_cnt)"),
        ({}, {"cooling": {"cooling_device0:cpufreq-cpu0": 2}}, "throttled", "held clocks back (cooling_device0"),
        ({}, {"temperature_c": {"thermal_zone0:cpu": 61.0}}, "warmer", "the board grew 11 °C warmer"),
        ({}, {"busy_ticks": 2300}, "others", "other programs used 0.30 of a processor"),
        ({}, {"steal_ticks": 60}, "stolen", "a hypervisor kept 5 % of a processor"),
        ({}, {"swapped_pages": 9}, "swapped", "2 pages were swapped"),
        ({}, {"governor": ["ondemand"]}, "retuned", "were changed meanwhile (governor)"),
    ],
)
def test_each_finding_has_its_sentence_and_its_effect_in_each_profile(
    before: dict[str, Any], after: dict[str, Any], rule: str, says: str
) -> None:
    for profile, effect in zip(("controlled", "as-shipped"), EFFECTS[rule], strict=True):
        (flag,) = flags(timed(after, before), profile)
        assert (flag.rule, flag.effect) == (rule, effect)
        assert says in flag.text


def test_processor_below_the_frequency_that_was_set_was_throttled() -> None:
    fixed = {"cpu_freq_min_khz": [1_500_000] * 2, "cpu_freq_max_khz": [1_500_000] * 2}
    slow = timed({**fixed, "cpu_freq_khz": [1_500_000, 1_000_000]}, fixed)
    assert [flag.text for flag in flags(slow, "controlled")] == [
        "a processor ran at 1000 MHz, below the frequency that was set"
    ]
    assert found(timed({**fixed, "cpu_freq_khz": [1_500_000, 1_499_000]}, fixed)) == []
    free = {"cpu_freq_min_khz": [600_000], "cpu_freq_max_khz": [1_500_000]}
    assert found(timed({**free, "cpu_freq_khz": [600_000]}, free)) == []


def test_throttling_is_a_result_as_shipped_and_invalidates_when_controlled() -> None:
    throttled = timed({"thermal_throttles": 1})
    assert found(throttled, "as-shipped") == [("throttled", "result")]
    assert found(throttled, "controlled") == [("throttled", "invalid")]


def test_own_work_is_not_the_load_of_others() -> None:
    assert found(timed({"busy_ticks": 2050})) == []


@pytest.mark.parametrize("profile", ["controlled", "as-shipped"])
def test_process_that_stood_still_in_a_window_is_invalid_in_every_profile(profile: str) -> None:
    samples = np.full(20, 5_000_000, np.int64)
    samples[7] += 3_000_000_000
    (flag,) = flags(timed(samples=samples), profile)
    assert (flag.rule, flag.effect) == ("stopped", Effect.INVALID)
    assert flag.text == "the process stood still for 3.0 s inside a timed window"


def test_stop_is_seen_where_several_inferences_make_a_sample() -> None:
    samples = np.full(20, 1_000, np.int64)
    samples[7] += 2_000_000  # 2 s over a thousand inferences
    assert found(timed(samples=samples, loop_k=1000)) == [("stopped", "invalid")]
    assert found(timed(samples=samples, loop_k=1)) == []


def test_stop_between_two_windows_is_seen_and_a_planned_wait_is_none() -> None:
    assert found(timed(used={"longest_pause_ns": 2_500_000_000})) == [("stopped", "invalid")]
    assert found(timed(used={"longest_pause_ns": 2_500_000_000, "period_ns": 2_000_000_000})) == []


def test_slow_model_is_not_taken_for_a_stopped_one() -> None:
    samples = np.full(20, 4_000_000_000, np.int64)
    samples[3] += 1_500_000_000
    assert found(timed(samples=samples)) == []


def test_block_falls_as_a_whole_and_only_in_that_attempt() -> None:
    trials = [
        timed(),
        timed({"swapped_pages": 9}, cell_id="b"),
        timed(block=1, cell_id="b"),
        timed(block=0, attempt=2, cell_id="b"),
    ]
    assert invalid_blocks(trials, "controlled") == {(0, 1): ("b: 2 pages were swapped meanwhile",)}
    assert invalid_blocks(trials, "as-shipped") == {}
    assert [flag.effect for flag in flags_by_block(trials, "as-shipped")[0, 1]] == [Effect.SUSPECT]


def test_processes_that_are_not_timed_are_not_judged() -> None:
    assert found(timed({"swapped_pages": 9}, kind=TrialKind.MEMORY)) == []


def test_profile_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no profile 'fast'; allowed: controlled, as-shipped"):
        flags(timed(), "fast")
