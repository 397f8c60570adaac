from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from hilbench.compression import libraries
from hilbench.compression.errors import CompressionError, UnsupportedRecipeError
from hilbench.compression.frontend import compare, outputs_of, to_torch
from hilbench.compression.repairs import normalised, relative_target
from hilbench.compression.sessions import open_proto
from hilbench.compression.tensor import TensorSpec
from onnx import ModelProto, TensorProto, helper, numpy_helper

from .conftest import Workshop


def single(
    node: onnx.NodeProto, shape: tuple[int | str, ...], *stored: onnx.TensorProto, opset: int = 18
) -> ModelProto:
    graph = helper.make_graph(
        [node],
        "single",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(stored),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def converted(proto: ModelProto, *sizes: int) -> float:
    """Convert, and return the largest output of three samples: `to_torch` has compared them all."""
    spec = TensorSpec(name="x", shape=(None, *sizes), dtype="float32")
    samples = {"x": np.random.default_rng(0).standard_normal((3, *sizes)).astype(np.float32)}
    module = to_torch(proto, [spec], samples, doing="test")
    return float(np.abs(outputs_of(module, samples, doing="test")[0]).max())


def stored(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def test_a_file_that_the_converter_alone_refuses_gives_the_same_answers_in_torch(workshop: Workshop) -> None:
    libraries.require("onnx2torch", what="test")
    from onnx2torch import convert

    with pytest.raises(NotImplementedError):
        convert(workshop.proto)
    module = to_torch(workshop.proto, workshop.model.inputs, workshop.few, doing="test")
    expected = open_proto(workshop.proto, doing="test")(workshop.few)["y"]
    np.testing.assert_allclose(outputs_of(module, workshop.few, doing="test")[0], expected, atol=1e-5)


@pytest.mark.parametrize("word", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("operator", ["Conv", "MaxPool"])
def test_padding_given_as_a_word_is_written_out(word: str, operator: str) -> None:
    kernel = numpy_helper.from_array(np.ones((2, 2, 2, 3), np.float32), "w")
    inputs = ["x", "w"] if operator == "Conv" else ["x"]
    node = helper.make_node(operator, inputs, ["y"], auto_pad=word, strides=[2, 1], kernel_shape=[2, 3])
    assert converted(single(node, ("n", 2, 5, 6), *([kernel] if operator == "Conv" else [])), 2, 5, 6) > 0


@pytest.mark.parametrize("whole", [0, 1])
def test_a_mean_with_unequal_padding_is_converted(whole: int) -> None:
    node = helper.make_node(
        "AveragePool", ["x"], ["y"], kernel_shape=[3, 2], pads=[0, 0, 2, 1], strides=[2, 2], count_include_pad=whole
    )
    assert converted(single(node, ("n", 2, 6, 6)), 2, 6, 6) > 0


@pytest.mark.parametrize("axes", [[2, 3], [-2, -1]])
def test_a_slice_reads_nothing_but_the_data(axes: list[int]) -> None:
    places = [stored("s", 1, -4), stored("e", 6, 2**40), stored("axes", *axes), stored("t", 2, 1)]
    node = helper.make_node("Slice", ["x", "s", "e", "axes", "t"], ["y"])
    assert converted(single(node, ("n", 2, 6, 6), *places), 2, 6, 6) > 0


@pytest.mark.parametrize(
    ("mode", "coordinates"), [("nearest", "asymmetric"), ("linear", "half_pixel"), ("linear", "align_corners")]
)
def test_a_picture_is_scaled_to_the_size_that_the_scales_give(mode: str, coordinates: str) -> None:
    scales = numpy_helper.from_array(np.asarray([1, 1, 2, 2], np.float32), "scales")
    node = helper.make_node(
        "Resize",
        ["x", "", "scales"],
        ["y"],
        mode=mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode="floor",
    )
    assert converted(single(node, ("n", 2, 3, 4), scales), 2, 3, 4) > 0


@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceMax", "ReduceSum"])
def test_reductions_with_axes_as_an_input_are_converted(kind: str) -> None:
    node = helper.make_node(kind, ["x", "axes"], ["y"], keepdims=0)
    assert converted(single(node, ("n", 2, 6), stored("axes", -1)), 2, 6) > 0


def test_a_matrix_becomes_a_layer_with_weights_that_train() -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    proto = single(node, ("n", 5, 3), weights)
    samples = {"x": np.ones((2, 5, 3), np.float32)}
    module = to_torch(proto, [TensorSpec(name="x", shape=(None, 5, 3), dtype="float32")], samples, doing="test")
    assert [tuple(p.shape) for p in module.parameters()] == [(2, 3)]


def test_a_reshape_keeps_no_size_that_only_passes_through() -> None:
    assert relative_target((1, 16, 1, 1), (1, 16)) == [0, 0]
    assert relative_target((1, 16, 4, 4), (1, 256)) == [0, -1]
    assert relative_target((1, 16, 4, 4), (1, 2, 8, 16)) == [0, 2, 8, 16]


def test_the_file_given_is_left_as_it_was(workshop: Workshop) -> None:
    before = workshop.proto.SerializeToString(deterministic=True)
    normalised(workshop.proto, workshop.model.inputs)
    assert workshop.proto.SerializeToString(deterministic=True) == before


def test_an_operator_without_a_meaning_in_torch_is_named() -> None:
    node = helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=1)
    ones = [numpy_helper.from_array(np.ones(2, np.float32), name) for name in "sb"]
    with pytest.raises(UnsupportedRecipeError, match=r"^test: the operator `GroupNormalization` .* into torch\.$"):
        converted(single(node, ("n", 2, 4, 4), *ones, opset=21), 2, 4, 4)


def test_other_answers_than_the_file_gives_are_refused_with_the_figures(workshop: Workshop) -> None:
    module = to_torch(workshop.proto, workshop.model.inputs, workshop.few, doing="test")
    with torch.no_grad():
        next(iter(module.parameters())).mul_(1.01)
    with pytest.raises(CompressionError, match=r"output `y` differs by 0\.\d+ from onnxruntime's, whose largest"):
        compare(module, workshop.proto, workshop.few, doing="test")


def test_what_is_not_installed_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "torch_pruning" else object())
    with pytest.raises(UnsupportedRecipeError, match=r"extra `train` \(torch-pruning not found\): pip install -c"):
        libraries.require("torch", "torch_pruning", what="prune-channels")


def test_the_package_is_imported_without_torch() -> None:
    names = "apprenticeship batch_norm checkpoints factory frontend gradients layers lessons libraries prune_channels"
    names += " prune_taylor repairs sessions torch_export train_step training"
    imports = ";".join(f"import hilbench.compression.{name}" for name in names.split())
    code = f"{imports};import sys;print('torch' in sys.modules or 'onnx' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
