"""The two runs of an optimisation as plans: one artifact, one board, as many blocks as they need and no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness.blocks import comparisons, planned_blocks
from hilbench.harness.measurefile import measuring_of
from hilbench.harness.optimize.stages import Subject, confirmation, screening
from hilbench.harness.plan import Plan, expand, load_plan
from hilbench.harness.planfile import PlanFile
from hilbench.harness.runtimeplan import RuntimePlan
from hilbench.harness.selection import Boards
from hilbench.reports.statistics import blocks_needed

PLAN = """\
name: {name}
models: {{m: {{file: m.onnx}}, n: {{file: m.onnx}}}}
recipes: [fp32, fp16, {{name: mine, steps: [fp16]}}]
boards: [here, a72]
protocol: {protocol}
shortlist: [fp16]
budget: {{artifact_kb: 1}}
"""
SEARCH = "search: {space: [fp16], objectives: [{metric: size}, {metric: instructions, board: a72}]}\n"
SETTINGS = tuple(RuntimePlan(name="onnxruntime", threads=threads) for threads in (1, 2, 4))


def plan_of(folder: Path, *, protocol: str = "quick", name: str = "trial", more: str = "") -> Plan:
    (folder / "m.onnx").touch()
    (folder / "inventory.yaml").write_text(
        "boards:\n  here: {connection: local}\n  a72: {connection: emulated, cpu: cortex-a72}\n"
    )
    (folder / "plan.yaml").write_text(PLAN.format(protocol=protocol, name=name) + more)
    return load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))


def subject(plan: Plan, board: str = "here", recipe: str = "mine") -> Subject:
    return Subject(
        board=next(one for one in plan.boards if one.name == board), model="n", recipe=recipe, runtime="onnxruntime"
    )


def blocks_of(plan: Plan) -> dict[str, int]:
    return planned_blocks(plan, expand(plan, {"m": "onnx", "n": "onnx"}), plan.blocks)


def test_a_stage_has_one_artifact_on_one_board_and_compares_no_recipes(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    stage = screening(plan, subject(plan), SETTINGS, "latency")
    cells = expand(stage, {"n": "onnx"})
    assert [(cell.board.name, cell.model, cell.recipe, cell.settings["threads"]) for cell in cells] == [
        ("here", "n", "mine", 1),
        ("here", "n", "mine", 2),
        ("here", "n", "mine", 4),
    ]
    assert [cell.twin for cell in cells] == [True, False, False]  # the control is the default setting
    assert comparisons(stage, cells) == 0
    assert set(stage.budget.values()) == {None}


@pytest.mark.parametrize("protocol", ["quick", "standard", "certify"])
def test_a_confirmation_has_the_blocks_of_its_protocol_and_of_its_verdicts(tmp_path: Path, protocol: str) -> None:
    plan = plan_of(tmp_path, protocol=protocol)
    least = blocks_needed(len(SETTINGS) - 1)
    own = {"quick": 6, "standard": 12, "certify": 20}[protocol]
    assert blocks_of(screening(plan, subject(plan), SETTINGS, "latency")) == {"here": 3}
    assert blocks_of(confirmation(plan, subject(plan), SETTINGS, "latency")) == {"here": max(own, least)}
    asked = replace(plan, blocks=2)
    assert blocks_of(screening(asked, subject(asked), SETTINGS, "latency")) == {"here": 2}
    assert blocks_of(confirmation(asked, subject(asked), SETTINGS, "latency")) == {"here": least}


def test_an_emulated_board_is_screened_by_one_process_and_confirmed_by_its_protocol(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert blocks_of(screening(plan, subject(plan, "a72"), SETTINGS, "latency")) == {"a72": 1}
    assert blocks_of(confirmation(plan, subject(plan, "a72"), SETTINGS, "latency")) == {"a72": 3}
    for asked, given in ((1, 3), (5, 5)):  # one process proves nothing, so the confirmation takes as many as it needs
        own = replace(plan, processes=asked)
        assert blocks_of(screening(own, subject(own, "a72"), SETTINGS, "latency")) == {"a72": 1}
        assert blocks_of(confirmation(own, subject(own, "a72"), SETTINGS, "latency")) == {"a72": given}


def test_memory_is_told_by_as_many_processes_as_a_verdict_needs(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    for stage in (screening, confirmation):
        assert stage(plan, subject(plan), SETTINGS, "memory").measuring.memory_processes == 3
        assert stage(plan, subject(plan), SETTINGS, "latency").measuring.memory_processes == 1


def test_a_stage_is_stored_as_a_plan_that_could_be_written_and_is_told_from_the_others(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, name="x" * 64, more=SEARCH)
    first = screening(plan, subject(plan), SETTINGS, "latency")
    others = (
        confirmation(plan, subject(plan), SETTINGS, "latency"),
        screening(plan, subject(plan), SETTINGS[:2], "latency"),
        screening(plan, subject(plan), SETTINGS, "memory"),
        screening(plan, subject(plan, recipe="fp16"), SETTINGS, "latency"),
    )
    for stage in (first, *others):
        file = PlanFile.model_validate(dict(stage.source))
        assert (file.name, file.blocks, file.processes) == (stage.name, stage.blocks, stage.processes)
        assert measuring_of(file, file.protocol) == stage.measuring  # a run that is made from it is the same one
        assert file.search is None  # it may name boards that are not of this stage
    assert all(dict(first.source) != dict(other.source) for other in others)
    assert first.source["recipes"][0]["name"] == "mine"
