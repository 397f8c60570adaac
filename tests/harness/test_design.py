"""A plan's own number of blocks, and the width of intervals at which it may end before that number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness import protocol
from hilbench.harness.campaign import RunResult
from hilbench.harness.design import design
from hilbench.harness.errors import PlanError
from hilbench.harness.home import Home
from hilbench.harness.plan import Plan, expand, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.run import run_plan
from hilbench.harness.selection import Boards
from hilbench.reports.summary import summarize

DIGITS = Path(__file__).parents[2] / "models" / "digits"
HEAD = f"name: t\nmodels: {{digits: {{file: {DIGITS}/digits.onnx}}}}\nrecipes: [fp32, fp16]\nboards: [here]\n"


def read(folder: Path, more: str) -> Plan:
    (folder / "inventory.yaml").write_text("boards:\n  here: {connection: local}\n")
    (folder / "plan.yaml").write_text(HEAD + more)
    return load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))


def blocks(plan: Plan) -> dict[str, int]:
    return design(plan, expand(plan, {"digits": "onnx"}))


def test_a_plan_may_name_its_number_of_blocks(tmp_path: Path) -> None:
    assert blocks(read(tmp_path, "")) == {"here": 6}
    assert blocks(read(tmp_path, "blocks: 17\n")) == {"here": 17}


def test_a_number_that_can_reach_no_verdict_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.yaml:6: blocks: 5 cannot prove a comparison at 5 %.*; 6 could"):
        blocks(read(tmp_path, "seed: 3\nblocks: 5\n"))


def test_a_width_that_leaves_no_room_to_stop_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.yaml:5: stop_at_width_pct: a campaign of 6 blocks has no room"):
        blocks(read(tmp_path, "stop_at_width_pct: 2\n"))
    assert blocks(read(tmp_path, "stop_at_width_pct: 2\nblocks: 30\n")) == {"here": 30}


class _Said(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []

    def say(self, line: str) -> None:
        self.sentences.append(line)


def _run(folder: Path, plan: Plan, said: _Said) -> RunResult:
    return run_plan(plan, Home(folder=folder / "state"), new=False, command="test", progress=said)


def test_a_campaign_ends_once_its_intervals_are_narrow_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brief = replace(protocol.STANDARD, warmup_seconds=0.0, min_seconds=0.0, iterations=5, gap_s=0.05)
    monkeypatch.setitem(protocol.BY_NAME, "standard", brief)
    monkeypatch.setenv("HILBENCH_HEALTH_WAIT_S", "0")  # a busy machine only widens the intervals
    said = _Said()
    plan = read(tmp_path, "protocol: standard\nblocks: 60\nstop_at_width_pct: 100\noperators: false\ncounters: false\n")
    result = _run(tmp_path, plan, said)
    ended = result.record.boards["here"]["ended_early"]
    assert 10 <= ended["blocks"] < 60
    assert ended["of"] == 60
    assert [record.outcome.value for record in result.record.records] == ["ok", "ok"]
    assert f"here: ends after {ended['blocks']} of 60 blocks: no interval is wider than 100 %" in said.sentences
    assert result.record.planned_blocks == {"here": ended["blocks"]}
    assert f"ended after {ended['blocks']} of 60 blocks: no interval was wider than 100 %" in {
        remark for cell in summarize(result.record).cells for remark in cell.validity.remarks
    }
    assert any(sentence.startswith("here: 60 blocks, 180 timed processes, at least") for sentence in said.sentences)
