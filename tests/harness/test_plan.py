"""A wrong plan is answered with file, line, what is wrong and what is allowed; a right one expands to all its cells."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hilbench.harness.blocks import TWIN, planned_blocks
from hilbench.harness.errors import PlanError
from hilbench.harness.plan import Plan, expand, load_plan, plan_schema
from hilbench.harness.selection import Boards
from hilbench.harness.sources import plan_hash, read_sources
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent.parent
DIGITS = ROOT / "models" / "digits"

INVENTORY = """\
boards:
  emulated-a72: {connection: emulated, cpu: cortex-a72}
  this-machine: {connection: local}
  old-pi: {connection: emulated, cpu: cortex-a53, runtimes: [tflite-runtime]}
"""
PLAN = f"""\
name: trial
models:
  digits:
    file: {DIGITS}/digits.onnx
    task:
      test: {DIGITS}/digits-test.npz
      calibration: {DIGITS}/digits-calibration.npz
recipes: [fp32, int8-static]
boards: [emulated-a72, this-machine]
"""


@pytest.fixture
def boards(tmp_path: Path) -> Boards:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY)
    return Boards(path)


def load(tmp_path: Path, boards: Boards, text: str) -> Plan:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return load_plan(path, boards)


def test_every_combination_is_a_cell_and_one_baseline_a_board_has_a_twin(tmp_path: Path, boards: Boards) -> None:
    plan = load(tmp_path, boards, PLAN.replace("this-machine]", "old-pi]"))
    cells = expand(plan, {"digits": "onnx"})
    assert [(cell.board.name, cell.recipe, cell.twin, cell.skip) for cell in cells] == [
        ("emulated-a72", "fp32", True, None),
        ("emulated-a72", "int8-static", False, None),
        ("old-pi", "fp32", False, "old-pi has no onnxruntime (it has: tflite-runtime)"),
        ("old-pi", "int8-static", False, "old-pi has no onnxruntime (it has: tflite-runtime)"),
    ]
    assert not any(TWIN in cell.cell_id for cell in cells)


def test_a_runtime_that_cannot_read_the_format_is_named_beforehand(tmp_path: Path, boards: Boards) -> None:
    plan = load(tmp_path, boards, PLAN + "runtimes: [{name: tflite-runtime}]\n")
    assert {cell.skip for cell in expand(plan, {"digits": "onnx"})} == {"tflite-runtime does not run ONNX files"}


def test_cells_of_other_settings_have_other_names(tmp_path: Path, boards: Boards) -> None:
    names = ["{name: onnxruntime}", "{name: onnxruntime, threads: 2}", "{name: onnxruntime, graph_optimization: basic}"]
    settings = f"runtimes: [{', '.join(names)}]\n"
    cells = expand(load(tmp_path, boards, PLAN + settings), {"digits": "onnx"})
    assert len({cell.cell_id for cell in cells}) == len(cells) == 12


@pytest.mark.parametrize(
    ("change", "line", "sentence"),
    [
        (
            ("boards: [emulated-a72", "boards: [emulated-a27"),
            9,
            'there is no board "emulated-a27"; did you mean "emulated-a72"',
        ),
        (("[fp32, int8-static]", "[fp32, int8-statik]"), 8, "Did you mean `int8-static`"),
        (("digits.onnx", "digit.onnx"), 4, "there is no file"),
        (("name: trial", "nam: trial"), 1, 'unknown key "nam"; did you mean "name"'),
        (("name: trial", "name: trial\nbaseline: fp64"), 2, '"fp64" is no recipe of this plan; did you mean "fp16"'),
        (("name: trial", "name: trial\nprotocol: fast"), 2, '"fast" is not allowed'),
        (("name: trial", "name: trial\nname: again"), 2, 'duplicate key "name"'),
        (
            ("name: trial", "name: trial\nruntimes: [{threads: 1}, {threads: 1}]"),
            2,
            "the same setting stands there twice",
        ),
        (("      test:", "      tset:"), 6, 'unknown key "tset"; did you mean "test"'),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, boards: Boards, change: tuple[str, str], line: int, sentence: str
) -> None:
    if "fp64" in change[1]:
        sentence = sentence.split(";")[0]
    with pytest.raises(PlanError) as caught:
        load(tmp_path, boards, PLAN.replace(*change))
    assert f"plan.yaml:{line}:" in str(caught.value)
    assert sentence in str(caught.value)


def test_a_plan_counts_as_another_when_its_data_changes(tmp_path: Path, boards: Boards) -> None:
    data, cache = tmp_path / "test.npz", tmp_path / "cache"
    text = f"name: t\nmodels: {{m: {{file: {DIGITS}/digits.onnx, task: {{test: test.npz}}}}}}\nboards: [this-machine]\n"

    def hash_with(images: NDArray[np.uint8]) -> str:
        np.savez(data, images=images, labels=np.arange(4) % 10)
        plan = load(tmp_path, boards, text)
        return plan_hash(plan, read_sources(plan, cache=cache))

    images = np.zeros((4, 28, 28), np.uint8)
    before = hash_with(images)
    assert hash_with(images) == before
    images[0, 0, 0] = 1  # as many bytes as before
    assert hash_with(images) != before


def test_verdicts_get_the_blocks_that_they_need(tmp_path: Path, boards: Boards) -> None:
    few = load(tmp_path, boards, PLAN)
    assert planned_blocks(few, expand(few, {"digits": "onnx"})) == {"emulated-a72": 3, "this-machine": 6}
    many = load(
        tmp_path, boards, PLAN.replace("[fp32, int8-static]", "[fp32, fp16, int8-dynamic, int8-static, prune-l1]")
    )
    assert planned_blocks(many, expand(many, {"digits": "onnx"})) == {"emulated-a72": 3, "this-machine": 8}
    short = replace(many, shortlist=("fp16",))
    assert planned_blocks(short, expand(short, {"digits": "onnx"}))["this-machine"] == 6


def test_a_judged_model_has_a_bound_on_accuracy_whatever_the_plan_says(tmp_path: Path, boards: Boards) -> None:
    assert load(tmp_path, boards, PLAN).budget["accuracy_drop"] == pytest.approx(0.01)
    unjudged = f"name: t\nmodels: {{m: {{file: {DIGITS}/digits.onnx}}}}\nboards: [this-machine]\n"
    assert load(tmp_path, boards, unjudged).budget["accuracy_drop"] is None


def test_the_budget_is_in_the_units_of_records(tmp_path: Path, boards: Boards) -> None:
    plan = load(tmp_path, boards, PLAN + "budget: {accuracy_drop_pp: 1, latency_p95_ms: 2.5, memory_peak_mib: 64}\n")
    assert plan.budget["accuracy_drop"] == pytest.approx(0.01)
    assert plan.budget["latency_p95_ns"] == 2_500_000
    assert plan.budget["memory_peak_bytes"] == 64 * 2**20
    assert plan.budget["instructions"] is None


@pytest.mark.parametrize("plan", sorted((ROOT / "plans").glob("*.yaml")), ids=lambda path: path.name)
def test_the_plans_that_come_with_it_are_right(plan: Path) -> None:
    loaded = load_plan(plan, Boards(ROOT / "inventory.yaml"))
    skipped = {cell.skip for cell in expand(loaded, {model.name: "onnx" for model in loaded.models})} - {None}
    assert skipped <= {"emulated-armhf has no onnxruntime (it has: tflite-runtime)"}


def test_the_plan_in_the_documentation_is_right(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "plans-and-recipes.md").read_text()
    text = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    path = tmp_path / "plan.yaml"
    path.write_text(text.replace("../models", str(ROOT / "models")))
    assert len(load_plan(path, Boards(ROOT / "inventory.yaml")).recipes) == 4


def test_the_schema_is_of_the_draft_that_editors_read() -> None:
    schema = plan_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in str(schema)
