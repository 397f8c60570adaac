"""Two controllers with nothing in common but the board: never at once, and whoever was too late is refused."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.targets.emulated.host import MachineLock, machine_folder

from ..targets.openssh_server import OpensshServer, free_port, running
from .conftest import PLAN, Lab, wait_for_processes
from .ledger import measured, stored
from .recording import Fault, sentence
from .test_run_over_ssh import inventory

pytestmark = pytest.mark.timeout(300)

TTL_S = 6
BLOCKS = 4
MANY_BLOCKS = 10  # on a busy machine a second controller begins so late that the first would be done with few
PLAN_ON_BOARD = PLAN.replace("[fp32, int8-static]", "[fp32]").replace("[a72]", "[board]") + f"blocks: {BLOCKS}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def labs(tmp_path: Path, server: OpensshServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lab, Lab]]:
    """Two controllers as if on two machines: neither their state nor this machine's lock is shared."""
    monkeypatch.setenv("HILBENCH_LEASE_TTL_S", str(TTL_S))
    pair = (
        Lab(folder=tmp_path / "one", host_dir=tmp_path / "h1"),
        Lab(folder=tmp_path / "two", host_dir=tmp_path / "h2"),
    )
    for lab in pair:
        lab.folder.mkdir()
        lab.write(inventory=inventory(server, tmp_path / "work"), plan=PLAN_ON_BOARD)
    yield pair
    for process in (process for lab in pair for process in lab.running if process.poll() is None):
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def line_with(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    seen: list[str] = []
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f'it never said "{words}":\n' + "".join(seen))


def agents(work: Path) -> dict[str, bool]:
    """Jobs on the board and whether their agents live."""
    found: dict[str, bool] = {}
    for file in work.glob("account-*/jobs/*/agent.json"):
        pid = json.loads(file.read_text())["pid"]
        found[file.parent.name.split(".")[0]] = lives(pid)
    return found


