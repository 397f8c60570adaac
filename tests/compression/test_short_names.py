from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.short_names import shorten_names
from hilbench.compression.stepkinds import Int8Static
from onnx import ModelProto, TensorProto, helper, numpy_helper

from .conftest import Digits, SaveModel


def outputs(proto: ModelProto, inputs: dict[str, np.ndarray], **settings: str) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    for key, value in settings.items():
        options.add_session_config_entry(f"session.{key}", value)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, inputs)]


@pytest.fixture
def quantized(save_model: SaveModel, tmp_path: Path) -> ModelProto:
    samples = [{"x": np.random.default_rng(n).random((1, 1, 6, 6), np.float32)} for n in range(4)]
    return quantize_static_int8(onnx.load(save_model()), Int8Static(), samples, tmp_path)


def test_the_model_computes_the_same_and_keeps_its_ports(quantized: ModelProto) -> None:
    short = shorten_names(quantized)
    onnx.checker.check_model(short, full_check=True)
    inputs = {"x": np.random.default_rng(9).random((2, 1, 6, 6), np.float32)}
    assert np.array_equal(outputs(short, inputs)[0], outputs(quantized, inputs)[0])
    assert [value.name for value in (*short.graph.input, *short.graph.output)] == ["x", "y"]
    assert short.ByteSize() < quantized.ByteSize() * 0.6


def test_the_same_file_comes_each_time_and_the_source_stays(quantized: ModelProto) -> None:
    before = quantized.SerializeToString(deterministic=True)
    first = shorten_names(quantized).SerializeToString(deterministic=True)
    assert shorten_names(ModelProto.FromString(before)).SerializeToString(deterministic=True) == first
    assert quantized.SerializeToString(deterministic=True) == before
    assert shorten_names(ModelProto.FromString(first)).SerializeToString(deterministic=True) == first


def test_operators_keep_their_names_for_the_profile(quantized: ModelProto) -> None:
    names = {node.name for node in shorten_names(quantized).graph.node}
    assert {"conv", "pool", "dense"} <= names


def test_the_short_file_loads_where_exact_sums_are_asked_for(digits: Digits, tmp_path: Path) -> None:
    """Zero points of two weights with the same number of channels must not become one."""
    samples = [{"image": np.random.default_rng(n).random((1, 1, 28, 28), np.float32)} for n in range(2)]
    quantized = quantize_static_int8(onnx.load(digits.model.path), Int8Static(), samples, tmp_path)
    exact = outputs(shorten_names(quantized), samples[0], x64quantprecision="1")
    assert np.array_equal(exact[0], outputs(quantized, samples[0], x64quantprecision="1")[0])


def test_names_seen_from_inside_a_branch_are_the_same_as_outside() -> None:
    def branch(factor: str) -> onnx.GraphProto:
        result = helper.make_tensor_value_info(f"scaled by {factor}", TensorProto.FLOAT, (2,))
        return helper.make_graph([helper.make_node("Mul", ["a", factor], [result.name])], factor, [], [result])

    equal = np.full(2, 3, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["an input"], ["a"]),
            helper.make_node("If", ["choice"], ["b"], then_branch=branch("three"), else_branch=branch("also three")),
        ],
        "branches",
        [
            helper.make_tensor_value_info("an input", TensorProto.FLOAT, (2,)),
            helper.make_tensor_value_info("choice", TensorProto.BOOL, ()),
        ],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, (2,))],
        [numpy_helper.from_array(equal, "three"), numpy_helper.from_array(equal, "also three")],
    )
    short = shorten_names(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8))
    assert len(short.graph.initializer) == 1
    for choice in (True, False):
        inputs = {"an input": np.asarray([1, 2], np.float32), "choice": np.asarray(choice)}
        assert outputs(short, inputs)[0].tolist() == [3, 6]
