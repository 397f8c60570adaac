from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hilbench.compression import quantize
from hilbench.compression.float_layers import keep_floats
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.sqnr import exact_outputs
from hilbench.compression.stepkinds import Int8Static
from onnx import ModelProto, TensorProto, helper, numpy_helper

IMAGES = np.random.default_rng(5).random((4, 4, 6, 6), np.float32)


def three_layers(activation: str) -> ModelProto:
    """Three 3 x 3 convolutions of four channels, each followed by the activation."""
    generator = np.random.default_rng(3)
    stored = [
        numpy_helper.from_array(generator.standard_normal((4, 4, 3, 3)).astype(np.float32), f"w{n}") for n in range(3)
    ]
    stored.append(numpy_helper.from_array(np.asarray(6, np.float32), "six"))
    nodes: list[onnx.NodeProto] = []
    last = "x"
    for number in range(3):
        output = f"t{number}" if number < 2 else "y"
        between = output if activation == "none" else f"c{number}"
        nodes.append(helper.make_node("Conv", [last, f"w{number}"], [between], name=f"conv{number}", pads=[1, 1, 1, 1]))
        if activation != "none":
            inputs = [between, "", "six"] if activation == "Clip" else [between]
            nodes.append(helper.make_node(activation, inputs, [output], name=f"act{number}"))
        last = output
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", 4, 6, 6)) for name in "xy"]
    graph = helper.make_graph(nodes, "three", ports[:1], ports[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def loaded_operators(proto: ModelProto, folder: Path) -> Counter[str]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "loaded.onnx")
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "loaded.onnx").graph.node)


@pytest.mark.parametrize("activation", ["none", "Relu", "Clip"])
def test_a_float_layer_between_quantized_ones_is_not_quantized_at_load_time(
    activation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [{"x": IMAGES[i : i + 1]} for i in range(len(IMAGES))]
    step = Int8Static(exclude=("conv1",))
    kept = quantize_static_int8(three_layers(activation), step, samples, tmp_path)
    monkeypatch.setattr(quantize, "keep_floats", lambda proto: proto)
    quantized = quantize_static_int8(three_layers(activation), step, samples, tmp_path)
    onnx.checker.check_model(kept, full_check=True)
    assert loaded_operators(quantized, tmp_path)["QLinearConv"] == 3  # why this is needed: onnxruntime's own doing
    assert loaded_operators(kept, tmp_path)["QLinearConv"] == 2
    assert np.array_equal(exact_outputs(kept, samples)[0], exact_outputs(quantized, samples)[0])


def test_a_model_without_such_a_layer_stays_as_it_is(tmp_path: Path) -> None:
    samples = [{"x": IMAGES[:1]}]
    source = three_layers("Relu")
    quantized = quantize_static_int8(source, Int8Static(), samples, tmp_path)
    assert keep_floats(quantized) == quantized
    assert keep_floats(source) == source
