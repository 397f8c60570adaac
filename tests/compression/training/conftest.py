"""A network and a task small enough to be trained in a second, and what a training step is given with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hilbench.compression.apprenticeship import Apprenticeship
from hilbench.compression.data import Dataset, model_inputs
from hilbench.compression.model import Model, load_proto, read_model
from hilbench.compression.sessions import open_proto
from hilbench.compression.task import Task
from onnx import ModelProto, TensorProto, helper, numpy_helper

SIZE = 8


def bars(samples: int, seed: int) -> Dataset:
    """Noise with a bright bar: the class says whether it lies, stands or runs across."""
    generator = np.random.default_rng(seed)
    images = generator.random((samples, 1, SIZE, SIZE), np.float32) * 0.5
    labels = np.arange(samples) % 3
    for image, label in zip(images, labels, strict=True):
        place = int(generator.integers(2, SIZE - 2))
        if label == 0:
            image[0, place] += 1
        elif label == 1:
            image[0, :, place] += 1
        else:
            image[0] += np.eye(SIZE, dtype=np.float32)
    return Dataset(name=f"bars{seed}", sha256=f"{samples}-{seed}", arrays={"images": images}, labels=labels)


def net(*, opset: int = 18) -> ModelProto:
    """Two 3 x 3 convolutions of 16 channels with a shortcut, mean over the picture, a matrix; as torch would export it.

    The mean takes its axes as an input, the Reshape is written with the numbers of one file, the matrix is a Gemm.
    """
    generator = np.random.default_rng(5)

    def drawn(*shape: int) -> np.ndarray:
        return (generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    values = {
        "first": drawn(16, 1, 3, 3),
        "second": drawn(16, 16, 3, 3),
        "offset": drawn(16),
        "matrix": drawn(3, 16),
        "axes": np.asarray([2, 3]),
        "target": np.asarray([-1, 16]),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu1"),
        helper.make_node("Conv", ["b", "second", "offset"], ["c"], name="conv2", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["b", "c"], ["d"], name="shortcut"),
        helper.make_node("Relu", ["d"], ["e"], name="relu2"),
        helper.make_node("ReduceMean", ["e", "axes"], ["f"], name="mean", keepdims=1),
        helper.make_node("Reshape", ["f", "target"], ["g"], name="flat", allowzero=1),
        helper.make_node("Gemm", ["g", "matrix"], ["y"], name="dense", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 1, SIZE, SIZE))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 3))],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@dataclass(frozen=True)
class Workshop:
    """`accuracy` judges a model on bars that nothing was trained on."""

    model: Model
    proto: ModelProto
    apprenticeship: Apprenticeship
    few: dict[str, np.ndarray]
    accuracy: Callable[[ModelProto], float]


@pytest.fixture(scope="session")
def net_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    onnx.save(net(), path)
    return path


@pytest.fixture(scope="session")
def shop(net_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    model, task, train, test = read_model(net_file), Task(kind="classification"), bars(192, 1), bars(90, 2)
    proto = load_proto(model)
    inputs = model_inputs(test, model, task)

    def accuracy(judged: ModelProto) -> float:
        answers = next(iter(open_proto(judged, doing="test")(inputs).values()))
        return float((answers.argmax(1) == test.labels).mean())

    apprenticeship = Apprenticeship(
        model=model,
        task=task,
        train=train,
        teacher=proto,
        checkpoints=tmp_path_factory.mktemp("kept"),
        doing="lean of net",
    )
    few = {name: values[:4] for name, values in inputs.items()}
    return Workshop(model, proto, apprenticeship, few, accuracy)


@pytest.fixture
def workshop(shop: Workshop, tmp_path: Path) -> Workshop:
    return replace(shop, apprenticeship=replace(shop.apprenticeship, checkpoints=tmp_path / "checkpoints"))


@pytest.fixture
def without_data(workshop: Workshop) -> Apprenticeship:
    return replace(workshop.apprenticeship, train=None)
