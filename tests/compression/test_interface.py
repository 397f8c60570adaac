from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hilbench.compression.errors import CompressionError
from hilbench.compression.interface import Interface, Port, after_step, from_json, same
from hilbench.compression.interface_search import find_interface
from hilbench.compression.task import Array
from hilbench.compression.tensor import TensorSpec
from hilbench.compression.tflite_ports import FilePort, FilePorts, read_ports

from .tflite_files import blazeface, digits_tflite

RANDOM = np.random.default_rng(5)
LEFT = RANDOM.standard_normal((3, 4, 4, 4)).astype(np.float32)
RIGHT = RANDOM.standard_normal((3, 4, 4, 4)).astype(np.float32)


def spec(name: str, *shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype=dtype)


def file_port(name: str, *shape: int, dtype: str = "float32", scale: float = 0.0, zero_point: int = 0) -> FilePort:
    return FilePort(spec=spec(name, *shape, dtype=dtype), scale=scale, zero_point=zero_point)


def model(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Two outputs that tell the inputs, their channels and their rows apart."""
    left, right = inputs["left"], inputs["right"]
    weights = np.arange(1, 5, dtype=np.float32)
    mixed = left * weights[:, None, None] + 2 * right * weights[:, None]
    return {"map": mixed, "classes": (left - right).mean(axis=(2, 3))}


def converted(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The same in a file that takes NHWC, the right one first, and has lost all names."""
    found = model({"left": inputs["in1"].transpose(0, 3, 1, 2), "right": inputs["in0"].transpose(0, 3, 1, 2)})
    return {"out0": found["classes"], "out1": found["map"].transpose(0, 2, 3, 1)}


FILE = FilePorts(
    inputs=(file_port("in0", 1, 4, 4, 4), file_port("in1", 1, 4, 4, 4)),
    outputs=(file_port("out0", 1, 4), file_port("out1", 1, 4, 4, 4)),
)
INPUTS = {"left": LEFT, "right": RIGHT}
SPECS = (spec("left", None, 4, 4, 4), spec("right", None, 4, 4, 4))


def test_order_and_axes_are_found_where_all_shapes_are_alike() -> None:
    found = find_interface(SPECS, FILE, inputs=INPUTS, reference=model(INPUTS), run=converted, doing="Testing")

    assert [(p.name, p.file_name, p.axes) for p in found.inputs] == [
        ("left", "in1", (0, 2, 3, 1)),
        ("right", "in0", (0, 2, 3, 1)),
    ]
    assert [(p.name, p.file_name, p.axes) for p in found.outputs] == [
        ("map", "out1", (0, 2, 3, 1)),
        ("classes", "out0", (0, 1)),
    ]
    others = {"left": RIGHT, "right": LEFT}
    there_and_back = found.from_file(converted(found.to_file(others)))
    assert list(there_and_back) == ["map", "classes"]
    for name, values in model(others).items():
        np.testing.assert_allclose(there_and_back[name], values, atol=1e-6)  # sums in another order


def test_a_file_that_answers_otherwise_is_refused_with_the_figure() -> None:
    def wrong(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {name: values * np.float32(1.01) for name, values in converted(inputs).items()}

    with pytest.raises(CompressionError, match=r"Testing: .* off by 0\.00\d+ of their range at best; 0.001 is allowed"):
        find_interface(SPECS, FILE, inputs=INPUTS, reference=model(INPUTS), run=wrong, doing="Testing")


def test_shapes_that_do_not_fit_are_named() -> None:
    file = replace(FILE, inputs=(file_port("in0", 1, 5, 4, 4), file_port("in1", 1, 4, 4, 4)))

    with pytest.raises(CompressionError, match=r"takes \[\?, 4, 4, 4\].*the file takes \[1, 5, 4, 4\].*does not fit"):
        find_interface(SPECS, file, inputs=INPUTS, reference=model(INPUTS), run=converted, doing="Testing")


def test_json_keeps_everything() -> None:
    found = find_interface(SPECS, FILE, inputs=INPUTS, reference=model(INPUTS), run=converted, doing="Testing")

    assert from_json(json.loads(json.dumps(found.as_json()))) == found


def test_integers_of_a_file_are_made_and_read_on_the_controller() -> None:
    port = Port(
        name="x", file_name="q", axes=(0, 1), dtype="int8", model_dtype="float32", scale=0.5, zero_point=-3
    )  # fmt: skip
    interface = Interface(inputs=(port,), outputs=(port,))
    values = np.array([[0.0, 1.0, -100.0, 100.0, 0.26]], np.float32)

    stored = interface.to_file({"x": values})["q"]

    assert stored.dtype == np.int8
    assert stored.tolist() == [[-3, -1, -128, 127, -2]]
    assert interface.from_file({"q": stored})["x"].tolist() == [[0.0, 1.0, -62.5, 65.0, 0.5]]


def test_integers_of_the_user_stay_as_they_are() -> None:
    port = Port(name="x", file_name="x", axes=(0, 1), dtype="int8", model_dtype="int8", scale=0.5, zero_point=-3)
    interface = Interface(inputs=(port,), outputs=(port,))
    values = np.array([[-3, 7]], np.int8)

    assert interface.to_file({"x": values})["x"].tolist() == [[-3, 7]]
    assert interface.from_file({"x": values})["x"].tolist() == [[-3, 7]]


def test_a_step_that_renames_an_output_and_makes_it_an_integer_keeps_its_axes() -> None:
    before = find_interface(SPECS, FILE, inputs=INPUTS, reference=model(INPUTS), run=converted, doing="Testing")
    made = FilePorts(
        inputs=FILE.inputs,
        outputs=(file_port("out0_dequant", 1, 4), file_port("out1", 1, 4, 4, 4, dtype="int8", scale=0.1, zero_point=4)),
    )

    after = after_step(before, FILE, made)

    assert after.inputs == before.inputs
    assert after.outputs[1] == replace(before.outputs[1], file_name="out0_dequant")
    assert after.outputs[0] == replace(before.outputs[0], dtype="int8", scale=0.1, zero_point=4)
    with pytest.raises(CompressionError, match="made 1 inputs or outputs of 2"):
        after_step(before, FILE, replace(made, outputs=made.outputs[:1]))


def test_the_same_interface_changes_nothing() -> None:
    interface = same(SPECS, (spec("y", None, 4),))

    assert interface.to_file(INPUTS)["left"] is not None
    np.testing.assert_array_equal(interface.to_file(INPUTS)["left"], LEFT)


def test_ports_of_real_files_are_read_with_their_scales() -> None:
    ports = read_ports(digits_tflite(), where="digits")
    assert [(p.spec.name, p.spec.shape, p.scale) for p in ports.inputs] == [("image", (1, 28, 28, 1), 0.0)]

    faces = read_ports(blazeface("face_detection_front"), where="BlazeFace")
    assert [p.spec.name for p in faces.outputs] == ["regressors", "classificators"]
