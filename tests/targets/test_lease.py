"""The contract of leases on this machine, without flock, over SSH; two accounts; a real agent that is fenced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.targets.agent.journal import JOURNAL, parse_journal
from hilbench.targets.claim import AgentLeft, Holder
from hilbench.targets.connection import Completed, Connection
from hilbench.targets.errors import CommandError
from hilbench.targets.lease import Lease, LeaseLostError, acquire, show_lease
from hilbench.targets.local import LocalConnection, open_local
from hilbench.targets.session import start_session
from hilbench.targets.ssh import SshConnection
from hilbench.targets.transfer import quoted

from .agent_jobs import agent_pid, alive, cell, job, save_slow_model, wait_for
from .lease_contract import LeaseBoard, LeaseContract, WholeLeaseContract, claim

TOOLS = [
    "cat",
    "chmod",
    "grep",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "printf",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "setsid",
    "sh",
    "sleep",
    "sync",
    "touch",
]


class TestLeaseOnThisMachine(WholeLeaseContract):
    @pytest.fixture
    def connection(self) -> Connection:
        return open_local()


class TestLeaseOverSsh(LeaseContract):
    turns = 1

    @pytest.fixture
    def connection(self, ssh_connection: SshConnection) -> Connection:
        return ssh_connection


class Without(LocalConnection):
    """A board whose shell finds few programs: busybox without flock is such a one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        return super().run(f"PATH={self.path}; export PATH; {command}", timeout_s=timeout_s, stdin=stdin)


class TestLeaseWithoutFlock(WholeLeaseContract):
    @pytest.fixture
    def connection(self, tmp_path: Path) -> Connection:
        for name in TOOLS:
            found = shutil.which(name)
            assert found is not None, name
            (tmp_path / name).symlink_to(found)
        return Without(tmp_path)

    def test_a_lock_whose_command_was_killed_is_broken_after_ten_seconds(self, board: LeaseBoard) -> None:
        board.take(claim("a")).release()
        folder = f"{board.workdir}/lease"
        board.sh(f"cd {folder}; set -- busy.*; eval n=\\${{$#}}; ln -s boot-1.1.1000 busy.$((${{n##*.}} + 1))")
        board.set_uptime(1012)
        assert board.take(claim("b")).token == 2

    def test_a_lock_of_an_earlier_boot_is_none(self, board: LeaseBoard) -> None:
        board.sh(f"mkdir -p {board.workdir}/lease; ln -s boot-0.1.1000 {board.workdir}/lease/busy.7")
        assert board.take(claim("a")).token == 1

    def test_the_links_of_the_lock_do_not_pile_up(self, board: LeaseBoard) -> None:
        for who in "abcdef":
            board.take(claim(who)).release()
        assert len(board.sh(f"ls {board.workdir}/lease").splitlines()) <= 3


class AsNobody(LocalConnection):
    """Another account of this machine."""

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        line = f"exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c {quoted(command)}"
        return super().run(line, timeout_s=timeout_s, stdin=stdin)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[LeaseBoard]:
    assert os.geteuid() == 0, "this test acts as two accounts: run it as root"
    root = open_local()
    folder = root.run("mktemp -d /var/tmp/hilbench-test-XXXXXX", timeout_s=10).stdout.decode().strip()
    root.run(f"chmod 1777 {folder}", timeout_s=10)
    yield LeaseBoard(root, f"{folder}/work", "/proc")
    shutil.rmtree(folder)


@pytest.mark.parametrize("first", ["root", "nobody"])
def test_two_accounts_take_turns_whoever_made_the_folder(shared: LeaseBoard, first: str) -> None:
    nobody = LeaseBoard(AsNobody(), shared.workdir, shared.clock)
    one, other = (shared, nobody) if first == "root" else (nobody, shared)
    for turn in range(3):
        one.take(claim(f"one-{turn}", ttl_s=1))
        other_lease = wait_for(lambda: _lease(other), "the other account gets it after a second")
        one_more = one.ask(claim("x"))
        assert isinstance(one_more, Holder)
        assert {one_more.account, first} in ({"root", "nobody"}, {"nobody", "root"})
        other_lease.release()


def _lease(board: LeaseBoard) -> Lease | None:
    answer = board.ask(claim("other", ttl_s=60))
    return answer if isinstance(answer, Lease) else None


def test_an_agent_of_an_account_that_cannot_be_ended_keeps_the_board(shared: LeaseBoard) -> None:
    agent = shared.start_agent("theirs.1")
    connection = AsNobody()
    found = acquire(connection, shared.workdir, claim("b"), reconnect=AsNobody)
    assert isinstance(found, AgentLeft)
    assert (found.account, found.job) == ("root", "theirs.1")
    assert shared.shown() == []
    shared.sh(f"kill -9 $(cat {agent}/pid) $(cat {agent}/child)")
    assert isinstance(acquire(connection, shared.workdir, claim("b"), reconnect=AsNobody), Lease)


def test_a_folder_that_this_account_cannot_write_is_said_in_one_sentence(shared: LeaseBoard) -> None:
    shared.sh(f"mkdir -m 755 {shared.workdir}")
    with pytest.raises(CommandError, match="work/lease on the board cannot be used: this account cannot make it"):
        acquire(AsNobody(), shared.workdir, claim("b"), reconnect=AsNobody)


def test_a_real_agent_is_ended_when_its_board_is_taken_and_its_controller_may_start_no_other(tmp_path: Path) -> None:
    workdir, local = str(tmp_path / "board"), open_local()
    first = acquire(local, workdir, claim("first", ttl_s=1), reconnect=open_local)
    assert isinstance(first, Lease)
    slow = cell("slow", tmp_path, model=save_slow_model(tmp_path / "slow.onnx", repeats=40), check=False, memory=False)
    endless = job(slow, job_id="first.1", iterations=20000, process_timeout_s=600.0)
    session = start_session(local, workdir, endless, guard=first.guard)
    pid = agent_pid(Path(session.jobdir))
    assert alive(pid)

    def taken() -> Lease | None:
        answer = acquire(local, workdir, claim("second"), reconnect=open_local)
        return answer if isinstance(answer, Lease) else None

    second = wait_for(taken, "the second controller gets the board after a second")
    assert not alive(pid)
    assert parse_journal((Path(session.jobdir) / JOURNAL).read_bytes())[-1]["state"] == "stopped"
    with pytest.raises(LeaseLostError, match="in use by second@lab"):
        start_session(local, workdir, job(slow, job_id="first.2"), guard=first.guard)
    assert not (Path(session.jobdir).parent / "first.2" / JOURNAL).exists()
    assert [holder.token for holder in show_lease(local, workdir)] == [second.token]
