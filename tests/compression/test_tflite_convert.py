from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hilbench.compression import litert_convert, tflite_convert
from hilbench.compression.errors import CompressionError, UnsupportedRecipeError
from hilbench.compression.fidelity import check, compare
from hilbench.compression.interface_search import find_interface
from hilbench.compression.litert_convert import convert_program
from hilbench.compression.model import load_proto, read_model
from hilbench.compression.tflite_convert import convert_onnx, with_fixed_shapes
from hilbench.compression.tflite_file import read_tflite
from hilbench.compression.tflite_ports import read_ports
from hilbench.compression.toolenv import TFLITE_RUNTIME, Say, Tool, tool_env
from onnx import ModelProto, TensorProto, helper, numpy_helper

from .conftest import SaveModel
from .tflite_files import DIGITS, RUNTIMES, answers, digit_pictures, digits_onnx_logits, digits_tflite


def two_inputs() -> ModelProto:
    """`b` (3 x 8 x 8) through a convolution, `a` (8 x 8 x 8) through another, their sum and its mean over channels."""
    generator = np.random.default_rng(7)
    weights = {
        "wb": generator.standard_normal((8, 3, 3, 3)).astype(np.float32),
        "wa": generator.standard_normal((8, 8, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["b", "wb"], ["cb"], pads=[1, 1, 1, 1], name="conv_b"),
        helper.make_node("Conv", ["a", "wa"], ["ca"], name="conv_a"),
        helper.make_node("Add", ["ca", "cb"], ["map"], name="sum"),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["mean"], name="flat"),
    ]
    graph = helper.make_graph(
        nodes, "two",
        [
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ("n", 3, 8, 8)),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ("n", 8, 8, 8)),
        ],
        [
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ("n", 8)),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ("n", 8, 8, 8)),
        ],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def without_the_tool(tool: Tool, *, say: Say) -> Path:
    """A Python that cannot do the work."""
    return tool_env(TFLITE_RUNTIME, say=say)


def test_the_digits_model_becomes_channels_last_for_one_picture() -> None:
    inputs, outputs = read_tflite(digits_tflite(), where="digits")

    assert [(spec.shape, spec.dtype) for spec in inputs] == [((1, 28, 28, 1), "float32")]
    assert [(spec.shape, spec.dtype) for spec in outputs] == [((1, 10), "float32")]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_its_answers_stay_within_the_tolerance_of_a_conversion(runtime: str) -> None:
    model = read_model(DIGITS / "digits.onnx")
    pictures, logits = {"image": digit_pictures()}, {"logits": digits_onnx_logits()}
    interface = find_interface(
        model.inputs, read_ports(digits_tflite(), where="digits"), inputs=pictures, reference=logits,
        run=lambda inputs: answers(digits_tflite(), dict(inputs), runtime), doing="Testing",
    )  # fmt: skip

    found = interface.from_file(answers(digits_tflite(), interface.to_file(pictures), runtime))

    fidelity = compare(logits, found)
    check("tflite", fidelity)
    assert fidelity.agreement == 1.0
    assert interface.inputs[0].axes == (0, 2, 3, 1)


def test_a_conversion_gives_the_same_bytes_again_and_a_model_of_two_inputs_keeps_its_meaning(tmp_path: Path) -> None:
    path = tmp_path / "two.onnx"
    path.write_bytes(two_inputs().SerializeToString())
    model = read_model(path)
    generator = np.random.default_rng(11)
    inputs = {spec.name: generator.standard_normal((3, *spec.sample_shape)).astype(np.float32) for spec in model.inputs}
    reference = answers(path.read_bytes(), inputs, "onnxruntime")

    made = [convert_onnx(load_proto(model), model.inputs) for _ in range(2)]

    assert made[0] == made[1]
    interface = find_interface(
        model.inputs, read_ports(made[0], where="two"), inputs=inputs, reference=reference,
        run=lambda given: answers(made[0], dict(given), "ai-edge-litert"), doing="Testing",
    )  # fmt: skip
    assert [port.name for port in interface.outputs] == ["mean", "map"]
    check("tflite", compare(reference, interface.from_file(answers(made[0], interface.to_file(inputs), RUNTIMES[0]))))


def test_all_sizes_are_fixed_before_the_conversion(save_model: SaveModel) -> None:
    path = save_model(shape=("batch", 1, "height", "width"))
    model = read_model(path, shapes={"x": [1, 1, 10, 12]})

    fixed = with_fixed_shapes(load_proto(model), model.inputs)

    assert [d.dim_value for d in fixed.graph.input[0].type.tensor_type.shape.dim] == [1, 1, 10, 12]
    assert [d.dim_value for d in fixed.graph.output[0].type.tensor_type.shape.dim] == [1, 3]


def test_an_operator_without_counterpart_is_unsupported(save_model: SaveModel) -> None:
    model = read_model(save_model(activation="Odd", domain="my.domain"))

    with pytest.raises(UnsupportedRecipeError, match=r"^Converting to TFLite: TFLite has no .* operators ODD\.$"):
        convert_onnx(load_proto(model), model.inputs)


def test_what_onnx2tf_says_last_is_the_reason(save_model: SaveModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_convert, "tool_env", without_the_tool)
    model = read_model(save_model())

    with pytest.raises(CompressionError, match=r"^Converting to TFLite: onnx2tf ended with code 1: .*No module named"):
        convert_onnx(load_proto(model), model.inputs)


def test_without_onnxslim_the_sentence_says_what_to_install(
    save_model: SaveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflite_convert, "find_spec", lambda name: None)
    model = read_model(save_model())

    with pytest.raises(UnsupportedRecipeError, match="needs onnxslim: pip install"):
        convert_onnx(load_proto(model), model.inputs)


def test_what_litert_torch_says_last_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert_convert, "tool_env", without_the_tool)

    with pytest.raises(
        CompressionError, match=r"^Converting to TFLite: litert-torch ended with code 1: .*No module named 'torch'\.$"
    ):
        convert_program(b"not a program")
