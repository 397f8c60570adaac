"""The digits model with its data, and small ONNX models made for one question each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from hilbench.compression.data import Dataset, load_data
from hilbench.compression.model import Model, read_model
from hilbench.compression.task import Preprocessing, Task
from onnx import ModelProto, TensorProto, helper, numpy_helper

DIGITS = Path(__file__).parents[2] / "models" / "digits"


@dataclass(frozen=True)
class Digits:
    model: Model
    task: Task
    calibration: Dataset
    test: Dataset


@pytest.fixture(scope="session")
def digits() -> Digits:
    model = read_model(DIGITS / "digits.onnx")
    task = Task(kind="classification", preprocessing=Preprocessing(scale=1 / 255))
    calibration = load_data(DIGITS / "digits-calibration.npz", model, task)
    return Digits(model, task, calibration, load_data(DIGITS / "digits-test.npz", model, task))


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compression-cache")


SaveModel = Callable[..., Path]


@pytest.fixture
def save_model(tmp_path: Path) -> SaveModel:
    """Save a model of a 3 x 3 convolution (2 channels), Relu, mean over the picture and a 2 x 3 matrix."""

    def save(
        *,
        opset: int = 18,
        shape: tuple[int | str, ...] = ("batch", 1, 6, 6),
        activation: str = "Relu",
        domain: str = "",
        weights_in_constants: bool = False,
        spoil: Callable[[ModelProto], None] | None = None,
        name: str = "small.onnx",
    ) -> Path:
        generator = np.random.default_rng(3)
        weights = {
            "kernel": generator.standard_normal((2, 1, 3, 3)).astype(np.float32),
            "matrix": generator.standard_normal((2, 3)).astype(np.float32),
        }
        tensors = [numpy_helper.from_array(values, key) for key, values in weights.items()]
        nodes = [
            helper.make_node("Conv", ["x", "kernel"], ["a"], name="conv"),
            helper.make_node(activation, ["a"], ["b"], name="act", domain=domain),
            helper.make_node("GlobalAveragePool", ["b"], ["c"], name="pool"),
            helper.make_node("Flatten", ["c"], ["d"], name="flat"),
            helper.make_node("MatMul", ["d", "matrix"], ["y"], name="dense"),
        ]
        if weights_in_constants:
            nodes = [
                helper.make_node("Constant", [], [t.name], name=f"const-{t.name}", value=t) for t in tensors
            ] + nodes
        graph = helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 3))],
            [] if weights_in_constants else tensors,
        )
        opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        if spoil is not None:
            spoil(proto)
        path = tmp_path / name
        onnx.save(proto, path)
        return path

    return save
