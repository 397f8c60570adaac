"""The section `search` of a plan: read with the plan, and every mistake named with file and line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness.blocks import planned_blocks
from hilbench.harness.errors import PlanError
from hilbench.harness.home import Home
from hilbench.harness.plan import Plan, expand, load_plan, plan_schema
from hilbench.harness.progress import Progress
from hilbench.harness.search.measurer import Candidate, Round
from hilbench.harness.search.onboards import BoardMeasurer
from hilbench.harness.search.searching import identity, search_plan
from hilbench.harness.search.spec import Objective
from hilbench.harness.selection import Boards
from hilbench.harness.sources import plan_hash, read_sources

ROOT = Path(__file__).parent.parent.parent.parent
DIGITS = ROOT / "models" / "digits"
INVENTORY = """\
boards:
  emulated-a76: {connection: emulated, cpu: cortex-a76}
  this-machine: {connection: local}
"""
PLAN = f"""\
name: looking
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz, calibration: {DIGITS}/digits-calibration.npz}}
boards: [emulated-a76, this-machine]
search:
  space:
    - fp16
    - [{{prune-l1: {{ratio: {{from: 0.2, to: 0.6, step: 0.2}}}}}}, int8-static]
  objectives:
    - {{metric: instructions}}
    - {{metric: latency, board: this-machine}}
    - {{metric: accuracy}}
  constraints:
    - accuracy drop <= 1pp
    - memory <= 64MiB on emulated-a76
  trials: 4