def lives(pid: int) -> bool:
    """Whether a process runs; an ended one stays in /proc as a zombie until it is reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def run_id(lab: Lab) -> str:
    """Of the one run, from its store: a command takes more than a second, in which the other controller goes on."""
    with sqlite3.connect(lab.folder / "state" / "runs.sqlite") as database:
        ((found,),) = database.execute("SELECT id FROM runs").fetchall()
        return str(found)


def trials(lab: Lab) -> int:
    """All that are stored, those of incomplete blocks too."""
    with sqlite3.connect(lab.folder / "state" / "runs.sqlite") as database:
        return int(database.execute("SELECT count(*) FROM trials").fetchone()[0])


def test_the_second_waits_says_who_has_the_board_and_gets_it_after_the_first_was_killed(
    labs: tuple[Lab, Lab], tmp_path: Path, fault: Fault
) -> None:
    one, two = labs
    (one.folder / "plan.yaml").write_text(PLAN_ON_BOARD.replace(f"blocks: {BLOCKS}", f"blocks: {MANY_BLOCKS}"))
    first = one.start("run", "plan.yaml")
    wait_for_processes(first, "board", 1)
    second = two.start("run", "plan.yaml")
    looking = two.start("board", "show", "board", "--json")  # beside it: the first one must not be done meanwhile
    said = line_with(second, "waiting up to")
    assert f"run {run_id(one)} of plan small" in said
    assert "unless renewed; ask " in said
    assert list(agents(tmp_path / "work")) == [run_id(one)], "nothing of the second may be there while it waits"

    shown = json.loads(looking.communicate(timeout=60)[0])["board"]["in use by"]
    assert shown["note"] == f"run {run_id(one)} of plan small"
    assert 0 < shown["remaining_s"] <= TTL_S

    before = measured(one.folder, tmp_path / "work")
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    wait_for_processes(second, "board", 2)
    # The first one's agent was in the middle of its job: it was ended before the second began.
    assert agents(tmp_path / "work") == {run_id(one): False, run_id(two): True}
    os.killpg(second.pid, signal.SIGINT)
    second.communicate(timeout=60)
    assert trials(two) > 0

    again = one.run("run", "plan.yaml")
    assert again.returncode == 0, again.stderr
    assert "taking over the job" in again.stderr
    assert "was stopped, as by somebody who took the board meanwhile" in again.stderr
    assert [cell["latency_ns"]["blocks"] for cell in one.export()["cells"]] == [MANY_BLOCKS]
    fault("two-controllers", seen=sentence(said, "waiting up to"), before=before, after=stored(one.folder))


def test_late_results_of_a_silent_controller_are_refused(labs: tuple[Lab, Lab], tmp_path: Path, fault: Fault) -> None:
    one, two = labs
    first = one.start("run", "plan.yaml")
    wait_for_processes(first, "board", 2)
    # A controller whose machine sleeps, its agent goes on for a while: at once, as what it says it has stored already.
    first.send_signal(signal.SIGSTOP)
    kept = stored(one.folder)
    before = trials(one)
    second = two.start("run", "plan.yaml")
    wait_for_processes(second, "board", 2)
    (journal,) = (tmp_path / "work").glob(f"account-*/jobs/{run_id(one)}.*/journal.jsonl")
    late = journal.read_text().count('"event":"trial"')
    assert late > before, "there must be something to refuse"
    first.send_signal(signal.SIGCONT)
    _, stderr = first.communicate(timeout=100)
    assert first.returncode in (3, 4), stderr
    assert "the lease of the board was lost; now the board is in use by " in stderr
    assert f"run {run_id(two)} of plan small" in stderr
    assert trials(one) == before
    os.killpg(second.pid, signal.SIGINT)
    second.communicate(timeout=60)
    assert second.returncode == 130
    seen = sentence(stderr, "the lease of the board was lost")
    fault("silent-lease-holder", seen=seen, before=kept, after=stored(one.folder))


def test_a_person_keeps_a_board_for_a_while(labs: tuple[Lab, Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = labs
    reserved = one.run("board", "reserve", "board", "--for", "2h", "--note", "new heat sink")
    assert reserved.returncode == 0, reserved.stderr
    shown = one.run("board", "show", "board").stdout
    assert "new heat sink" in shown
    assert one.run("board", "check", "board").returncode == 0, "one's own reservation is for oneself"

    monkeypatch.setenv("LOGNAME", "somebody-else")
    waiting = one.start("run", "plan.yaml")
    assert "is reserved by " in line_with(waiting, "waiting up to 3600 s")
    os.killpg(waiting.pid, signal.SIGINT)
    _, stderr = waiting.communicate(timeout=60)
    assert waiting.returncode == 130, stderr
    monkeypatch.setenv("HILBENCH_LEASE_WAIT_S", "0")
    for words in (["check", "board"], ["reserve", "board", "--for", "1h"], ["reserve", "board", "--release"]):
        refused = one.run("board", *words)
        assert refused.returncode == 4
        assert "reserved by " in refused.stderr
        assert "(new heat sink)" in refused.stderr
    monkeypatch.delenv("LOGNAME")
    assert one.run("board", "reserve", "board", "--release").returncode == 0
    facts = json.loads(one.run("board", "show", "board", "--json").stdout)["board"]
    assert facts["in use by"] is None
    assert facts["reserved by"] is None


def test_wrong_words_for_a_reservation_are_answered_with_exit_code_2(labs: tuple[Lab, Lab]) -> None:
    one, _ = labs
    for words in (["--for", "two hours"], ["--for", "31d"], ["--for", "0m"], [], ["--for", "1h", "--release"]):
        done = one.run("board", "reserve", "board", *words)
        assert done.returncode == 2, words
        assert "hilbench: " in done.stderr


def test_who_uses_an_emulated_board_is_told_without_starting_it(lab: Lab) -> None:
    lab.write()
    folder = machine_folder(lab.host_dir, "a72-cortex-a72-512m-0123456789ab")
    lock = MachineLock(folder)
    assert lock.try_take()
    shown = json.loads(lab.run("board", "show", "a72", "--json").stdout)["board"]["in use by"]
    assert shown["holder"].startswith(f"process {os.getpid()} (")
    lock.release()
    assert "in use by:   nobody" in lab.run("board", "show", "a72").stdout
    assert "in use by" not in lab.run("board", "show", "a72", "--offline").stdout
    assert [path.name for path in folder.iterdir()] == ["lock"]
    refused = lab.run("board", "reserve", "a72", "--for", "1h")
    assert refused.returncode == 2
    assert "it cannot be reserved" in refused.stderr


def test_a_board_that_is_down_is_shown_with_why_it_cannot_be_asked(
    labs: tuple[Lab, Lab], server: OpensshServer
) -> None:
    one, _ = labs
    one.write(inventory=inventory(server, one.folder, port=free_port()), plan=PLAN_ON_BOARD)
    shown = one.run("board", "show", "board", "--json")
    assert shown.returncode == 4
    facts = json.loads(shown.stdout)["board"]
    assert "refused" in facts["unreachable"]
    assert "in use by" not in facts
