"""The lease of a run whose controller was killed is given back by whoever goes on with the run."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.harness.home import Home
from hilbench.harness.leased import give_back_lost_lease
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.run import run_plan
from hilbench.harness.selection import Boards
from hilbench.harness.smokemodel import write_smoke_model
from hilbench.harness.store import Store
from hilbench.reports.record import RunRecord
from hilbench.targets.board import Board, SshAddress
from hilbench.targets.lease import show_lease
from hilbench.targets.local import open_local

from ..targets.openssh_server import free_port

PLAN = """\
name: short
models: {m: {file: smoke.onnx}}
boards: [here]
blocks: 2
operators: false
counters: false
"""
KILLED = """\
import os, signal, sys
from pathlib import Path
from hilbench.harness.home import Home
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.run import run_plan
from hilbench.harness.selection import Boards
from hilbench.targets.lease import Lease

Lease.release = lambda _: os.kill(os.getpid(), signal.SIGKILL)
folder = Path(sys.argv[1])
plan = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))
run_plan(plan, Home(folder=folder / "state"), new=False, command="", progress=Progress(quiet=True))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("lab")
    write_smoke_model(folder, "onnxruntime")
    (folder / "inventory.yaml").write_text(f"boards:\n  here: {{connection: local, workdir: {folder}/work}}\n")
    (folder / "plan.yaml").write_text(PLAN)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HILBENCH_HEALTH_WAIT_S", "0")
        yield folder


@pytest.fixture(scope="module")
def owner(lab: Path) -> str:
    """Who has the board after the controller of a run was killed that had measured all."""
    killed = subprocess.run([sys.executable, "-c", KILLED, str(lab)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (found,) = holders(lab)
    return found


@pytest.fixture(scope="module")
def run_id(lab: Path, owner: str) -> str:
    """The run, gone on with to its end."""
    record = ran(lab)
    assert record.state == "finished"
    assert owner.endswith(f":{record.run_id}")
    return record.run_id


@pytest.fixture
def store(lab: Path, run_id: str) -> Iterator[Store]:
    opened = Store.open(Home(folder=lab / "state").database_url)
    yield opened
    opened.close()


@pytest.fixture
def board(lab: Path) -> Board:
    return Boards(lab / "inventory.yaml").board("here")


def ran(lab: Path) -> RunRecord:
    plan = load_plan(lab / "plan.yaml", Boards(lab / "inventory.yaml"))
    return run_plan(plan, Home(folder=lab / "state"), new=False, command="", progress=Progress(quiet=True)).record


def holders(lab: Path) -> list[str]:
    connection = open_local()
    try:
        return [holder.owner for holder in show_lease(connection, str(lab / "work"))]
    finally:
        connection.close()


def test_killed_when_all_was_measured_the_board_is_free_once_the_run_goes_on(lab: Path, run_id: str) -> None:
    assert holders(lab) == [], run_id


def test_a_board_that_was_given_back_is_not_asked_again(
    store: Store, run_id: str, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilbench.harness.leased.connect_board", lambda _: pytest.fail("it was asked"))
    give_back_lost_lease(store, run_id, board)
    store.add_note(run_id, board.name, "lease", {"token": 7, "owner": "me:r", "person": "me"})
    with pytest.raises(pytest.fail.Exception, match="it was asked"):
        give_back_lost_lease(store, run_id, board)


def test_a_run_that_came_to_its_end_by_itself_has_noted_that_it_gave_the_board_back(
    lab: Path, store: Store, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lab / "plan.yaml").write_text(PLAN.replace("short", "whole"))
    whole = ran(lab).run_id
    monkeypatch.setattr("hilbench.harness.leased.connect_board", lambda _: pytest.fail("it was asked"))
    give_back_lost_lease(store, whole, board)


def test_the_lease_of_another_is_left_alone_and_a_board_out_of_reach_is_no_error(
    lab: Path, store: Store, run_id: str, board: Board
) -> None:
    store.add_note(run_id, board.name, "lease", {"token": 8, "owner": "me:r", "person": "me"})
    away = SshAddress(host="127.0.0.1", port=free_port(), user="nobody", known_hosts=str(lab / "none"))
    give_back_lost_lease(store, run_id, replace(board, address=away))
    (lab / "work" / "lease" / "held").write_text(held_by("another:run"))
    give_back_lost_lease(store, run_id, board)
    assert holders(lab) == ["another:run"]


def held_by(owner: str) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    until = int(float(Path("/proc/uptime").read_text().split()[0])) + 600
    return "\n".join(["1", boot, str(until), "account", "person", owner, "note", ""])
