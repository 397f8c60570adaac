"""The shape of one process's samples: known series give known figures."""

from __future__ import annotations

import numpy as np
import pytest
from hilbench.reports.shape import lag1_autocorrelations, shape, typical_lag1


def test_spread_is_the_median_distance_from_the_median() -> None:
    found = shape(np.array([10, 10, 11, 13, 90], np.int64))
    assert (found.median_ns, found.mad_ns) == (11.0, 1.0)
    assert (found.lag1, found.slope, found.sloped) == (None, None, False)  # five samples say nothing of their order


def test_neighbours_that_resemble_each_other_are_told() -> None:
    rng = np.random.default_rng(1)
    series = [0.0]
    for _ in range(4000):
        series.append(0.8 * series[-1] + rng.normal())
    assert lag1_autocorrelations((np.array(series))[None])[0] == pytest.approx(0.8, abs=0.03)
    assert lag1_autocorrelations((rng.normal(size=4000))[None])[0] == pytest.approx(0.0, abs=0.05)
    assert lag1_autocorrelations((np.ones(30))[None])[0] is None


def test_a_warm_up_that_was_too_short_shows_as_a_slope() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1000, 120)
    assert not shape(np.rint(1e6 + noise).astype(np.int64)).sloped
    assert shape(np.rint(1e6 + noise + np.linspace(2000, 0, 120)).astype(np.int64)).sloped


def test_a_slope_is_found_by_chance_in_about_one_process_of_a_hundred() -> None:
    rng = np.random.default_rng(3)
    found = [shape(np.rint(rng.normal(1e6, 1e4, 60)).astype(np.int64)).sloped for _ in range(2000)]
    assert np.mean(found) <= 0.015


def test_the_typical_dependence_is_the_middle_one_of_those_known() -> None:
    constant = shape(np.full(30, 5, np.int64))
    rising = shape(np.arange(1, 31, dtype=np.int64))
    assert typical_lag1([constant]) is None
    assert typical_lag1([constant, rising]) == rising.lag1
