"""The golden gate lets rounding pass and stops wrong answers."""

from __future__ import annotations

import numpy as np
from hilbench.harness.gate import compare

SCORES = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)


def test_rounding_passes() -> None:
    result = compare([SCORES + 1e-6], [SCORES], classes=True, quantized=False)
    assert result.reason is None
    assert result.agreement == 1.0
    assert 0 < result.max_abs_diff < 1e-5


def test_other_answers_are_stopped() -> None:
    result = compare([SCORES[:, ::-1]], [SCORES], classes=True, quantized=False)
    assert result.reason == "the board gives the host's answer on only 0% of the inputs"


def test_not_a_number_is_stopped() -> None:
    wrong = SCORES.copy()
    wrong[0, 0] = np.nan
    assert (
        compare([wrong], [SCORES], classes=True, quantized=False).reason
        == "outputs on the board are not finite numbers"
    )


def test_other_shapes_are_stopped() -> None:
    result = compare([SCORES[:2]], [SCORES], classes=False, quantized=False)
    assert result.reason is not None
    assert "other shapes" in result.reason


def test_without_classes_the_difference_counts_against_the_largest_output() -> None:
    assert compare([SCORES + 0.01], [SCORES], classes=False, quantized=False).reason is None
    assert compare([SCORES + 0.1], [SCORES], classes=False, quantized=False).reason is not None
    assert compare([SCORES + 0.1], [SCORES], classes=False, quantized=True).reason is None
