from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hilbench.compression.errors import ModelError
from hilbench.compression.factory import export_factory, is_factory
from hilbench.compression.model import load_proto, read_model
from hilbench.compression.sessions import open_proto

NETS = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, image):
        return self.head(torch.relu(self.norm(self.conv(image))).mean((2, 3)))

class Shouting(nn.Module):
    def forward(self, image):
        return image if image.sum() > 0 else -image

def small():
    return Small()

def shouting():
    return Shouting()

def raising():
    raise RuntimeError("no weights at /models/best.pt\\nsecond line")

def number():
    return 5

def nothing():
    pass
"""
SHAPES = {"image": [1, 1, 8, 8]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "nets.py").write_text(NETS)
    return tmp_path / "plan"


def test_a_factory_of_the_plans_folder_becomes_a_file_with_the_declared_inputs(folder: Path, tmp_path: Path) -> None:
    path = export_factory("nets:small", SHAPES, tmp_path, folder=folder)
    model = read_model(path)
    assert [(spec.name, spec.shape) for spec in model.inputs] == [("image", (None, 1, 8, 8))]
    assert [(spec.name, spec.shape) for spec in model.outputs] == [("output", (None, 3))]
    answers = open_proto(load_proto(model), doing="test")({"image": np.ones((5, 1, 8, 8), np.float32)})
    assert answers["output"].shape == (5, 3)
    assert export_factory("nets:small", SHAPES, tmp_path, folder=folder) == path
    assert "nets" not in sys.modules
    assert str(folder) not in sys.path


@pytest.mark.parametrize(
    ("word", "shapes", "words"),
    [
        ("nets:raising", SHAPES, r"`nets:raising` raised RuntimeError: no weights at /models/best\.pt\.$"),
        ("nets:number", SHAPES, "returned an int, not a torch.nn.Module"),
        ("nets:nothing", SHAPES, "returned nothing, not a torch.nn.Module"),
        ("nets:absent", SHAPES, "has no function `absent`"),
        ("nowhere:small", SHAPES, "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("nets:small", {"image": [1, 3, 8, 8]}, "does not run with the declared shapes: RuntimeError"),
        ("nets:small", {}, "needs `shapes`"),
        ("nets:shouting", SHAPES, "cannot be exported: "),
        ("nets.small", SHAPES, "names no PyTorch factory"),
    ],
)
def test_what_is_wrong_with_a_factory_is_one_sentence(
    folder: Path, tmp_path: Path, word: str, shapes: dict[str, list[int]], words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        export_factory(word, shapes, tmp_path, folder=folder)
    assert "\n" not in str(caught.value)


def test_a_word_is_a_factory_where_a_file_cannot_be_meant() -> None:
    assert is_factory("package.module:function")
    assert not any(is_factory(word) for word in ("model.onnx", "C:/model.onnx", "a:b.onnx", ":f", "module:"))
