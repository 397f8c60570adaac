"""Tasks and data as plans name them: read, checked against one another, or refused with the line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.errors import ModelError, RecipeError
from hilbench.compression.userfunction import FunctionName
from hilbench.harness.errors import PlanError
from hilbench.harness.plan import Plan, load_plan
from hilbench.harness.selection import Boards
from hilbench.harness.sources import datasets, plan_hash, read, read_sources
from onnx import TensorProto, helper, save

DIGITS = Path(__file__).parents[2] / "models" / "digits"
PAGE = Path(__file__).parents[2] / "docs" / "tasks-and-data.md"
TASK = f"kind: classification, test: {DIGITS}/digits-test.npz"


def load(folder: Path, task: str, file: str = f"{DIGITS}/digits.onnx") -> Plan:
    (folder / "inventory.yaml").write_text("boards:\n  here: {connection: local}\n")
    (folder / "plan.yaml").write_text(
        f"name: t\nmodels:\n  m:\n    file: {file}\n    task: {{{task}}}\nboards: [here]\n"
    )
    return load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))


def identity(folder: Path) -> Path:
    """A recognizer of the characters a and b: its input is its output, [1, 4 steps, 4 classes]."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", values[:1], values[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    proto.metadata_props.add(key="character", value="a\nb")
    save(proto, folder / "text.onnx")
    return folder / "text.onnx"


def test_training_data_belongs_to_the_plan_and_to_what_is_kept_of_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", images=np.zeros((2, 28, 28), np.uint8), labels=[0, 1])
    plan = load(tmp_path, f"{TASK}, train: train.npz")
    sources = read_sources(plan, cache=tmp_path / "cache")
    train = read(sources)["m"].train
    assert train is not None
    assert datasets(sources)["m"]["train"] == {"name": "train.npz", "sha256": train.sha256, "samples": 2}
    assert datasets(sources)["m"]["calibration"] is None
    without = {"m": replace(sources["m"], train=None)}
    assert plan_hash(plan, sources) != plan_hash(plan, without)


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (
            f"{TASK}, train: {DIGITS}/digits-test.npz",
            "2500 of the 2500 training samples .* the 2500 test samples",
        ),
        (
            f"{TASK}, train: {DIGITS}/digits-train.npz, calibration: {DIGITS}/digits-train.npz",
            "calibration samples in digits-train.npz are also among the .* training samples",
        ),
        (f"{TASK}, calibration: small.npz", r"small\.npz: The images have the shape \[\?, 14, 14\]"),
        (f"{TASK}, train: one.npz", r"one\.npz have the label 3; a classification needs two classes"),
        (f"kind: text-recognition, test: {DIGITS}/digits-test.npz", "holds no character set"),
        ("kind: classification, test: 'gone.module:f'", "importing gone.module raised ModuleNotFoundError"),
        (f"kind: custom, metric: 'mine.py:absent', test: {DIGITS}/digits-test.npz", "mine.py has no such function"),
    ],
)
def test_data_that_does_not_fit_is_refused_in_one_sentence(tmp_path: Path, task: str, sentence: str) -> None:
    np.savez(tmp_path / "small.npz", images=np.zeros((4, 14, 14), np.uint8))
    np.savez(tmp_path / "one.npz", images=np.zeros((4, 28, 28), np.uint8), labels=[3] * 4)
    (tmp_path / "mine.py").write_text("")
    plan = load(tmp_path, task)
    with pytest.raises((ModelError, RecipeError), match=sentence) as caught:
        read_sources(plan, cache=tmp_path / "cache")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "line", "sentence"),
    [
        ("kind: agreement", 5, 'needs the key "test": data to judge accuracy on'),
        ("kind: custom, test: a.npz", 5, 'a custom task needs the key "metric"'),
        (f"{TASK}, metric: 'a.py:f'", 5, 'the key "metric" belongs to a task of the kind "custom", not to "classif'),
        (
            "kind: agreement, test: a.npz, metrics: [top1]",
            5,
            'the key "metrics" belongs to a task of the kind "classif',
        ),
        (f"{TASK}, characters: a.txt", 5, 'the key "characters" belongs to a task of the kind "text-recognition"'),
        (f"{TASK}, metrics: [top3]", 5, "top3"),
        (f"{TASK}, train: gone.npz", 5, r"models.m.task.train: there is no file .*gone\.npz"),
        (f"{TASK}, calibration: 'gone.py:f'", 5, r"models.m.task.calibration: there is no file .*gone\.py"),
        ("kind: custom, metric: 'gone.py:f', test: plan.yaml", 5, r"models.m.task.metric: there is no file .*gone\.py"),
    ],
)
def test_a_task_that_is_written_wrongly_is_named_with_its_line(
    tmp_path: Path, task: str, line: int, sentence: str
) -> None:
    with pytest.raises(PlanError, match=sentence) as caught:
        load(tmp_path, task)
    assert f"plan.yaml:{line}: " in str(caught.value)


