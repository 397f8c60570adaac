"""The settings of a file on an emulated board, by the instructions that it takes there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.harness.home import Home
from hilbench.harness.optimize.artifact import Wanted
from hilbench.harness.optimize.optimize import optimize_plan
from hilbench.harness.optimize.settingsfile import read_settings
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.smokemodel import write_smoke_model

pytestmark = pytest.mark.timeout(300)

# The runtime that a board without hardware acceleration imports fastest, its delegate switched off: a sure winner.
PLAN = """\
name: tiny
models: {m: {file: smoke.tflite}}
boards: [a72]
runtimes: [{name: tflite-runtime, xnnpack: false}]
"""


def test_an_emulated_board_finds_the_setting_that_does_less_work(tmp_path: Path) -> None:
    write_smoke_model(tmp_path, "tflite-runtime")
    (tmp_path / "inventory.yaml").write_text("boards:\n  a72: {connection: emulated, cpu: cortex-a72}\n")
    (tmp_path / "plan.yaml").write_text(PLAN)
    plan, home = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml")), Home(folder=tmp_path / "state")
    wanted = Wanted(factors=("place", "xnnpack", "arena"))
    (found,) = optimize_plan(plan, home, wanted=wanted, new=False, command="", progress=Progress(quiet=True))
    assert found.outcome == "better", found.sentence
    assert "does less work than the default setting" in found.sentence
    assert dict(found.left_out or {}) == {
        "place": "an emulated board has one processor, so threads and cores cannot differ",
        "arena": "tflite-runtime has no such setting",
    }
    assert "xnnpack" not in found.settings  # the runtime's own choice, which is on
    (kept,) = read_settings(home.settings("a72"))
    assert kept.evidence is not None
    assert (kept.evidence.word, kept.evidence.metric) == ("less-work", "instructions")
    assert kept.evidence.ratio is not None
    assert kept.evidence.ratio < 0.99
    assert kept.board["runtime_version"]
