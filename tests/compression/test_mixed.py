from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from hilbench.compression.data import model_inputs
from hilbench.compression.errors import RecipeError, UnsupportedRecipeError
from hilbench.compression.mixed import quantize_mixed_int8, sensitivities
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
    assert digits.test.labels is not None
    values = model_inputs(digits.test, digits.model, digits.task, np.arange(TESTED))["image"]
    logits = exact_outputs(proto, [{"image": values}])[0][0]
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
    samples = samples_of(digits, 4)
    ranking = sensitivities(depthwise, step, samples, tmp_path)
    assert "depthwise" not in [found.layer for found in ranking]
    mixed, _ = quantize_mixed_int8(depthwise, step, samples, tmp_path)
    floats = {tensor.name for tensor in mixed.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    assert {"uneven"} <= floats


def test_the_ranking_starts_with_the_most_sensitive_layer(
    depthwise: ModelProto, digits: Digits, tmp_path: Path
) -> None:
    ranking = sensitivities(depthwise, Int8Mixed(per_channel=False), samples_of(digits, 4), tmp_path)
    assert [found.sqnr_db for found in ranking] == sorted(found.sqnr_db for found in ranking)
    weighted = [node for node in depthwise.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(ranking) == len(weighted)


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
