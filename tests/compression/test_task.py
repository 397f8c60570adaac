from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hilbench.compression.errors import CompressionError, ModelError, RecipeError
from hilbench.compression.task import Preprocessing, Task, max_abs_diff, preprocess, subset_indices
from hilbench.compression.tensor import TensorSpec
from hilbench.compression.userfunction import FunctionName


def test_the_largest_difference_is_over_all_outputs() -> None:
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
    with pytest.raises(RecipeError, match=r"`classification` has no metric `top3`.*Allowed: top1, top5"):
        Task(kind="classification", metrics=("top3",))


def test_a_kind_needs_what_belongs_to_it() -> None:
    with pytest.raises(RecipeError, match="A `custom` task names a function as its `metric`"):
        Task(kind="custom")
    with pytest.raises(RecipeError, match="needs `characters`"):
        Task(kind="text-recognition")
    function = FunctionName(written="metrics.py:iou", folder=Path())
    assert Task(kind="custom", function=function).metric == "custom:iou"
    assert [Task(kind=kind).metric for kind in ("classification", "agreement", "none")] == ["top1", "agreement", None]
