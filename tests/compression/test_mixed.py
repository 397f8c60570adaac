from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hilbench.compression.data import model_inputs
from hilbench.compression.errors import RecipeError, UnsupportedRecipeError
from hilbench.compression.mixed import quantize_mixed_int8
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.sqnr import exact_outputs, sqnr_db
from hilbench.compression.stepkinds import Int8Mixed, Int8Static
from onnx import ModelProto, helper, numpy_helper

from .conftest import Digits, SaveModel

TESTED = 400
CALIBRATED = 32
DEAD = 3  # the channel of the first layer that is made dead
Samples = list[dict[str, np.ndarray]]


def samples_of(digits: Digits, count: int) -> Samples:
    values = model_inputs(digits.calibration, digits.model, digits.task, np.arange(count))["image"]
    return [{"image": values[i : i + 1]} for i in range(count)]


def accuracy(proto: ModelProto, digits: Digits) -> float:
    """The share of right answers with all of onnxruntime's optimizations, as on a board, and exact sums."""
    assert digits.test.labels is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = model_inputs(digits.test, digits.model, digits.task, np.arange(TESTED))["image"]
    logits = np.asarray(session.run(None, {"image": values})[0])
    return float((logits.argmax(1) == digits.test.labels[:TESTED]).mean())


@pytest.fixture(scope="module")
def depthwise(digits: Digits) -> ModelProto:
    """The digits model with a depthwise layer behind its first one, in which one dead channel has a huge weight.

    Training with BatchNorm leaves such layers behind: the variance of a channel that is always 0 is 0, and the folded
    weight is divided by it (T. Sheng et al., "A quantization-friendly separable convolution for MobileNets", arXiv
    1803.08607). With one scale for the whole layer, every other weight then rounds to 0.
    """
    proto = onnx.load(digits.model.path)
    graph, stored = proto.graph, {tensor.name: tensor for tensor in proto.graph.initializer}
    stem = next(node for node in graph.node if node.op_type == "Conv")
    relu = next(node for node in graph.node if node.op_type == "Relu")
    channels = stored[stem.input[1]].dims[0]
    for name in stem.input[1:]:
        values = numpy_helper.to_array(stored[name]).copy()
        values[DEAD] = 0
        stored[name].CopyFrom(numpy_helper.from_array(values, name))
    kernel = np.zeros((channels, 1, 3, 3), np.float32)
    kernel[:, 0, 1, 1] = 1
    kernel[DEAD] = 1000
    for node in graph.node:
        inputs = ["filtered" if name == relu.output[0] else name for name in node.input]
        del node.input[:]
        node.input.extend(inputs)
    graph.initializer.append(numpy_helper.from_array(kernel, "uneven"))
    layer = helper.make_node(
        "Conv", [relu.output[0], "uneven"], ["filtered"], name="depthwise", group=channels, pads=[1, 1, 1, 1]
    )
    graph.node.insert(list(graph.node).index(relu) + 1, layer)
    return proto


def test_the_guilty_layer_is_found_and_mixed_precision_wins_back_what_int8_loses(
    depthwise: ModelProto, digits: Digits, tmp_path: Path
) -> None:
    samples = samples_of(digits, CALIBRATED)
    step = Int8Mixed(float_layers=1, per_channel=False)
    plain = quantize_static_int8(depthwise, Int8Static(per_channel=False), samples, tmp_path)
    mixed, notes = quantize_mixed_int8(depthwise, step, samples, tmp_path)
    before, worst, best = (accuracy(proto, digits) for proto in (depthwise, plain, mixed))
    assert before > 0.95
    assert before - worst >= 0.01
    assert best - worst >= (before - worst) / 2
    assert notes[0] == "int8-mixed: depthwise kept in floats"
    assert "depthwise" in notes[1].split(",")[0]
    assert " dB" in notes[1]
    assert mixed.ByteSize() < depthwise.ByteSize() / 3


def test_an_excluded_layer_is_not_ranked_and_keeps_floats(
    depthwise: ModelProto, digits: Digits, tmp_path: Path
) -> None:
    step = Int8Mixed(float_layers=1, per_channel=False, exclude=("depthwise",))
    mixed, notes = quantize_mixed_int8(depthwise, step, samples_of(digits, 4), tmp_path)
    assert not any("depthwise" in note for note in notes)
    assert "uneven" in floats_of(mixed)


def test_the_ranking_names_every_layer_and_starts_with_the_most_sensitive(
    depthwise: ModelProto, digits: Digits, tmp_path: Path
) -> None:
    _, notes = quantize_mixed_int8(depthwise, Int8Mixed(per_channel=False), samples_of(digits, 4), tmp_path)
    decibels = [float(number) for number in re.findall(r"(-?[\d.]+) dB", notes[1])]
    assert decibels == sorted(decibels)
    assert len(decibels) == sum(node.op_type in ("Conv", "Gemm") for node in depthwise.graph.node)


