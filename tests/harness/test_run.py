"""Which boards work at the same time, and what a run's end means for the exit code."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hilbench.harness import run
from hilbench.harness.campaign import exit_code
from hilbench.harness.plan import Cell
from hilbench.reports.record import Outcome, Record, RunRecord
from hilbench.targets.board import Arch, Board, EmulatedAddress, LocalAddress, Role, SshAddress

Log = list[tuple[str, str]]


def board(name: str, address: SshAddress | LocalAddress | EmulatedAddress, role: Role = Role.TARGET) -> Board:
    return Board(name=name, address=address, arch=Arch.ARM64, role=role, runtimes=())


def ssh(host: str, port: int = 22, user: str = "u") -> SshAddress:
    return SshAddress(host=host, port=port, user=user)


BOARDS = (
    board("pi-a", ssh("10.0.0.1")),
    board("pi-a-again", ssh("10.0.0.1", user="other")),
    board("pi-b", ssh("10.0.0.2")),
    board("here", LocalAddress(), Role.REFERENCE),
    board("here-by-ssh", ssh("127.0.0.1")),
    board("a72", EmulatedAddress(cpu="cortex-a72"), Role.EMULATED),
)


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Log]:
    """Run all boards with a stand-in for the measuring: it meets the other machines that work at its time."""
    log: Log = []
    lock = threading.Lock()
    meeting = threading.Barrier(3)  # pi-a, pi-b and a72 must be at work at once, or this never opens

    def measure(_context: Any, one: Board, _cells: Any) -> None:
        with lock:
            log.append(("begin", one.name))
        if one.name in ("pi-a", "pi-b", "a72"):
            meeting.wait(timeout=20)
        with lock:
            log.append(("end", one.name))

    monkeypatch.setattr(run, "measure_any", measure)

    def go() -> Log:
        context: Any = SimpleNamespace(plan=SimpleNamespace(boards=BOARDS), cancel=threading.Event())
        cells = [
            Cell(cell_id=b.name, board=b, model="m", recipe="fp32", runtime="onnxruntime", settings={}) for b in BOARDS
        ]
        run._measure_all(context, cells)
        return log

    return go


def test_machines_work_side_by_side_but_never_two_entries_of_one(worked: Callable[[], Log]) -> None:
    log = worked()
    assert log.index(("end", "pi-a")) < log.index(("begin", "pi-a-again"))


def test_boards_that_are_this_machine_work_alone_and_last(worked: Callable[[], Log]) -> None:
    log = worked()
    assert log[-4:] == [("begin", "here"), ("end", "here"), ("begin", "here-by-ssh"), ("end", "here-by-ssh")]


def record(outcome: Outcome) -> Record:
    return Record(
        cell_id=outcome.value,
        board="pi",
        role="target",
        emulated=False,
        arch="arm64",
        model="m",
        recipe="fp32",
        runtime="onnxruntime",
        settings={},
        outcome=outcome,
    )


EMPTY = RunRecord(
    run_id="r",
    started_at="2026-01-01T00:00:00.000Z",
    ended_at=None,
    state="finished",
    plan={},
    plan_name="p",
    plan_hash="h",
    seed=1,
    protocol="quick",
    hilbench_version="0",
    boards={},
    records=(),
)


@pytest.mark.parametrize(
    ("state", "outcomes", "code"),
    [
        ("interrupted", [Outcome.ERROR], 130),
        ("cancelled", [Outcome.ERROR], 130),
        ("incomplete", [Outcome.ERROR], 4),
        ("finished", [Outcome.ERROR], 3),
        ("finished", [Outcome.TIMEOUT, Outcome.UNSUPPORTED], 3),
        ("finished", [Outcome.UNSUPPORTED], 3),
        ("finished", [Outcome.INVALID], 1),
    ],
)
def test_the_exit_code_says_how_a_run_ended(state: str, outcomes: list[Outcome], code: int) -> None:
    ended = replace(EMPTY, state=state, records=tuple(record(outcome) for outcome in outcomes))
    assert exit_code(ended) == code


def test_the_machine_of_a_board_behind_a_gate_is_named_with_it() -> None:
    behind = replace(ssh("10.0.0.1"), jump=ssh("gate"))
    assert run.machine_of(board("x", behind)) != run.machine_of(board("y", ssh("10.0.0.1")))