"""


def load(tmp_path: Path, text: str = PLAN) -> Plan:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "plan.yaml").write_text(text)
    return load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))


def test_a_plan_says_what_to_search(tmp_path: Path) -> None:
    spec = load(tmp_path).search
    assert spec is not None
    assert spec.space.size == 4
    assert spec.objectives[0] == Objective(metric="instructions", board="emulated-a76")
    assert [(limit.metric, limit.board) for limit in spec.limits] == [("drop", None), ("memory", "emulated-a76")]
    assert (spec.sampler, spec.effort) == ("nsga2", (2, 4, 8))


@pytest.mark.parametrize(
    ("change", "line", "sentence"),
    [
        (("fp16", "fp61"), 9, "search.space.0: Unknown recipe `fp61`"),
        (("ratio:", "ratoi:"), 10, "search.space.1: `prune-l1` has no parameter `ratoi`"),
        (("step: 0.2", "by: 0.2"), 10, "is a value, {any: [..]} or {from: .., to: .., step: ..}"),
        (("- fp16", "- int8-static\n    - int8-static"), 10, "stands there twice"),
        (("instructions}", "instructions, board: pi}"), 12, 'there is no board "pi"'),
        (("latency, board: this-machine", "latency, board: emulated-a76"), 13, "they say nothing of milliseconds"),
        (("{metric: accuracy}", "{metric: accuracy, board: this-machine}"), 14, "accuracy is told by no board"),
        (("instructions}", "memory}"), 12, 'name one, or write "board: worst"'),
        (("memory <= 64MiB", "p95 <= 3ms"), 17, "emulated-a76 is emulated"),
        (("drop <= 1pp", "drop <= 1"), 16, "a unit is missing"),
        (("trials: 4", "trials: 4\n  effort: [4, 4]"), 19, "each rung must have more blocks"),
        (("trials: 4", "trials: 4\n  effort: [2, 4]"), 19, "at least 6 blocks"),
        (("trials: 4", "trails: 4"), 18, 'unknown key "trails"; did you mean "trials"'),
        (("name: looking", "name: looking\nprotocol: certify"), 8, "follow `protocol: quick`"),
        (("name: looking", "name: looking\nruntimes: [{threads: 1}, {threads: 2}]"), 8, "one runtime setting"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, sentence: str) -> None:
    with pytest.raises(PlanError) as caught:
        load(tmp_path, PLAN.replace(*change))
    assert sentence in str(caught.value)
    assert f"plan.yaml:{line}:" in str(caught.value)


def test_accuracy_needs_a_task(tmp_path: Path) -> None:
    task = PLAN[PLAN.index("    task:") : PLAN.index("boards:")]
    with pytest.raises(PlanError, match="the model digits has no task"):
        load(tmp_path, PLAN.replace(task, ""))


def test_the_schema_knows_the_section() -> None:
    assert "SearchFile" in plan_schema()["definitions"]


def test_a_plan_without_the_section_is_told_so(tmp_path: Path) -> None:
    plan = load(tmp_path, PLAN[: PLAN.index("search:")])
    with pytest.raises(PlanError, match="has no section `search`"):
        search_plan(plan, Home(folder=tmp_path), command="", progress=Progress(quiet=True))


def test_a_search_is_the_same_with_other_trials_boards_and_limits_and_another_with_another_space(
    tmp_path: Path,
) -> None:
    def known_as(text: str) -> str:
        plan = load(tmp_path, text)
        return identity(plan, read_sources(plan, cache=tmp_path / "cache"))

    mine = known_as(PLAN)
    assert mine.startswith("looking-")
    assert known_as(PLAN.replace("trials: 4", "trials: 9")) == mine
    assert known_as(PLAN.replace("drop <= 1pp", "drop <= 2pp")) == mine
    assert known_as(PLAN.replace("to: 0.6", "to: 0.8")) != mine
    assert known_as(PLAN.replace("name: looking", "name: other")) != mine


def test_the_plan_of_a_round_can_be_read_as_a_plan_and_has_the_effort_of_its_rung(tmp_path: Path) -> None:
    plan = load(tmp_path)
    assert plan.search is not None
    points = list(plan.search.space.points())
    recipes = [plan.search.space.recipe(point) for point in points]
    measurer = BoardMeasurer(
        plan, Home(folder=tmp_path), search_id="looking-12345678", command="", progress=Progress(quiet=True)
    )
    candidates = tuple(Candidate(number=n, model="digits", recipe=recipe) for n, recipe in enumerate(recipes))
    asked = Round(number=3, effort={"emulated-a76": 1, "this-machine": 2}, candidates=candidates)
    round_plan = measurer._round_plan(asked, "digits", recipes)
    cells = expand(round_plan, {"digits": "onnx"})
    assert planned_blocks(round_plan, cells, round_plan.blocks) == {"emulated-a76": 1, "this-machine": 2}
    assert [cell.recipe for cell in cells if cell.board.name == "this-machine"] == ["fp32", *(r.name for r in recipes)]
    written = tmp_path / "again.yaml"
    from hilbench.harness.benchplan import yaml_text

    written.write_text(yaml_text(round_plan.source, written))
    again = load_plan(written, Boards(tmp_path / "inventory.yaml"))
    assert again.recipes == round_plan.recipes
    assert again.source == round_plan.source
    sources = read_sources(plan, cache=tmp_path / "cache")
    assert plan_hash(again, sources) == plan_hash(round_plan, sources)
    other = measurer._round_plan(replace(asked, number=4), "digits", recipes)
    assert plan_hash(other, sources) != plan_hash(round_plan, sources)
    assert round_plan.measuring.memory_processes == 1
    without = measurer._round_plan(replace(asked, memory=False), "digits", recipes)
    assert (without.measuring.memory_processes, without.source["memory_processes"]) == (0, 0)
    looked = measurer._round_plan(replace(asked, control=False), "digits", recipes)
    assert [sum(cell.twin for cell in expand(one, {"digits": "onnx"})) for one in (round_plan, looked)] == [2, 0]


def test_the_host_judges_a_candidate_and_names_the_boards_that_cannot_run_it(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "inventory.yaml").write_text(
        INVENTORY.replace("cpu: cortex-a76}", "cpu: cortex-a76, runtimes: [tflite-runtime]}")
    )
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    assert plan.search is not None
    measurer = BoardMeasurer(plan, Home(folder=tmp_path), search_id="s", command="", progress=Progress(quiet=True))
    recipe = plan.search.space.templates[0].recipe({})
    judged = measurer.judge(Candidate(number=0, model="digits", recipe=recipe))
    assert judged.failed is None
    assert set(judged.unsupported) == {"emulated-a76"}
    assert judged.artifact_bytes in range(500_000, 700_000)
    assert None not in (judged.drop_low, judged.drop, judged.drop_high)
    assert sorted([judged.drop or 0.0, judged.drop_low or 0.0, judged.drop_high or 0.0])[1] == judged.drop
    assert (judged.costs or {})["macs"] > 0


def test_the_example_is_a_search(tmp_path: Path) -> None:
    example = load_plan(ROOT / "plans" / "search.yaml", Boards(ROOT / "inventory.yaml"))
    assert example.search is not None
    assert example.search.trials < example.search.space.size
