"""A detection in a plan: judged on this machine and on a board by the same code, with mAP beside the F1 of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness.answers import unpacked
from hilbench.harness.assemble import _accuracy
from hilbench.harness.candidates import Prepared, prepare
from hilbench.harness.checks import judge_check
from hilbench.harness.errors import PlanError
from hilbench.harness.plan import Cell, Plan, expand, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.sources import read_sources
from hilbench.reports.drop import accuracy_drop, image_scores

from .test_checks import as_a_board

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "digit-scenes"
SCENES = f"""
from itertools import islice
import sys
sys.path.insert(0, {str(MODEL)!r})
import scenes

def few():
    return islice(scenes.test_scenes(), 40)
"""
PLAN = """\
name: boxes
models:
  m:
    file: {model}/digit-scenes.onnx
    task:
      kind: detection
      test: few.py:few
      calibration: {model}/scenes.py:calibration_scenes
      {decode}
recipes: [fp32, int8-static]
boards: [this-machine]
accuracy_samples: 12
"""
DECODE = "decode: 'hilbench.compression.detection_grid:decode_grid'"


def load(folder: Path, decode: str = DECODE) -> Plan:
    (folder / "few.py").write_text(SCENES)
    (folder / "plan.yaml").write_text(PLAN.format(model=MODEL, decode=decode))
    return load_plan(folder / "plan.yaml", Boards(ROOT / "inventory.yaml"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, list[Cell]]:
    folder = tmp_path_factory.mktemp("boxes")
    plan = load(folder)
    made = prepare(
        plan, read_sources(plan, cache=folder / "cache"), cache=folder / "cache", progress=Progress(quiet=True)
    )
    return made, list(expand(plan, {"m": "onnx"}))


def check(prepared: Prepared, cell: Cell) -> dict[str, Any]:
    file = prepared.inputs(cell, cell.board).accuracy
    assert file is not None
    golden = prepared.golden_on_host(cell)
    with np.load(file.path) as arrays:
        answers = as_a_board(prepared, cell, dict(arrays))
    return judge_check({"accuracy": answers, "golden": golden}, prepared, cell)


def test_a_board_and_this_machine_find_the_same_boxes(prepared: tuple[Prepared, list[Cell]]) -> None:
    made, (cell, _) = prepared
    facts, host = check(made, cell), made.host(cell)
    assert host is not None
    assert (host["metric"], host["host_samples"]) == ("image-f1", 40)
    assert host["host_map50"] > 0.85
    assert facts["reason"] is None
    assert facts["board_samples"] == 12
    assert facts["agreement"] > 0.99
    assert facts["board"] == pytest.approx(facts["host_on_board_images"])
    assert 0.5 < facts["board_map50"] <= 1
    scores = image_scores(unpacked(facts["board_right"]), 12)
    assert scores is not None
    assert scores.mean() == pytest.approx(facts["board"])
    record = _accuracy(host, facts)
    assert record is not None
    assert (record.host_map50, record.board_map50) == (host["host_map50"], facts["board_map50"])


def test_what_8_bits_cost_is_judged_image_by_image(prepared: tuple[Prepared, list[Cell]]) -> None:
    made, cells = prepared
    before, after = (_accuracy(made.host(cell), check(made, cell)) for cell in cells)
    drop = accuracy_drop(after, before)
    assert drop is not None
    assert drop.paired
    assert drop.low is not None
    assert drop.high is not None
    assert drop.low < drop.value < drop.high


def test_boxes_of_other_places_do_not_pass_the_gate(prepared: tuple[Prepared, list[Cell]]) -> None:
    made, (cell, _) = prepared
    file = made.inputs(cell, cell.board).accuracy
    assert file is not None
    with np.load(file.path) as arrays:
        answers = as_a_board(made, cell, dict(arrays))
    turned = {name: np.flip(values, axis=3) for name, values in answers.items()}
    facts = judge_check({"accuracy": turned, "golden": made.golden_on_host(cell)}, made, cell)
    assert facts["board"] < 0.5
    assert "the board gives this machine's answer on only" in facts["reason"]


@pytest.mark.parametrize(
    ("decode", "told"),
    [
        ("", r'plan\.yaml:5: models\.m\.task: .*a detection needs the key "decode"'),
        ("decode: missing.py:boxes", r"models\.m\.task\.decode: there is no file .*missing\.py"),
        (f"{DECODE}\n      metrics: [top5]", 'the key "metrics" belongs to a task of the kind "classification"'),
    ],
)
def test_a_plan_that_says_no_boxes_is_refused_at_its_line(tmp_path: Path, decode: str, told: str) -> None:
    with pytest.raises(PlanError, match=told):
        load(tmp_path, decode)
