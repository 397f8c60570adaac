"""`hilbench compress`: one file out, with a JSON file beside it that says what was done to whose model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hilbench.harness.cli import main
from hilbench.harness.errors import PlanError
from hilbench.harness.onerecipe import read_shapes

FACTORY = """import torch

def net():
    return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 3))

def broken():
    raise ValueError("no weights today")
"""


def compress(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(main, ["compress", *words, "-o", "out"], prog_name="hilbench")


def test_a_pytorch_factory_becomes_an_8_bit_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(FACTORY)
    done = compress(tmp_path, monkeypatch, "mine:net", "--recipe", "int8-static", "--shape", "x=1,1,8,8")
    assert done.exit_code == 0, done.output
    facts = json.loads((tmp_path / "out" / "net.int8-static.onnx.json").read_text())
    assert (facts["model"], facts["recipe"]) == ("mine:net", "int8-static")
    assert (tmp_path / "out" / "net.int8-static.onnx").stat().st_size == facts["bytes"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("mine:broken", "--recipe", "fp32", "--shape", "x=1,1,8,8"), "raised ValueError: no weights today"),
        (("mine:net", "--recipe", "fp32"), "needs `shapes`: the shape of each input"),
        (("zoo:blazeface-short", "--recipe", "prune-channels"), "needs an ONNX source"),
        (("zoo:nobody", "--recipe", "fp32"), "no model `zoo:nobody`"),
        (("zoo:ppocr-cls", "--recipe", "finetune"), "`finetune` needs labelled training data"),
        (("missing.onnx", "--recipe", "fp32"), "cannot be read"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "mine.py").write_text(FACTORY)
    done = compress(tmp_path, monkeypatch, *words)
    assert done.exit_code != 0
    assert sentence in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_a_model_of_the_zoo_names_its_author_and_his_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = compress(tmp_path, monkeypatch, "zoo:blazeface-short", "--recipe", "int8-dynamic", "--json")
    assert done.exit_code == 0, done.output
    (written,) = (tmp_path / "out").glob("*.json")
    facts = json.loads(written.read_text())
    assert facts["origin"] == {"author": "Google (MediaPipe BlazeFace)", "licence": "Apache-2.0"}
    assert facts["interface"]["inputs"][0]["file_name"]


def test_shapes_are_read_as_they_are_written() -> None:
    assert read_shapes(["x=1,3,48,320", "a=b=2"]) == {"x": (1, 3, 48, 320), "a=b": (2,)}
    for wrong in ("x", "x=", "x=1,,2", "=1,2", "x=0,3", "x=1,a"):
        with pytest.raises(PlanError, match=f"--shape {wrong} is no shape"):
            read_shapes([wrong])
