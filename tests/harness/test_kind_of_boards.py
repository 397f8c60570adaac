"""A run of two boards of one kind: the record knows the kind, so that the report can set the units side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness import protocol
from hilbench.harness.home import Home
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.run import run_plan
from hilbench.harness.selection import Boards
from hilbench.reports.export import export_json

DIGITS = Path(__file__).parents[2] / "models" / "digits"
INVENTORY = "kinds:\n  pc: {connection: local}\nboards:\n  one: {kind: pc}\n  two: {kind: pc}\n"
PLAN = (
    f"name: t\nmodels: {{digits: {{file: {DIGITS}/digits.onnx}}}}\nrecipes: [fp32]\nboards: [one, two]\n"
    "protocol: standard\nblocks: 2\noperators: false\ncounters: false\n"
)


def test_the_record_knows_the_kind_and_the_report_sets_its_units_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = replace(protocol.STANDARD, warmup_seconds=0.0, min_seconds=0.0, iterations=5, gap_s=0.05)
    monkeypatch.setitem(protocol.BY_NAME, "standard", brief)
    monkeypatch.setenv("HILBENCH_HEALTH_WAIT_S", "0")  # a busy machine only widens the intervals
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "plan.yaml").write_text(PLAN)
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    result = run_plan(plan, Home(folder=tmp_path / "state"), new=False, command="test", progress=Progress())
    assert {name: facts["kind"] for name, facts in result.record.boards.items()} == {"one": "pc", "two": "pc"}
    (spread,) = export_json(result.record)["run"]["units"]
    assert (spread["kind"], spread["recipe"], list(spread["medians"])) == ("pc", "fp32", ["one", "two"])
    page = result.report.read_text(encoding="utf-8") if result.report else ""
    assert "Units of one kind" in page
