"""Intervals, tests and adjustments against exact small cases and simulated data with a known truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hilbench.reports.statistics import (
    benjamini_hochberg,
    blocks_needed,
    coefficient_of_variation,
    holm,
    median_estimate,
    normal_quantile,
    shift_estimate,
    signed_rank,
    signed_rank_cdf,
    student_quantile,
    wilson_interval,
)
from hilbench.reports.tails import rank_correlation

RNG_SEED = 20261124


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_signed_rank_distribution_equals_full_enumeration(n: int) -> None:
    sums = [
        sum(rank for rank, sign in enumerate(signs, start=1) if sign) for signs in itertools.product((0, 1), repeat=n)
    ]
    for t in range(n * (n + 1) // 2 + 1):
        assert signed_rank_cdf(t, n) == pytest.approx(sum(s <= t for s in sums) / 2**n, abs=1e-12)


def test_signed_rank_distribution_matches_published_critical_values() -> None:
    # Two-sided 5 %: the largest T whose one-sided probability is at most 0.025 (Wilcoxon's table).
    published = {6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 12: 13, 15: 25, 20: 52, 25: 89}
    for n, critical in published.items():
        assert signed_rank_cdf(critical, n) <= 0.025 < signed_rank_cdf(critical + 1, n)


def test_normal_approximation_joins_the_exact_distribution() -> None:
    # 60 is the last exact size; the approximation one step further must not jump.
    exact, approximate = signed_rank_cdf(640, 60), signed_rank_cdf(640 + 61 * 62 // 4 - 60 * 61 // 4, 61)
    assert approximate == pytest.approx(exact, abs=0.004)


def test_interval_of_a_shift_is_the_range_for_six_differences_and_none_for_five() -> None:
    six = shift_estimate([0.1, 0.4, 0.2, 0.9, 0.3, 0.5])
    assert (six.low, six.high) == (0.1, 0.9)
    five = shift_estimate([0.1, 0.4, 0.2, 0.9, 0.3])
    assert (round(five.value, 12), five.low, five.high, five.n) == (0.3, None, None, 5)


def test_shift_is_the_median_of_walsh_averages() -> None:
    assert list(signed_rank([1.0, 3.0]).walsh) == [1.0, 2.0, 3.0]
    assert shift_estimate([1.0, 3.0]).value == 2.0


def test_interval_and_test_agree() -> None:
    rng = np.random.default_rng(RNG_SEED)
    for _ in range(200):
        d = rng.normal(0.3, 1.0, 9)
        estimate = shift_estimate(d)
        assert estimate.high is not None
        assert estimate.low is not None
        assert (estimate.high < 0) == (signed_rank(d).p_below(0.0) <= 0.025)
        assert (estimate.low > 0) == (signed_rank(d).p_above(0.0) <= 0.025)


def test_median_interval_is_exact_order_statistics() -> None:
    ten = median_estimate([float(v) for v in range(1, 11)])
    assert (ten.value, ten.low, ten.high) == (5.5, 2.0, 9.0)
    assert median_estimate([3.0, 1.0, 2.0]).low is None


@pytest.mark.parametrize("n", [6, 10, 20])
def test_median_interval_covers_the_truth_of_a_skewed_distribution(n: int) -> None:
    rng = np.random.default_rng(RNG_SEED + n)
    truth = math.log(2)  # the median of the standard exponential distribution
    hits = 0
    for _ in range(1500):
        estimate = median_estimate(rng.exponential(1.0, n))
        assert estimate.low is not None
        assert estimate.high is not None
        hits += estimate.low <= truth <= estimate.high
    assert hits / 1500 >= 0.935


def test_holm_adjusts_step_by_step_and_keeps_order() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_benjamini_and_hochberg_adjust_from_the_largest_down() -> None:
    found = benjamini_hochberg({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5})
    assert found == pytest.approx({"a": 0.04, "b": 0.16 / 3, "c": 0.16 / 3, "d": 0.5})
    assert list(found) == ["a", "b", "c", "d"]
    assert benjamini_hochberg({}) == {}


@pytest.mark.parametrize(("comparisons", "blocks"), [(1, 6), (5, 8), (20, 10), (100, 12)])
def test_fewest_blocks_with_which_holm_can_reject(comparisons: int, blocks: int) -> None:
    assert blocks_needed(comparisons) == blocks
    assert 2 * signed_rank_cdf(0, blocks) * comparisons <= 0.05
    assert 2 * signed_rank_cdf(0, blocks - 1) * comparisons > 0.05


def test_quantiles_match_tables() -> None:
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    for freedom, expected in {1: 12.7062, 2: 4.3027, 4: 2.7764, 5: 2.5706, 9: 2.2622, 30: 2.0423}.items():
        assert student_quantile(0.975, freedom) == pytest.approx(expected, abs=1e-4)


def test_wilson_interval_matches_a_worked_example_and_stays_within_bounds() -> None:
    assert wilson_interval(0.98, 100) == pytest.approx((0.92999, 0.99449), abs=1e-5)
    assert wilson_interval(1.0, 50)[1] == pytest.approx(1.0)
    assert wilson_interval(0.0, 50)[0] == pytest.approx(0.0, abs=1e-12)


def test_coefficient_of_variation_needs_two_values() -> None:
    assert coefficient_of_variation([1.0]) is None
    assert coefficient_of_variation([9.0, 11.0]) == pytest.approx(math.sqrt(2) / 10)


def test_statistics_refuse_nothing_and_what_is_not_finite() -> None:
    for bad in ([], [1.0, math.nan], [math.inf]):
        with pytest.raises(ValueError, match="at least one value"):
            median_estimate(bad)


def test_rank_correlation_finds_order_and_ignores_constants() -> None:
    rho, p = rank_correlation([float(v) for v in range(12)])
    assert rho == pytest.approx(1.0)
    assert p < 0.01
    assert rank_correlation([5.0] * 12) == (0.0, 1.0)
