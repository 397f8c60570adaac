"""Inferences at a rate, and the long run into the heat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness.collect import trial_from_event
from hilbench.reports.measured import Sustained, Window
from hilbench.reports.record import FIGURE_KINDS
from hilbench.reports.sustained import cold_and_sustained
from hilbench.targets.agent.job import JobError, job_from_json, job_to_json
from hilbench.targets.agent.pacing import paced_series
from hilbench.targets.agent.schedule import schedule
from hilbench.targets.agent.sustained import is_steady
from numpy.typing import NDArray

from .agent_jobs import cell, job, of_kind, run_job, stored

FEEDS = [{"x": np.array([float(number)])} for number in range(3)]


@dataclass
class Clocked:
    """A model of `taken_ns` an inference in a world of its own time, in which sleeping takes as long as asked."""

    taken_ns: list[int]
    now_ns: int = 0

    inputs = ()
    output_names = ()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Clocked:
        monkeypatch.setattr("hilbench.targets.agent.pacing.time.perf_counter_ns", lambda: self.now_ns)
        monkeypatch.setattr("hilbench.targets.agent.pacing.time.sleep", self.sleep)
        return self

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def bind(self, sample: Mapping[str, NDArray[Any]]) -> Callable[[], object]:
        return self.run

    def run(self) -> None:
        self.now_ns += self.taken_ns.pop(0)

    def read(self, returned: object) -> list[NDArray[Any]]:
        return []

    def used(self) -> dict[str, Any]:
        return {}

    def inspect(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        return {}

    def operator_costs(self, warmup: int) -> dict[str, Any]:
        return {}


def test_inferences_start_at_the_rate_and_the_wait_is_in_no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Clocked([2_000_000] * 5).install(monkeypatch)
    timed = paced_series(model, FEEDS, 100.0, 5, 0.0, 10)
    assert timed.samples.tolist() == [2_000_000] * 5
    assert (timed.late_starts, timed.longest_pause_ns) == (0, 8_000_000)
    assert model.now_ns == 4 * 10_000_000 + 2_000_000


def test_late_inference_starts_at_once_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Clocked([2_000_000, 25_000_000, 2_000_000, 2_000_000]).install(monkeypatch)
    timed = paced_series(model, FEEDS, 100.0, 4, 0.0, 10)
    assert timed.late_starts == 1
    assert model.now_ns == 35_000_000 + 10_000_000 + 2_000_000  # no burst: the last one is due a period later


@pytest.mark.parametrize(("minimum", "seconds", "number"), [(3, 0.0, 3), (2, 0.045, 5), (2, 9.0, 8)])
def test_paced_series_keeps_both_budgets(
    monkeypatch: pytest.MonkeyPatch, minimum: int, seconds: float, number: int
) -> None:
    model = Clocked([2_000_000] * 8).install(monkeypatch)
    assert len(paced_series(model, FEEDS, 100.0, minimum, seconds, 8).samples) == number


def window(start_s: float, median_ns: int = 1000, temperature_c: float | None = 60.0, inferences: int = 500) -> Any:
    return {"start_s": start_s, "median_ns": median_ns, "temperature_c": temperature_c, "inferences": inferences}


def series(*windows: tuple[int, float | None], every_s: float = 5.0, inferences: int = 500) -> list[Any]:
    return [window(every_s * number, *values, inferences) for number, values in enumerate(windows)]


STEADY = [(1000, 60.0)] * 14


def test_run_is_steady_when_temperature_and_latency_stay() -> None:
    assert is_steady(series(*STEADY))
    assert is_steady(series(*[(1000, None)] * 14))


@pytest.mark.parametrize(
    "windows",
    [
        series(*STEADY[:12]),  # not yet a minute
        series(*STEADY, inferences=70),  # too few inferences
        series(*STEADY[:10], *((1000, 60.0 + step) for step in range(4))),  # still growing warm
        series(*STEADY[:8], *((1000 + 20 * step, 60.0) for step in range(6))),  # still growing slow
        [],
    ],
)
def test_run_is_not_steady_before_that(windows: list[Any]) -> None:
    assert not is_steady(windows)


def long_run(*windows: tuple[float, int, float | None, int | None], ended: str = "steady") -> Sustained:
    whole = (
        Window(start_s=s, inferences=10, median_ns=ns, p95_ns=None, temperature_c=c, freq_khz=khz)
        for s, ns, c, khz in windows
    )
    return Sustained(ended=ended, windows=tuple(whole))


def test_cold_and_sustained_figures_are_of_the_first_seconds_and_the_last_windows() -> None:
    hot = [(60.0 + 5 * number, 1500, 80.0, 1_200_000) for number in range(6)]
    found = cold_and_sustained(long_run((0.0, 980, 45.0, 1_800_000), (5.0, 1020, 60.0, 1_800_000), *hot))
    assert found is not None
    assert (found.cold_ns, found.sustained_ns, found.slowdown) == (1000, 1500, 1.5)
    assert (found.warmer_c, found.slower_khz, found.steady) == (35.0, 600_000, True)


def test_board_that_tells_neither_heat_nor_frequency_gives_none_of_them() -> None:
    found = cold_and_sustained(long_run((0.0, 1000, None, None), ended="limit"))
    assert found is not None
    assert (found.warmer_c, found.slower_khz, found.steady) == (None, None, False)
    assert cold_and_sustained(Sustained(ended="limit", windows=())) is None


def test_sustained_runs_come_after_all_blocks(tmp_path: Path) -> None:
    given = job(cell("a", tmp_path, sustained=True), cell("b", tmp_path), blocks=2, process_timeout_s=700.0)
    kinds = [step.kind for group in schedule(given) for step in group.steps]
    assert kinds[-5:] == ["latency"] * 4 + ["sustained"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rate_hz": 0.0}, "rate_hz is 0; it must be above 0"),
        ({"rate_hz": 5.0, "mode": "count"}, "an emulated board has no rate"),
        ({"mode": "count", "process_timeout_s": 700.0}, "an emulated board has no heat"),
        ({"process_timeout_s": 600.0}, "process_timeout_s is 600; a sustained run needs 600 s and 60 s more"),
        ({"sustained_window_s": 0.0}, "sustained_window_s is 0; it must be above 0 and at most 600"),
    ],
)
def test_job_that_cannot_be_is_one_sentence(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(JobError) as caught:
        job_from_json(job_to_json(job(cell("a", tmp_path, sustained=True), **changes)))
    assert says in str(caught.value)


def test_rate_and_long_run_on_this_machine(tmp_path: Path) -> None:
    given = cell("a", tmp_path, check=False, memory=False, sustained=True)
    events = run_job(
        tmp_path,
        job(given, rate_hz=50.0, iterations=20, sustained_window_s=0.1, sustained_limit_s=1.0, process_timeout_s=61.0),
    )
    (paced,) = of_kind(events, "trial", kind="latency")
    assert (len(paced["samples"]), paced["loop_k"], paced["used"]["period_ns"]) == (20, 1, 20_000_000)
    assert paced["used"]["voluntary_switches"] > 0  # it slept
    (event,) = of_kind(events, "trial", kind="sustained")
    run = event["sustained"]
    assert run["ended"] == "limit"  # nothing is steady before a minute
    assert 2 <= len(run["windows"]) <= 10
    assert [one["start_s"] for one in run["windows"]] == sorted(one["start_s"] for one in run["windows"])
    assert len(event["samples"]) == sum(one["inferences"] for one in run["windows"][-6:])
    for name in ("temperature_c", "freq_khz"):
        assert (name in run["unavailable"]) == (run["windows"][0][name] is None)
    trial = trial_from_event(event)
    assert trial.kind not in FIGURE_KINDS
    assert stored(trial).sustained == trial.sustained