def test_a_model_of_the_zoo_brings_its_shapes_unless_the_plan_has_some(tmp_path: Path) -> None:
    (model,) = load(tmp_path, "kind: none", "zoo:ppocr-rec").models
    assert (model.file.name, model.input_shapes) == ("ch_PP-OCRv4_rec_infer.onnx", {"x": (1, 3, 48, 320)})
    with pytest.raises(PlanError, match=r"plan.yaml:4: models.m.file: The zoo has no model `zoo:ocr`"):
        load(tmp_path, "kind: none", "zoo:ocr")


@pytest.mark.parametrize("key", ["calibration", "train"])
def test_bytes_become_shares_of_255_also_where_there_is_no_test_data(tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "some.npz", images=np.arange(2, dtype=np.uint8).repeat(784).reshape(2, 28, 28), labels=[0, 1])
    plan = load(tmp_path, f"kind: none, {key}: some.npz")
    source = read(read_sources(plan, cache=tmp_path / "cache"))["m"]
    assert source.task.preprocessing.scale == 1 / 255


def test_data_may_be_a_function_beside_the_plan(tmp_path: Path) -> None:
    body = "import numpy as np\ndef some():\n    for i in range(4): yield np.full((28, 28), i, np.uint8), i\n"
    (tmp_path / "mine.py").write_text(body)
    plan = load(tmp_path, "kind: classification, test: 'mine.py:some'")
    assert plan.models[0].task.test == FunctionName(written="mine.py:some", folder=tmp_path.resolve())
    test = read(read_sources(plan, cache=tmp_path / "cache"))["m"].test
    assert (test.name, len(test)) == ("mine.py:some", 4)


def test_characters_come_from_the_model_or_from_the_plan_and_agreement_takes_them_too(tmp_path: Path) -> None:
    identity(tmp_path)
    (tmp_path / "set.txt").write_text("ä\nö\n", "utf-8")
    np.savez(tmp_path / "t.npz", x=np.eye(4, dtype=np.float32)[[[1, 2, 0, 2]]], labels=["abb"])
    found: list[Any] = []
    for task in (
        "text-recognition, test: t.npz",
        "text-recognition, test: t.npz, characters: set.txt",
        "agreement, test: t.npz",
    ):
        sources = read_sources(load(tmp_path, f"kind: {task}", "text.onnx"), cache=tmp_path / "cache")
        found.append(read(sources)["m"].task.characters)
    assert found == [("a", "b"), ("ä", "ö"), ("a", "b")]


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_examples_of_the_documentation_are_plans(tmp_path: Path, example: str) -> None:
    (tmp_path / "inventory.yaml").write_text("boards:\n  this-machine: {connection: local}\n")
    (tmp_path / "plan.yaml").write_text(example.replace("../models", str(DIGITS.parent)))
    for file in ("metrics.py", "faces.npz"):
        (tmp_path / file).touch()
    (tmp_path / "photos").mkdir()
    assert load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml")).models
