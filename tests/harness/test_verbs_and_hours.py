"""Verbs that work on boards by themselves leave them alone outside their hours, unless told otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hilbench.harness.cli import main

PLAN = """\
name: trial
models: {m: {file: m.onnx}}
boards: [here]
search: {space: [fp16], objectives: [{metric: size}]}
"""


@pytest.mark.parametrize("verb", ["run", "optimize", "search"])
def test_a_board_outside_its_hours_is_left_alone(tmp_path: Path, verb: str) -> None:
    later = datetime.now().astimezone() + timedelta(hours=11)
    hours = f"{later:%H:%M}-{later + timedelta(hours=1):%H:%M}"
    (tmp_path / "m.onnx").touch()
    (tmp_path / "inventory.yaml").write_text(f'boards:\n  here: {{connection: local, hours: ["{hours}"]}}\n')
    (tmp_path / "plan.yaml").write_text(PLAN)
    done = CliRunner().invoke(
        main, [verb, str(tmp_path / "plan.yaml"), "--inventory", str(tmp_path / "inventory.yaml")]
    )
    assert done.exit_code == 2
    assert "here is outside its hours, which begin at" in done.stderr
    assert "--any-time" in done.stderr