def test_the_relu_behind_a_float_layer_is_float_too(save_model: SaveModel, tmp_path: Path) -> None:
    """Apart from its layer it would be quantized in front: with a far outlier below 0 nothing would be left above."""

    def with_outlier(proto: ModelProto) -> None:
        kernel = numpy_helper.to_array(proto.graph.initializer[0]).copy()
        kernel[0] = -1e4
        kernel[1] = np.abs(kernel[1])
        proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(kernel, "kernel"))

    proto = onnx.load(save_model(spoil=with_outlier))
    samples = [{"x": np.random.default_rng(n).random((1, 1, 6, 6), np.float32)} for n in range(4)]
    mixed, notes = quantize_mixed_int8(proto, Int8Mixed(float_layers=1, per_channel=False), samples, tmp_path)
    assert notes[0] == "int8-mixed: conv kept in floats"
    assert sqnr_db(exact_outputs(proto, samples), exact_outputs(mixed, samples)) > 30


def floats_of(proto: ModelProto) -> set[str]:
    return {tensor.name for tensor in proto.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}


def test_operators_without_names_are_ranked_too(save_model: SaveModel, tmp_path: Path) -> None:
    def nameless(proto: ModelProto) -> None:
        for node in proto.graph.node:
            node.ClearField("name")

    proto = onnx.load(save_model(spoil=nameless))
    samples = [{"x": np.random.default_rng(n).random((1, 1, 6, 6), np.float32)} for n in range(4)]
    mixed, notes = quantize_mixed_int8(proto, Int8Mixed(float_layers=1), samples, tmp_path)
    assert "QuantizeLinear" in {node.op_type for node in mixed.graph.node}
    assert notes[0] in ("int8-mixed: Conv_0 kept in floats", "int8-mixed: MatMul_4 kept in floats")


def test_keeping_every_layer_in_floats_is_unsupported(save_model: SaveModel, tmp_path: Path) -> None:
    samples = [{"x": np.ones((1, 1, 6, 6), np.float32)}]
    with pytest.raises(UnsupportedRecipeError, match=r"keep all 2 layers in floats: `float_layers` must be below that"):
        quantize_mixed_int8(onnx.load(save_model()), Int8Mixed(float_layers=2), samples, tmp_path)


def test_an_unknown_layer_in_exclude_is_refused(save_model: SaveModel, tmp_path: Path) -> None:
    samples = [{"x": np.ones((1, 1, 6, 6), np.float32)}]
    with pytest.raises(RecipeError, match="`exclude` names `conf`, which is no layer"):
        quantize_mixed_int8(onnx.load(save_model()), Int8Mixed(exclude=("conf",)), samples, tmp_path)


@pytest.mark.parametrize("calibrate", ["entropy", "percentile"])
def test_the_other_calibrations_rank_too(calibrate: str, save_model: SaveModel, tmp_path: Path) -> None:
    samples = [{"x": np.random.default_rng(n).random((1, 1, 6, 6), np.float32)} for n in range(4)]
    step = Int8Mixed(float_layers=1, calibrate=calibrate, activation="s8")
    mixed, _ = quantize_mixed_int8(onnx.load(save_model()), step, samples, tmp_path)
    assert "QuantizeLinear" in {node.op_type for node in mixed.graph.node}


def test_sqnr_is_ten_log_ten_of_signal_over_noise_power() -> None:
    signal = np.full(10, 10.0, np.float32)
    assert sqnr_db([signal], [signal + 1]) == pytest.approx(20)
    assert sqnr_db([signal, signal], [signal + 1, signal]) == pytest.approx(20 + 10 * math.log10(2))
    assert sqnr_db([signal], [signal]) == math.inf


def test_only_the_named_types_of_operators_compute_in_8_bits(digits: Digits, tmp_path: Path) -> None:
    step = Int8Static(operators=("Conv",))
    made = quantize_static_int8(onnx.load(digits.model.path), step, samples_of(digits, 4), tmp_path)
    producers = {name: node for node in made.graph.node for name in node.output}

    def in_8_bits(kind: str) -> set[bool]:
        """Whether the first input of each operator of a kind comes out of 8 bits."""
        firsts = [producers.get(node.input[0]) for node in made.graph.node if node.op_type == kind]
        return {first is not None and first.op_type == "DequantizeLinear" for first in firsts}

    assert in_8_bits("Conv") == {True}
    assert in_8_bits("Gemm") == {False}
    with pytest.raises(
        RecipeError, match=r"`operators` names `Convv`, which the model has none of. Did you mean `Conv`"
    ):
        quantize_static_int8(onnx.load(digits.model.path), Int8Static(operators=("Convv",)), [], tmp_path)
