"""Our own small distributions against scipy's. scipy is a tool of the tests only: 114 MB for what is 200 lines here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hilbench.reports.statistics import (
    benjamini_hochberg,
    signed_rank,
    student_cdf,
    student_quantile,
    wilson_interval,
)
from hilbench.reports.tails import rank_correlation
from scipy import stats as scipy_stats

stats: Any = scipy_stats  # its types say less than it gives


@pytest.mark.parametrize("n", [6, 9, 12, 30])
def test_signed_rank_p_values_are_scipys_exact_ones(n: int) -> None:
    for d in np.random.default_rng(n).normal(0.2, 1.0, (50, n)):
        own = signed_rank(d)
        for bound in (0.0, 0.1):
            below = stats.wilcoxon(d - bound, alternative="less", method="exact").pvalue
            above = stats.wilcoxon(d - bound, alternative="greater", method="exact").pvalue
            assert (own.p_below(bound), own.p_above(bound)) == pytest.approx((below, above), abs=1e-12)
        assert own.p_anywhere() == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, abs=1e-12)


def test_students_t_is_scipys() -> None:
    for freedom in (1, 2, 5, 11, 40):
        for p in (0.8, 0.975, 0.9995):
            assert student_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9)
        assert student_cdf(-1.3, freedom) == pytest.approx(stats.t.cdf(-1.3, freedom), abs=1e-12)


def test_wilsons_interval_is_scipys() -> None:
    for k, n in ((0, 20), (19, 20), (1970, 2000)):
        own, theirs = wilson_interval(k / n, n), stats.binomtest(k, n).proportion_ci(method="wilson")
        assert own == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_the_adjustment_for_exploration_is_scipys() -> None:
    p = np.random.default_rng(1).uniform(0, 1, 30) ** 2
    own = benjamini_hochberg({f"{i:02d}": float(value) for i, value in enumerate(p)})
    assert list(own.values()) == pytest.approx(list(stats.false_discovery_control(p)))


def test_rank_correlation_is_scipys_and_its_p_value_nearly() -> None:
    values = np.random.default_rng(2).normal(0, 1, 60) + np.linspace(0, 1, 60)
    rho, p = rank_correlation(values)
    theirs = stats.spearmanr(np.arange(60), values)
    assert rho == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue, abs=0.01)
