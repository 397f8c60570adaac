from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hilbench.compression.apprenticeship import Apprenticeship
from hilbench.compression.cache import sha256_of
from hilbench.compression.data import Dataset
from hilbench.compression.errors import CompressionError, UnsupportedRecipeError
from hilbench.compression.host import Progress
from hilbench.compression.model import read_model
from hilbench.compression.qat import qat
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.sqnr import exact_outputs, sqnr_db
from hilbench.compression.stepkinds import Int8Static
from hilbench.compression.task import Task
from hilbench.compression.trainsteps import Qat
from onnx import ModelProto, TensorProto, helper, numpy_helper

SAMPLES = 96
STEP = Qat(epochs=2, batch=16, learning_rate=0.002)
Apprentice = Callable[..., Apprenticeship]


def small_network() -> ModelProto:
    """A stem, a depthwise layer with one dead channel of huge weight, two branches that are joined, a matrix."""
    generator = np.random.default_rng(3)

    def weights(name: str, *shape: int) -> TensorProto:
        values = generator.standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]))
        return numpy_helper.from_array(values.astype(np.float32), name)

    stem = numpy_helper.to_array(weights("w1", 8, 1, 3, 3)).copy()
    stem[2] = 0
    kernel = numpy_helper.to_array(weights("w2", 8, 1, 3, 3)).copy()
    kernel[2] = 500
    stored = [
        numpy_helper.from_array(stem, "w1"),
        numpy_helper.from_array(np.zeros(8, np.float32), "b1"),
        numpy_helper.from_array(kernel, "w2"),
        numpy_helper.from_array(np.full(8, 0.1, np.float32), "b2"),
        weights("w3", 4, 8, 1, 1),
        weights("w4", 4, 8, 3, 3),
        weights("w5", 3, 8),
        numpy_helper.from_array(np.zeros(3, np.float32), "b5"),
    ]
    pads = [1, 1, 1, 1]
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="stem", pads=pads),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], name="depthwise", group=8, pads=pads),
        helper.make_node("Relu", ["c2"], ["r2"], name="relu2"),
        helper.make_node("Conv", ["r2", "w3"], ["c3"], name="narrow"),
        helper.make_node("Conv", ["r2", "w4"], ["c4"], name="wide", pads=pads),
        helper.make_node("Concat", ["c3", "c4"], ["j"], name="join", axis=1),
        helper.make_node("GlobalAveragePool", ["j"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "w5", "b5"], ["y"], name="dense", transB=1),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 1, 8, 8))
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("batch", 3))
    graph = helper.make_graph(nodes, "small", [image], [scores], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(7).random((count, 1, 8, 8), np.float32)


@pytest.fixture(scope="module")
def apprentice(tmp_path_factory: pytest.TempPathFactory) -> Apprentice:
    """What a training of the small network is given; each call has checkpoints of the name it asks for."""
    folder = tmp_path_factory.mktemp("qat")
    path = folder / "small.onnx"
    onnx.save(small_network(), path)
    labels = np.random.default_rng(8).integers(0, 3, SAMPLES)
    data = Dataset(name="made up", sha256="0" * 64, arrays={"x": images(SAMPLES)}, labels=labels)

    def give(checkpoints: str = "checkpoints", progress: Progress | None = None) -> Apprenticeship:
        return Apprenticeship(
            model=read_model(path),
            task=Task(kind="classification"),
            train=data,
            teacher=onnx.load(path),
            checkpoints=folder / checkpoints,
            doing="qat of small.onnx",
            progress=progress,
        )

    return give


@pytest.fixture(scope="module")
def undisturbed(apprentice: Apprentice) -> tuple[ModelProto, tuple[str, ...]]:
    return qat(small_network(), STEP, apprentice("undisturbed"))


def digest(proto: ModelProto) -> str:
    return sha256_of(proto.SerializeToString(deterministic=True))


def test_int8_weights_free_batch_and_integer_arithmetic_come_out(
    undisturbed: tuple[ModelProto, tuple[str, ...]], tmp_path: Path
) -> None:
    source = small_network()
    made, notes = undisturbed
    onnx.checker.check_model(made, full_check=True)
    assert (made.graph.input[0].name, made.graph.output[0].name) == ("x", "y")
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    stored = {tensor.name: tensor for tensor in made.graph.initializer}
    matrices = [tensor for tensor in stored.values() if len(tensor.dims) > 1]
    assert [tensor.data_type for tensor in matrices] == [TensorProto.INT8] * 5
    kinds = operators_when_optimized(made, tmp_path)
    assert kinds["QLinearConv"] == 4
    assert kinds["Conv"] == kinds["Gemm"] == 0
    assert "qat: 2 epochs on 96 samples of made up, loss" in notes[0]

    few = [{"x": images(4)[i : i + 1]} for i in range(4)]
    plain = quantize_static_int8(source, Int8Static(per_channel=False), few, tmp_path)
    reference = exact_outputs(source, few)
    assert sqnr_db(reference, exact_outputs(made, few)) > sqnr_db(reference, exact_outputs(plain, few)) + 6


def operators_when_optimized(proto: ModelProto, folder: Path) -> Counter[str]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        assert np.asarray(session.run(None, {"x": images(count)})[0]).shape == (count, 3)
    return Counter(node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node)


def test_an_interrupted_training_goes_on_and_gives_the_file_of_an_undisturbed_one(
    apprentice: Apprentice, undisturbed: tuple[ModelProto, tuple[str, ...]]
) -> None:
    seen: list[str] = []

    def stop_in_the_second_epoch(doing: str, done: int, of: int) -> None:
        if "epoch 2" in doing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        qat(small_network(), STEP, apprentice("disturbed", stop_in_the_second_epoch))
    again, _ = qat(small_network(), STEP, apprentice("disturbed", lambda doing, done, of: seen.append(doing)))
    assert seen
    assert all("epoch 2" in doing for doing in seen)
    assert digest(again) == digest(undisturbed[0])


def test_a_training_that_diverges_says_so(apprentice: Apprentice) -> None:
    with pytest.raises(
        CompressionError, match=r"qat of small.onnx: training diverged in epoch 1 .*lower `learning_rate`"
    ):
        qat(small_network(), replace(STEP, learning_rate=1e6, epochs=1), apprentice())


def test_without_training_data_it_is_unsupported(apprentice: Apprentice) -> None:
    with pytest.raises(UnsupportedRecipeError, match="`qat` needs labelled training data"):
        qat(small_network(), STEP, replace(apprentice(), train=None))
