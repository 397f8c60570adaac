"""The golden gate lets rounding pass and stops wrong answers."""

from __future__ import annotations

import numpy as np
import pytest
from hilbench.harness.gate import GateResult, agreement_reason, compare
from numpy.typing import NDArray

SCORES = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)


def gate(
    board: NDArray[np.generic], *, host: NDArray[np.generic] = SCORES, quantized: bool = False, answers: bool = False
) -> GateResult:
    return compare({"y": board}, {"y": host}, quantized=quantized, judged_by_answers=answers)


def test_rounding_passes() -> None:
    result = gate(SCORES + 1e-6)
    assert result.reason is None
    assert result.max_abs_diff is not None
    assert 0 < result.max_abs_diff < 1e-5


def test_a_difference_counts_against_the_largest_value_of_its_own_output() -> None:
    boxes = np.array([[500.0, -300.0]], np.float32)
    swapped = compare(
        {"boxes": boxes, "scores": np.array([[0.1, 0.9]])},
        {"boxes": boxes, "scores": np.array([[0.9, 0.1]])},
        quantized=False,
        judged_by_answers=False,
    )
    assert swapped.reason is not None
    assert "output scores differs" in swapped.reason
    assert gate(SCORES + 0.01).reason is None
    assert gate(SCORES + 0.1).reason is not None
    assert gate(SCORES + 0.1, quantized=True).reason is None


def test_where_answers_are_judged_raw_scores_alone_stop_nothing() -> None:
    assert gate(SCORES + 0.5, answers=True).reason is None
    assert agreement_reason(0.95) is None
    assert agreement_reason(0.85) == "the board gives this machine's answer on only 85% of the images"


@pytest.mark.parametrize("answers", [False, True])
def test_what_is_no_number_or_has_another_shape_is_stopped_in_any_case(answers: bool) -> None:
    wrong = SCORES.copy()
    wrong[0, 0] = np.nan
    assert gate(wrong, answers=answers).reason == "output y on the board is not made of finite numbers"
    other = gate(SCORES[:2], answers=answers)
    assert other.reason is not None
    assert "has the shape (2, 2) on the board, (4, 2)" in other.reason
    assert other.max_abs_diff is None


def test_outputs_of_other_names_are_stopped() -> None:
    result = compare({"a": SCORES}, {"b": SCORES}, quantized=False, judged_by_answers=True)
    assert result.reason == "the board gives ['a'], this machine ['b']"
