from __future__ import annotations

import numpy as np
import pytest
from hilbench.compression.errors import CompressionError
from hilbench.compression.fidelity import TOLERANCES, check, compare, relative_error

BEFORE = {"logits": np.array([[0.0, 4.0, 1.0], [2.0, -4.0, 0.0]], np.float32)}


def shifted(by: float) -> dict[str, np.ndarray]:
    return {"logits": BEFORE["logits"] + np.float32(by)}


def test_the_figures_are_those_of_their_definitions() -> None:
    found = compare(BEFORE, shifted(0.5))

    assert found.max_abs == 0.5
    assert found.rel == 0.5 / 8
    assert found.sqnr_db == pytest.approx(10 * np.log10((16 + 1 + 4 + 16) / (6 * 0.25)))
    assert found.agreement == 1.0


def test_equal_outputs_have_no_noise() -> None:
    found = compare(BEFORE, BEFORE)

    assert (found.max_abs, found.rel, found.sqnr_db) == (0.0, 0.0, float("inf"))


def test_of_several_outputs_the_worst_counts() -> None:
    before = BEFORE | {"other": np.ones((2, 4), np.float32)}
    after = BEFORE | {"other": np.ones((2, 4), np.float32) * 2}

    found = compare(before, after)

    assert found.rel == 1.0
    assert found.sqnr_db == pytest.approx(0.0)


def test_agreement_counts_the_largest_entry_and_leaves_maps_out() -> None:
    swapped = {"logits": BEFORE["logits"][:, ::-1].copy()}
    assert compare(BEFORE, swapped).agreement == 0.5  # the middle stays, the first becomes the last

    picture = {"map": np.zeros((1, 1, 4, 4), np.float32)}
    assert compare(picture, picture).agreement is None


def test_a_constant_output_is_measured_by_its_magnitude() -> None:
    assert relative_error(np.array([4.0]), np.array([5.0])) == 0.25
    assert relative_error(np.zeros(3), np.ones(3)) == float("inf")


def test_a_changed_shape_or_a_lost_output_is_refused() -> None:
    with pytest.raises(CompressionError, match=r"`logits` from the shape \[2, 3\] to \[2, 2\]"):
        compare(BEFORE, {"logits": np.zeros((2, 2), np.float32)})
    with pytest.raises(CompressionError, match=r"`logits` from the shape .* to nothing"):
        compare(BEFORE, {})


def test_a_conversion_may_move_a_thousandth_of_the_range() -> None:
    check("tflite", compare(BEFORE, shifted(0.007)))
    with pytest.raises(
        CompressionError, match=r"^tflite: the outputs moved by 0.0011 of their range; 0.001 is allowed"
    ):
        check("tflite", compare(BEFORE, shifted(0.009)))


@pytest.mark.parametrize("kind", ["int8-static", "int8-dynamic", "int8-mixed"])
def test_eight_bits_must_leave_five_decibels(kind: str) -> None:
    check(kind, compare(BEFORE, shifted(1.0)))
    with pytest.raises(
        CompressionError, match=r"signal to noise -1\.\d dB, at least 5 dB is wanted, 100.0% of the answers"
    ):
        check(kind, compare(BEFORE, shifted(2.8)))


def test_a_figure_that_is_no_number_passes_no_limit() -> None:
    found = compare(BEFORE, shifted(float("nan")))

    for kind in TOLERANCES:
        with pytest.raises(CompressionError):
            check(kind, found)


def test_pruning_may_move_anything() -> None:
    check("prune-l1", compare(BEFORE, shifted(100.0)))
