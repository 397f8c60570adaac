from __future__ import annotations

import numpy as np
import pytest
from hilbench.compression.errors import CompressionError, ModelError, RecipeError
from hilbench.compression.task import (
    Preprocessing,
    Task,
    agreement,
    max_abs_diff,
    preprocess,
    score,
    subset_indices,
    top1,
    wilson_interval,
)
from hilbench.compression.tensor import TensorSpec


@pytest.mark.parametrize(
    ("right", "samples", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_equals_published_values(right: int, samples: int, low: float, high: float) -> None:
    assert wilson_interval(right, samples) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_has_a_width_where_all_is_right() -> None:
    low, high = wilson_interval(100, 100)
    assert 0.95 < low < high == 1.0


def test_top1_takes_the_first_of_equal_scores_and_ignores_trailing_ones() -> None:
    outputs = np.array([[0.1, 0.9, 0.9], [3.0, 1.0, 2.0]], np.float32)
    assert top1(outputs).tolist() == [1, 0]
    assert top1(outputs.reshape(2, 3, 1, 1)).tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(2, 1), (2, 3, 4), (2,)])
def test_top1_refuses_outputs_that_are_no_classes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"a classifier gives \[N, classes\]"):
        top1(np.zeros(shape, np.float32))


def test_top1_refuses_nan() -> None:
    with pytest.raises(CompressionError, match="NaN"):
        top1(np.array([[np.nan, 1.0]]))


def test_score_counts_right_answers() -> None:
    result = score(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 0]))
    assert (result.accuracy, result.samples) == (0.75, 4)
    assert result.ci_low < 0.75 < result.ci_high


def test_agreement_and_largest_difference() -> None:
    assert agreement(np.array([1, 2, 3, 4]), np.array([1, 2, 0, 0])) == 0.5
    one = {"y": np.array([1.0, -2.0]), "z": np.array([3], np.uint8)}
    assert max_abs_diff(one, {"y": np.array([1.0, 2.0]), "z": np.array([5], np.uint8)}) == 4.0
    with pytest.raises(CompressionError, match="`y` holds NaN"):
        max_abs_diff(one, {**one, "y": np.array([np.nan, 0.0])})
    with pytest.raises(ModelError, match="names or shapes"):
        max_abs_diff(one, {"y": one["y"]})


def test_a_subset_is_fixed_by_its_seed_and_part_of_a_larger_one() -> None:
    # Written down: a run that is resumed elsewhere must choose the same images.
    assert subset_indices(20, 5, 1).tolist() == [4, 7, 8, 11, 17]
    assert set(subset_indices(20, 5, 1)) < set(subset_indices(20, 9, 1))
    assert subset_indices(20, 5, 1).tolist() != subset_indices(20, 5, 2).tolist()
    assert subset_indices(3, 100, 1).tolist() == [0, 1, 2]


def test_preprocessing_scales_then_normalises_each_channel() -> None:
    images = np.array([[[[0, 255, 51]]]], np.uint8)  # [1, 1, 1, 3]
    spec = TensorSpec(name="x", shape=(None, 3, 1, 1), dtype="float32")
    wanted = Preprocessing(scale=1 / 255, mean=(0.0, 0.5, 0.1), std=(1.0, 0.5, 0.1))
    assert preprocess(images, spec, wanted).ravel() == pytest.approx([0.0, 1.0, 1.0])


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (None, 3, 4, 5)), ("NHWC", (None, 4, 5, 3))])
def test_colour_images_are_brought_into_the_layout_of_the_model(layout: str, shape: tuple[int | None, ...]) -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    spec = TensorSpec(name="x", shape=shape, dtype="float32")
    values = preprocess(images, spec, Preprocessing(layout=layout))
    pixel = values[1, :, 2, 3] if layout == "NCHW" else values[1, 2, 3, :]
    assert pixel.tolist() == images[1, 2, 3].tolist()


def test_images_of_another_size_are_refused_with_both_shapes() -> None:
    spec = TensorSpec(name="x", shape=(None, 1, 28, 28), dtype="float32")
    with pytest.raises(ModelError, match=r"\[\?, 32, 32\], which does not fit input `x` \[\?, 1, 28, 28\]"):
        preprocess(np.zeros((4, 32, 32), np.uint8), spec, Preprocessing())


def test_a_mean_for_other_channels_is_refused() -> None:
    spec = TensorSpec(name="x", shape=(None, 1, 2, 2), dtype="float32")
    with pytest.raises(ModelError, match="`mean` has 3 values, but the images have 1 channels"):
        preprocess(np.zeros((1, 2, 2), np.uint8), spec, Preprocessing(mean=(1, 2, 3)))


def test_scaling_does_not_apply_to_integer_inputs() -> None:
    spec = TensorSpec(name="x", shape=(None, 2, 2, 1), dtype="uint8")
    assert preprocess(np.ones((1, 2, 2), np.uint8), spec, Preprocessing(layout="NHWC")).dtype == np.uint8
    with pytest.raises(ModelError, match="takes uint8: `scale`"):
        preprocess(np.ones((1, 2, 2), np.uint8), spec, Preprocessing(layout="NHWC", scale=0.5))


def test_unknown_words_are_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"Unknown task `classificaton`. Did you mean `classification`\?"):
        Task(kind="classificaton")
    with pytest.raises(RecipeError, match=r"`layout` is `NHCW`.*Allowed: NCHW, NHWC"):
        Preprocessing(layout="NHCW")
