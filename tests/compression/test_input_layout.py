"""A file that takes its images in another layout gives the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hilbench.compression.apply import Artifact, apply_recipe
from hilbench.compression.data import random_data
from hilbench.compression.errors import CompressionError, UnsupportedRecipeError
from hilbench.compression.input_layout import as_it_is, has_images, laid_out, transposed
from hilbench.compression.model import Model, read_model
from hilbench.compression.recipe import Recipe
from hilbench.compression.task import Task
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

SHAPE = [None, 3, 5, 7]
IMAGES = np.random.default_rng(5).random((2, 3, 5, 7), dtype=np.float32)
FLAT = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def model_file(path: Path, *, inner: bool = False, taken: str = "y") -> Path:
    """y = conv(x) + f; with `inner` the convolution stands in a branch of an If, which sees x from outside."""
    kernel = np.random.default_rng(1).random((2, 3, 3, 3)).astype(np.float32)
    conv = helper.make_node("Conv", ["x", "k"], ["c"], name=taken, pads=[1, 1, 1, 1])
    weights = [numpy_helper.from_array(kernel, "k"), numpy_helper.from_array(np.array(True), "yes")]
    c = helper.make_tensor_value_info("c", TensorProto.FLOAT, [None, 2, 5, 7])
    if inner:
        other = helper.make_node("Conv", ["x", "k"], ["d"], pads=[1, 1, 1, 1])
        d = helper.make_tensor_value_info("d", TensorProto.FLOAT, [None, 2, 5, 7])
        branches: dict[str, Any] = {
            "then_branch": helper.make_graph([conv], "then", [], [c]),
            "else_branch": helper.make_graph([other], "else", [], [d]),
        }
        first = helper.make_node("If", ["yes"], ["e"], **branches)
    else:
        first = helper.make_node("Conv", ["x", "k"], ["e"], name=taken, pads=[1, 1, 1, 1])
    nodes = [
        first,
        helper.make_node("GlobalAveragePool", ["e"], ["g"]),
        helper.make_node("Flatten", ["g"], ["h"]),
        helper.make_node("Add", ["h", "f"], ["y"]),
    ]
    x, f, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in {"x": ["n", *SHAPE[1:]], "f": [None, 2], "y": [None, 2]}.items()
    )
    graph = helper.make_graph(nodes, "m", [x, f], [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def made(path: Path, cache: Path) -> tuple[Model, Artifact]:
    model = read_model(path)
    return model, apply_recipe(model, Recipe(name="fp32", steps=()), random_data(model, seed=1), Task(), cache=cache)


def answers(content: bytes | Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    session = InferenceSession(content if isinstance(content, bytes) else str(content))
    return np.asarray(session.run(None, inputs)[0])


@pytest.mark.parametrize("inner", [False, True])
def test_the_answers_are_those_of_the_artifact(tmp_path: Path, inner: bool) -> None:
    model, artifact = made(model_file(tmp_path / "m.onnx", inner=inner), tmp_path)
    file = laid_out(artifact, (model.inputs, model.outputs), "NCHW", "NHWC", cache=tmp_path)
    assert file.interface is not None
    inputs = file.interface.to_file({"x": IMAGES, "f": FLAT})
    assert {name: values.shape for name, values in inputs.items()} == {"x_nhwc": (2, 5, 7, 3), "f": (2, 2)}
    wanted = answers(artifact.path, {"x": IMAGES, "f": FLAT})
    got = file.interface.from_file({"y": answers(file.path, inputs)})["y"]
    np.testing.assert_array_equal(got, wanted)
    onnx.checker.check_model(str(file.path), full_check=True)


def test_there_and_back_is_the_model_again(tmp_path: Path) -> None:
    content = model_file(tmp_path / "m.onnx").read_bytes()
    there, names = transposed(content, ["x"], "NHWC")
    back, again = transposed(there, [names["x"]], "NCHW")
    shapes = [[axis.dim_value or axis.dim_param for axis in port.type.tensor_type.shape.dim]
              for port in (ModelProto.FromString(file).graph.input[0] for file in (content, there, back))]  # fmt: skip
    assert shapes == [["n", 3, 5, 7], ["n", 5, 7, 3], ["n", 3, 5, 7]]
    np.testing.assert_array_equal(
        answers(back, {again["x_nhwc"]: IMAGES, "f": FLAT}), answers(content, {"x": IMAGES, "f": FLAT})
    )


def test_a_name_that_is_taken_is_not_taken_twice(tmp_path: Path) -> None:
    content = model_file(tmp_path / "m.onnx", taken="x_nhwc").read_bytes()
    assert transposed(content, ["x"], "NHWC")[1] == {"x": "x_nhwc_"}


def test_the_same_file_gives_the_same_bytes_and_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    model, artifact = made(model_file(tmp_path / "m.onnx"), tmp_path)
    ports = (model.inputs, model.outputs)
    first = laid_out(artifact, ports, "NCHW", "NHWC", cache=tmp_path)
    whole = first.path.read_bytes()
    first.path.write_bytes(whole[:-1])
    assert laid_out(artifact, ports, "NCHW", "NHWC", cache=tmp_path) == first
    assert first.path.read_bytes() == whole
    assert first.sha256 != artifact.sha256


def test_the_models_own_layout_is_the_artifact_itself(tmp_path: Path) -> None:
    model, artifact = made(model_file(tmp_path / "m.onnx"), tmp_path)
    assert laid_out(artifact, (model.inputs, model.outputs), "NCHW", "NCHW", cache=tmp_path) == as_it_is(artifact)


def test_a_model_without_images_has_no_layout(tmp_path: Path) -> None:
    model, artifact = made(model_file(tmp_path / "m.onnx"), tmp_path)
    flat = [spec for spec in model.inputs if spec.name == "f"]
    assert (has_images(model.inputs), has_images(flat)) == (True, False)
    with pytest.raises(UnsupportedRecipeError, match="no input has the four axes of images"):
        laid_out(artifact, (flat, model.outputs), "NCHW", "NHWC", cache=tmp_path)


def test_an_input_that_the_file_has_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompressionError, match="no input `z` of four axes"):
        transposed(model_file(tmp_path / "m.onnx").read_bytes(), ["z"], "NHWC")
