"""The least detectable effect is that of the test in use, and says when nothing can be detected."""

from __future__ import annotations

import numpy as np
import pytest
from hilbench.reports.detectable import detectable_in_sd, least_detectable_shift
from hilbench.reports.statistics import normal_cdf, signed_rank


@pytest.mark.parametrize(("n", "alpha"), [(6, 0.05), (8, 0.05), (12, 0.05), (12, 0.01), (20, 0.0025), (30, 0.05)])
def test_the_least_detectable_shift_is_found_in_eight_of_ten_repeats(n: int, alpha: float) -> None:
    shift = detectable_in_sd(n, alpha)
    assert shift is not None
    found = [signed_rank(d).p_anywhere() <= alpha for d in np.random.default_rng(n).normal(shift, 1.0, (2000, n))]
    assert np.mean(found) == pytest.approx(0.80, abs=0.03)  # three standard errors of the simulation


def test_with_six_blocks_it_is_the_shift_that_makes_all_six_agree() -> None:
    shift = detectable_in_sd(6)
    assert shift is not None
    assert normal_cdf(shift) ** 6 == pytest.approx(0.80, abs=0.01)


def test_it_is_in_the_unit_of_the_differences() -> None:
    d = 0.01 * np.array([-1.0, 1.0, -2.0, 2.0, -1.0, 1.0, 0.5, -0.5])
    shift, in_sd = least_detectable_shift(d), detectable_in_sd(8)
    assert shift is not None
    assert in_sd is not None
    assert shift == pytest.approx(in_sd * float(np.std(d, ddof=1)))


def test_more_comparisons_hide_more() -> None:
    alone, of_five = detectable_in_sd(12), detectable_in_sd(12, 0.05 / 5)
    assert alone is not None
    assert of_five is not None
    assert of_five > 1.2 * alone


@pytest.mark.parametrize(("n", "comparisons"), [(2, 1), (5, 1), (7, 5), (9, 20)])
def test_too_few_blocks_detect_nothing_however_large(n: int, comparisons: int) -> None:
    assert least_detectable_shift([0.1 * i for i in range(n)], 0.05 / comparisons) is None


def test_the_formula_for_many_blocks_joins_the_simulation() -> None:
    last, first = detectable_in_sd(24), detectable_in_sd(25)
    assert last is not None
    assert first is not None
    assert first * (25 / 24) ** 0.5 == pytest.approx(last, rel=0.03)
