"""A board that fails again and again, from the first failure to the look that clears it, as a user sees it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hilbench.harness.quarantine import note_failure
from hilbench.harness.store import Store
from hilbench.targets.errors import TransientTargetError

from ..targets.openssh_server import OpensshServer
from .conftest import PLAN, Lab
from .test_run_over_ssh import inventory

pytestmark = pytest.mark.timeout(300)

PLAN_SSH = PLAN.replace("[fp32, int8-static]", "[fp32]").replace("[a72]", "[board]")


def events(file: Path) -> list[dict[str, Any]]:
    """What `tee` took down: one JSON object after the other."""
    return json.loads("[" + file.read_text().replace("}{", "},{") + "]")


def log_lines(lab: Lab) -> list[dict[str, str | None]]:
    return [json.loads(line) for line in (lab.folder / "state" / "log" / "hilbench.jsonl").read_text().splitlines()]


def test_a_board_that_fails_three_times_is_left_alone_until_a_check_passes(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    server = OpensshServer(folder)  # not started yet
    told = f"notify:\n  - {{on: [quarantine, failure], command: 'tee -a {lab.folder}/told'}}\n"
    lab.write(inventory=inventory(server, lab.folder / "work") + told, plan=PLAN_SSH)
    store = Store.open(f"sqlite:///{lab.folder}/state/runs.sqlite")
    for run in ("one", "two"):
        note_failure(store, "board", run, TransientTargetError("no answer in time"))
    third = lab.run("run", "plan.yaml")
    assert third.returncode == 4
    assert "board is quarantined since" in third.stderr
    assert "because 3 jobs in a row failed on it, the last one: " in third.stderr
    first, second = events(lab.folder / "told")
    assert (first["event"], first["board"]) == ("quarantine", "board")
    assert first["message"].startswith("board is quarantined since")
    assert (second["event"], second["run"], second["exit_code"]) == ("failure", first["run"], 4)
    assert second["cells"] == {"error": 1}

    server.start()
    try:
        kept_out = lab.run("run", "plan.yaml")
        assert kept_out.returncode == 4
        (cell,) = lab.export()["cells"]
        assert cell["outcome"] == "error"
        assert cell["reason"].startswith("board is quarantined since")
        assert "`hilbench board check board` lifts it when it passes; nothing was measured" in cell["reason"]
        assert not (lab.folder / "work").exists(), "nothing was asked of the board"

        (listed,) = json.loads(lab.run("board", "list", "--json").stdout)["boards"]
        assert listed["quarantine"]["because"].startswith("3 jobs in a row failed")
        assert "board is quarantined since" in lab.run("board", "list").stdout
        assert "quarantine:  since 20" in lab.run("board", "show", "board", "--offline").stdout

        checked = lab.run("board", "check", "board", "--json")
        assert checked.returncode == 0, checked.stderr
        answer = json.loads(checked.stdout)
        assert (answer["usable"], answer["released"]) == (True, True)
        assert "quarantine:  no" in lab.run("board", "show", "board", "--offline").stdout
    finally:
        server.stop()
    with sqlite3.connect(lab.folder / "state" / "runs.sqlite") as database:
        rows = database.execute("SELECT kind FROM notes WHERE run_id = '' AND kind <> 'board' ORDER BY seq")
        assert [kind for (kind,) in rows] == ["board-failed"] * 3 + ["quarantined", "released"]
    lines = log_lines(lab)
    lost = [line for line in lines if line["event"] == "board-lost"]
    assert [(line["board"], line["level"]) for line in lost] == [("board", "error")]
    assert {line["run"] for line in lines if line["board"] == "board"} == {lost[0]["run"], None}
    assert [line["board"] for line in lines if line["event"] == "board-checked"] == ["board"]
