"""The digits model itself: half of its channels cut, distilled on a part of its data, then in 8 bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.compression.apprenticeship import Apprenticeship
from hilbench.compression.data import load_data, model_inputs
from hilbench.compression.model import load_proto
from hilbench.compression.prune_channels import prune_channels
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.sessions import open_proto
from hilbench.compression.stepkinds import Int8Static, PruneChannels
from hilbench.compression.train_step import train
from hilbench.compression.trainsteps import Distil
from onnx import ModelProto

from ..conftest import DIGITS, Digits

SAMPLES = 2000  # of 7,000: a quarter of the time, and 2 points of accuracy


def accuracy(proto: ModelProto, digits: Digits) -> float:
    images = model_inputs(digits.test, digits.model, digits.task)
    answers = open_proto(proto, doing="test")(images)["logits"]
    return float((answers.argmax(1) == digits.test.labels).mean())


@pytest.fixture(scope="session")
def apprenticeship(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Apprenticeship:
    whole = load_data(DIGITS / "digits-train.npz", digits.model, digits.task)
    assert whole.labels is not None
    part = replace(whole, arrays={"images": whole.arrays["images"][:SAMPLES]}, labels=whole.labels[:SAMPLES])
    return Apprenticeship(
        model=digits.model,
        task=digits.task,
        train=part,
        teacher=load_proto(digits.model),
        checkpoints=tmp_path_factory.mktemp("digits"),
        doing="lean of digits",
    )


def test_half_the_channels_distilled_and_in_8_bits_is_a_tenth_of_the_file(
    digits: Digits, apprenticeship: Apprenticeship, tmp_path: Path
) -> None:
    cut, notes = prune_channels(apprenticeship.teacher, PruneChannels(), apprenticeship, digits.calibration)
    assert "9403904 multiply-accumulates 2379520 (4.0x fewer)" in notes[0]
    distilled, _ = train(cut, Distil(epochs=4, learning_rate=0.01), apprenticeship)
    inputs = model_inputs(digits.calibration, digits.model, digits.task)
    samples = [{name: values[i : i + 1] for name, values in inputs.items()} for i in range(100)]
    small = quantize_static_int8(distilled, Int8Static(), samples, tmp_path)
    assert digits.model.bytes / small.ByteSize() > 10
    assert accuracy(distilled, digits) > 0.95
    assert accuracy(small, digits) > 0.95
