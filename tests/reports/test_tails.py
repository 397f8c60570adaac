"""Percentiles, outliers and drift of iterations."""

from __future__ import annotations

import numpy as np
import pytest
from hilbench.reports.shape import drift_within, outliers, shapes
from hilbench.reports.tails import LEAST_ITERATIONS, percentiles


@pytest.mark.parametrize("percent", [90, 95, 99])
def test_percentile_needs_enough_iterations(percent: int) -> None:
    least = LEAST_ITERATIONS[percent]
    values = np.arange(1, least + 1, dtype=np.int64)
    assert percentiles([values[:-1]])[percent] is None
    assert percentiles([values[: least // 2], values[least // 2 :]])[percent] is not None


@pytest.mark.parametrize("percent", [90, 95, 99])
def test_least_iterations_bound_the_percentile_with_99_percent_confidence(percent: int) -> None:
    # With n iterations and one allowed above it: P(at most one of n above the percentile) must be at most 1 %.
    n, q = LEAST_ITERATIONS[percent], percent / 100
    assert q**n + n * q ** (n - 1) * (1 - q) <= 0.01


def test_percentile_is_a_measured_value() -> None:
    values = np.arange(1, 201, dtype=np.int64)
    assert percentiles([values])[90] == 180.0
    assert percentiles([values])[95] == 190.0


def test_a_process_with_more_iterations_does_not_weigh_more() -> None:
    fast = np.full(9000, 100, np.int64)
    slow = np.full(100, 500, np.int64)
    # Half of all processes are slow, so nine of ten inferences of a random process are not fast.
    assert percentiles([fast, slow])[90] == 500.0


def test_outliers_are_counted_against_their_own_process() -> None:
    quiet = np.array([100, 101, 102, 103, 104, 105, 106, 107], np.int64)
    noisy = np.append(quiet + 1000, [1116, 1300])
    found = outliers(shapes([quiet, noisy]))
    assert (found.mild, found.severe, found.samples) == (1, 1, 18)
    assert outliers(shapes([np.append(quiet, 5000)])).severe == 1


def test_drift_is_reported_when_most_processes_show_it() -> None:
    rng = np.random.default_rng(3)
    steady = [np.rint(1e6 * (1 + rng.normal(0, 0.01, 100))).astype(np.int64) for _ in range(6)]
    rising = [np.rint(1e6 * (1 + np.linspace(0, 0.05, 100) + rng.normal(0, 0.01, 100))).astype(np.int64)] * 6
    assert drift_within(shapes(steady)) is None
    assert drift_within(shapes(rising)) == pytest.approx(0.0375, abs=0.01)
    assert drift_within(shapes([*rising[:2], *steady[:4]])) is None


@pytest.mark.parametrize(("processes", "size"), [(1, 64), (1, 700), (7, 100), (10, 100), (13, 77), (30, 23)])
def test_percentiles_of_equal_processes_are_the_nearest_rank_of_all(processes: int, size: int) -> None:
    rng = np.random.default_rng(processes)
    samples = [rng.integers(1, 10**9, size) for _ in range(processes)]
    ordered = sorted(int(value) for one in samples for value in one)
    for percent, least in LEAST_ITERATIONS.items():
        rank = -(-percent * len(ordered) // 100)  # the least whole number that is not below
        assert percentiles(samples)[percent] == (ordered[rank - 1] if len(ordered) >= least else None)
