from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hilbench.compression.errors import RecipeError, UnsupportedRecipeError
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.short_names import shorten_names
from hilbench.compression.stepkinds import Int8Static
from hilbench.compression.students import student
from hilbench.compression.tensor import TensorSpec
from hilbench.compression.torch_export import export_onnx
from hilbench.compression.trainsteps import STUDENTS
from torch import nn

IMAGE = TensorSpec(name="image", shape=(None, 1, 28, 28), dtype="float32")
LOGITS = TensorSpec(name="logits", shape=(None, 10), dtype="float32")
# A fiftieth of the committed digits model's 1,218,498 bytes
SMALLEST_BYTES = 1_218_498 // 50


@pytest.mark.parametrize("name", STUDENTS)
@pytest.mark.parametrize(("channels", "height", "width", "classes"), [(1, 28, 28, 10), (3, 33, 47, 7), (2, 8, 8, 2)])
def test_a_student_takes_and_gives_what_the_specs_say(
    name: str, channels: int, height: int, width: int, classes: int
) -> None:
    inputs = replace(IMAGE, shape=(1, channels, height, width))
    made = student(name, inputs, replace(LOGITS, shape=(1, classes)), seed=1).eval()
    assert made(torch.zeros(3, channels, height, width)).shape == (3, classes)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_seed_decides_the_weights_and_leaves_the_random_numbers_of_the_process(name: str) -> None:
    def weights(seed: int) -> np.ndarray:
        return (
            torch.cat([value.flatten().float() for value in student(name, IMAGE, LOGITS, seed).parameters()])
            .detach()
            .numpy()
        )

    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    first = weights(1)
    assert torch.equal(torch.rand(4), expected)
    assert np.array_equal(first, weights(1))
    assert not np.array_equal(first, weights(2))


def test_the_mobile_student_filters_each_channel_alone_and_then_mixes_them() -> None:
    convolutions = [m for m in student("mobile-digits", IMAGE, LOGITS, 1).modules() if isinstance(m, nn.Conv2d)]
    stem, *blocks = convolutions
    assert stem.groups == 1
    for depthwise, pointwise in zip(blocks[::2], blocks[1::2], strict=True):
        assert depthwise.groups == depthwise.in_channels == depthwise.out_channels
        assert depthwise.kernel_size == (3, 3)
        assert (pointwise.groups, pointwise.kernel_size) == (1, (1, 1))


def test_the_squeeze_student_has_fires_and_no_matrix() -> None:
    made = student("squeeze-digits", IMAGE, LOGITS, 1)
    assert not any(isinstance(module, nn.Linear) for module in made.modules())
    fires = [module for module in made.modules() if hasattr(module, "squeeze")]
    assert fires
    for fire in fires:
        squeeze, narrow, wide = (getattr(fire, part)[0] for part in ("squeeze", "narrow", "wide"))
        assert squeeze.out_channels < narrow.out_channels + wide.out_channels
        assert [conv.kernel_size for conv in (squeeze, narrow, wide)] == [(1, 1), (1, 1), (3, 3)]


def test_the_squeeze_student_in_8_bits_is_a_fiftieth_of_the_digits_model(tmp_path: Path) -> None:
    made = student("squeeze-digits", IMAGE, LOGITS, 1).eval()
    proto = export_onnx(made, [IMAGE], ["logits"], doing="export")
    generator = np.random.default_rng(1)
    samples = [{"image": generator.random((1, 1, 28, 28), np.float32)} for _ in range(4)]
    quantized = quantize_static_int8(proto, Int8Static(), samples, tmp_path)
    assert quantized.ByteSize() > SMALLEST_BYTES  # with the quantizer's long names
    assert shorten_names(quantized).ByteSize() <= SMALLEST_BYTES


def test_an_unknown_student_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match=r"Unknown student `squeeze-digit`.*squeeze-digits"):
        student("squeeze-digit", IMAGE, LOGITS, 1)


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        (
            replace(IMAGE, shape=(None, 12)),
            LOGITS,
            r"takes pictures \[N, channels, height, width\].*`image` is \[\?, 12\]",
        ),
        (replace(IMAGE, shape=(None, 1, 7, 28)), LOGITS, "at least 8 x 8"),
        (replace(IMAGE, dtype="uint8"), LOGITS, "of uint8"),
        (IMAGE, replace(LOGITS, shape=(None, 5, 10)), r"output `logits` is \[\?, 5, 10\]"),
        (IMAGE, replace(LOGITS, shape=(None, 1)), "scores of classes"),
    ],
)
def test_what_is_no_picture_classifier_is_unsupported(inputs: TensorSpec, outputs: TensorSpec, words: str) -> None:
    with pytest.raises(UnsupportedRecipeError, match=words):
        student("mobile-digits", inputs, outputs, 1)
