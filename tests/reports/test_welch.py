"""Welch's test is the textbook's, and never bolder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hilbench.reports.welch import welch
from scipy import stats


@pytest.mark.parametrize(("n", "m"), [(6, 6), (6, 20), (3, 2)])
def test_interval_and_p_values_are_those_of_scipy_rounded_to_the_safe_side(n: int, m: int) -> None:
    rng = np.random.default_rng(n * 100 + m)
    a, b = rng.normal(0, 1, n), rng.normal(0.5, 2, m)
    ours = welch(list(a), list(b))
    theirs: Any = stats.ttest_ind(b, a, equal_var=False)
    assert ours is not None
    assert ours.shift == pytest.approx(float(np.mean(b) - np.mean(a)))
    assert ours.shift / ours.error == pytest.approx(theirs.statistic)
    assert ours.freedom <= theirs.df < ours.freedom + 1
    bounds, exact = ours.interval(), theirs.confidence_interval(0.95)
    assert bounds[0] <= exact.low
    assert exact.high <= bounds[1]
    assert 2 * min(ours.p_below(0), ours.p_above(0)) == pytest.approx(
        2 * stats.t.sf(abs(theirs.statistic), ours.freedom), rel=1e-6
    )


def test_one_process_has_no_spread_and_equal_ones_have_none_either() -> None:
    assert welch([1.0], [1.0, 2.0]) is None
    same = welch([1.0, 1.0, 1.0], [1.5, 1.5])
    assert same is not None
    assert same.interval() == (0.5, 0.5)
    assert (same.p_above(0.4), same.p_above(0.5), same.p_below(0.6)) == (0.0, 1.0, 0.0)
