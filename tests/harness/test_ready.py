"""A board made ready for a job: what is asked, waited for and noted, on a real sshd."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hilbench.harness import ready
from hilbench.harness.health import Action
from hilbench.harness.notify import Event
from hilbench.harness.quarantine import QuarantinedError, UnfitBoardError, release, standing
from hilbench.harness.ready import WAIT_SETTING, Errand, health_wait_s, open_ready
from hilbench.harness.store import RunRow, Store
from hilbench.targets.board import Arch, Board, BoardRuntime, Role
from hilbench.targets.cachelimit import CacheFile
from hilbench.targets.claim import claim_for
from hilbench.targets.connection import Connection
from hilbench.targets.errors import HostKeyError, TargetError, TransientTargetError
from hilbench.targets.open import OpenBoard
from hilbench.targets.vitals import ask_vitals

from ..targets.openssh_server import OpensshServer, free_port, running
from ..targets.power_switch import switched_off

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKXGBf2b0lLtNiEWwuWmu4BzMDDMmRXRzYqfGzTZ6hIt"
WELL: dict[str, Any] = {"cores": 4, "load": (0.1, 0.1, 0.1), "running": 1, "temperatures_c": {"cpu": 40.0}}
BUSY: dict[str, Any] = {**WELL, "load": (4.0, 4.0, 4.0), "running": 9}
HOT: dict[str, Any] = {**WELL, "temperatures_c": {"cpu": 99.0}}


@dataclass
class Lab:
    store: Store
    board: Board
    said: list[str] = field(default_factory=list[str])
    told: list[Event] = field(default_factory=list[Event])
    cancel: threading.Event = field(default_factory=threading.Event)
    run_id: str = "20260101-000000-aaaa"

    @contextmanager
    def job(self, **files: Path) -> Generator[OpenBoard]:
        with open_ready(
            self.board,
            Errand(run_id=self.run_id, files=files, model_bytes=0),
            store=self.store,
            claim=claim_for(self.run_id, "a test"),
            tell=self.told.append,
            say=self.said.append,
            cancel=self.cancel,
        ) as opened:
            yield opened

    def kinds(self) -> list[str]:
        return [note.kind for note in self.store.lab_notes(self.board.name)]

    def health(self) -> list[tuple[str, str]]:
        notes = self.store.notes(self.run_id, "health")
        return [(problem["what"], problem["action"]) for note in notes for problem in note.facts["problems"]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path, server: OpensshServer, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HILBENCH_HOST_DIR", str(tmp_path / "host"))
    monkeypatch.setenv(WAIT_SETTING, "0")
    board = Board(
        name="pi",
        address=server.address(),
        arch=Arch.X86_64,
        role=Role.TARGET,
        runtimes=(BoardRuntime(name="onnxruntime", python=sys.executable),),
        workdir=str(tmp_path / "work"),
    )
    lab = Lab(store=Store.open(f"sqlite:///{tmp_path}/runs.sqlite"), board=board)
    names = ("run_id", "plan_name", "plan_hash", "protocol", "state", "started_at")
    row: Any = {**dict.fromkeys(names, lab.run_id), "seed": 1, "ended_at": None, "facts": {}}
    lab.store.add_run(RunRow(**row), [])
    return lab


def says(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> Callable[[], int]:
    """The board says this of itself at one look after the other; gives how often it was asked."""
    left = list(answers)
    asked: list[str] = []

    def answer(_connection: Connection, board: Board) -> dict[str, Any]:
        asked.append(board.name)
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(ready, "ask_vitals", answer)
    monkeypatch.setattr(ready, "_LOOK_S", 0.01)
    monkeypatch.setattr(ready, "_GLANCE_S", 0.01)
    return lambda: len(asked)


def test_a_job_that_has_the_board_to_its_end_is_a_success_of_the_board(lab: Lab) -> None:
    with lab.job() as opened:
        assert opened.connection.run("echo here", timeout_s=10).stdout == b"here\n"
        assert lab.kinds() == []
    assert lab.kinds() == ["board-ok"]


def test_a_board_is_asked_in_one_round_trip_what_it_is_like_and_what_it_has(lab: Lab, tmp_path: Path) -> None:
    cache = Path(lab.board.workdir) / "cache"
    with lab.job() as opened:
        cache.mkdir(parents=True)
        (cache / f"{'a' * 64}.onnx").write_bytes(b"x" * 123)
        commands: list[str] = []
        real = opened.connection.run

        class Counting:
            def run(self, command: str, **rest: Any) -> Any:
                commands.append(command)
                return real(command, **rest)

        counting: Any = Counting()
        facts = ask_vitals(counting, lab.board)
    assert len(commands) == 1
    assert facts["cache"] == [CacheFile(name=f"{'a' * 64}.onnx", size_bytes=123, removable=True)]
    assert facts["running"] >= 1
    assert facts["clock_s"] > 1.7e9
    for name in ("cores", "workdir_free_bytes"):
        assert facts[name] > 0
    assert facts["memory"]["available_bytes"] > 0


def test_the_third_job_that_cannot_reach_the_board_quarantines_it_and_tells_and_then_none_asks_it(lab: Lab) -> None:
    up = lab.board
    address: Any = lab.board.address
    lab.board = replace(up, address=replace(address, port=free_port()))
    for _ in range(3):
        with pytest.raises(TransientTargetError, match="refused"), lab.job():
            pass
    (event,) = lab.told
    assert (event.occasion.value, event.board, event.run) == ("quarantine", "pi", lab.run_id)
    assert event.message in lab.said
    lab.board = up  # reachable again; yet nobody asks it
    with pytest.raises(QuarantinedError, match=r"pi is quarantined since .* because 3 jobs in a row failed"), lab.job():
        pass
    assert lab.kinds() == ["board-failed", "board-failed", "board-failed", "quarantined"]
    assert not Path(up.workdir).exists()
    release(lab.store, "pi", person="ada@lab")
    with lab.job():
        pass
    assert standing(lab.store.lab_notes("pi")).failures == 0


def test_a_board_that_is_lost_in_mid_job_has_failed_and_one_with_a_wrong_key_has_not(lab: Lab) -> None:
    with pytest.raises(TransientTargetError), lab.job():
        raise TransientTargetError("lost in the middle")
    assert lab.kinds() == ["board-failed"]
    address: Any = lab.board.address
    lab.board = replace(lab.board, address=replace(address, host_key=OTHER_KEY))
    with pytest.raises(HostKeyError), lab.job():
        pass
    assert lab.kinds() == ["board-failed"]


def test_an_interruption_is_neither_a_failure_nor_a_success(lab: Lab) -> None:
    with pytest.raises(KeyboardInterrupt), lab.job():
        raise KeyboardInterrupt
    assert lab.kinds() == []


def test_a_burst_that_is_over_at_the_second_look_is_no_load(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = says(monkeypatch, BUSY, WELL)
    with lab.job():
        pass
    assert (asked(), lab.said, lab.health()) == (2, [], [])


def test_a_busy_board_is_waited_for_until_it_is_free(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = says(monkeypatch, BUSY, BUSY, BUSY, WELL)
    monkeypatch.setenv(WAIT_SETTING, "60")
    with lab.job() as opened:
        assert "health" not in opened.facts
    assert asked() == 4
    assert "used by others" in lab.said[0]
    assert "waiting up to 60 s" in lab.said[1]
    assert lab.said[2] == "that has passed"
    assert lab.health() == []


def test_a_board_that_stays_busy_is_used_all_the_same_and_that_is_kept_with_its_figures(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, BUSY)
    monkeypatch.setenv(WAIT_SETTING, "0.1")
    with lab.job() as opened:
        (sentence,) = opened.facts["health"]
        assert "used by others" in sentence
    assert lab.said[-1] == "going on all the same"
    assert lab.health() == [("load", Action.WAIT.value)]


def test_a_board_that_stays_too_hot_is_refused_and_that_is_its_fault(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = says(monkeypatch, HOT)
    monkeypatch.setenv(WAIT_SETTING, "0.1")
    with pytest.raises(UnfitBoardError, match=r"99 °C .*look at its cooling"), lab.job():
        pass
    assert asked() > 1
    assert lab.kinds() == ["board-failed"]
    assert "going on all the same" not in lab.said


def test_a_board_without_memory_is_left_out_without_a_failure(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, {**WELL, "memory": {"available_bytes": 1_000_000}})
    with pytest.raises(TargetError, match=r"1\.0 MB of memory available and needs 64\.0 MB"), lab.job():
        pass
    assert lab.kinds() == []


def test_only_what_the_board_lacks_needs_room(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(bytes(5_000_000))
    room: dict[str, Any] = {**WELL, "workdir_free_bytes": 33_000_000}
    says(monkeypatch, room)
    with pytest.raises(UnfitBoardError, match=r"needs 37\.0 MB \(5\.0 MB to send"), lab.job(abc=file):
        pass
    says(monkeypatch, {**room, "cache": [CacheFile(name="abc.onnx", size_bytes=5_000_000, removable=False)]})
    with lab.job(abc=file):
        pass


def test_stopping_ends_the_waiting(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, BUSY)
    monkeypatch.setenv(WAIT_SETTING, "3600")
    monkeypatch.setattr(ready, "_LOOK_S", 3600)
    threading.Timer(0.3, lab.cancel.set).start()
    with pytest.raises(TargetError, match="stopped while pi was waited for"), lab.job():
        pass
    assert lab.kinds() == []


def test_a_job_that_an_earlier_controller_left_on_the_board_is_not_disturbed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = says(monkeypatch, {**WELL, "memory": {"available_bytes": 0}})
    lab.store.add_note(lab.run_id, "pi", "session", {})
    with lab.job():
        pass
    assert asked() == 0
    lab.store.add_note(lab.run_id, "pi", "collected", {})
    with pytest.raises(TargetError, match="memory"), lab.job():
        pass


def test_a_board_that_is_off_is_switched_on_for_the_job(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "off"
    folder.mkdir()
    with switched_off(folder) as switch:
        power = {"power_cycle": (str(switch.program), "on"), "power_cycle_wait_s": 20.0}
        lab.board = replace(lab.board, address=switch.server.address(), **power)
        with lab.job() as opened:
            assert opened.connection.run("echo here", timeout_s=10).stdout == b"here\n"
        assert switch.log.read_text() == "on\n"
    assert lab.kinds() == ["board-ok"]


def test_a_wrong_setting_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WAIT_SETTING, "ten")
    with pytest.raises(ValueError, match=r'HILBENCH_HEALTH_WAIT_S is "ten"; it must be a number of seconds'):
        health_wait_s()
