"""The controller dies or has no room: the same command goes on, and nothing that was measured is lost."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..targets.openssh_server import OpensshServer, running
from ..targets.tcp_proxy import TcpProxy
from .conftest import Lab, wait_for_processes
from .fast_board import DIGITS_PLAN, inventory, journal_ended, store_locked, wait_until, write_slow
from .ledger import journaled, made, measured, stored
from .recording import Fault, read_until, sentence

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpensshServer]:
    with running(tmp_path_factory.mktemp("sshd"), "MaxStartups 100") as server:
        yield server


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)


def run_to_its_end(lab: Lab) -> subprocess.CompletedProcess[str]:
    done = lab.run("run", "plan.yaml")
    assert done.returncode == 0, done.stderr
    assert lab.export()["run"]["state"] == "finished"
    return done


def test_a_run_killed_at_every_stage_goes_on_by_the_same_command(lab: Lab, server: OpensshServer, fault: Fault) -> None:
    work, folder = lab.folder / "work", lab.folder
    with TcpProxy(server.port) as proxy:
        lab.write(inventory=inventory(server, work, port=proxy.port), plan=DIGITS_PLAN)

        process = lab.start("run", "plan.yaml")
        read_until(process, "digits/fp32: ")  # the first of two candidates is made
        kill(process)
        compressing = made(folder)
        inodes = {path: path.stat().st_ino for path in (folder / "state" / "artifacts").rglob("*.onnx")}

        proxy.rate_bytes_per_s = 300_000
        process = lab.start("run", "plan.yaml")
        going_on = sentence(read_until(process, "board: sending 5 files"), "going on with run")
        wait_until(lambda: any((work / "cache").glob("*.part*")), "a file on its way")
        kill(process)
        deploying = measured(folder, work)
        assert {path: path.stat().st_ino for path in inodes} == inodes, "what was compressed is not made again"

        proxy.rate_bytes_per_s = None
        process = lab.start("run", "plan.yaml")
        sending = sentence(read_until(process, "board: sending"), "board: sending")
        wait_for_processes(process, "board", 2)
        kill(process)
        measuring = measured(folder, work)
        wait_until(lambda: journal_ended(work), "the end of the agent, which goes on without a controller")
        journals = journaled(*(path.read_bytes() for path in work.rglob("journal.jsonl")))

        process = lab.start("run", "plan.yaml")
        taking_over = sentence(read_until(process, "taking over the job"), "taking over the job")
        before = len(stored(folder))
        while True:  # until some of what the board has is stored, and not yet all of it
            with store_locked(lab):
                if len(stored(folder)) > before:
                    kill(process)
                    break
            time.sleep(0.001)
        collecting = measured(folder, work)
        assert not journals <= stored(folder), "it was killed while it collected"
        done = run_to_its_end(lab)
    after = stored(folder)
    fault("controller-killed-compressing", seen=going_on, before=compressing, after=after)
    fault("controller-killed-deploying", seen=sending, before=deploying, after=after)
    fault("controller-killed-measuring", seen=taking_over, before=measuring | journals, after=after)
    seen = sentence(done.stderr, "taking over the job")
    fault("controller-killed-collecting", seen=seen, before=collecting | journals, after=after)


def test_a_store_that_another_process_locks_for_ten_seconds_is_waited_for(
    lab: Lab, server: OpensshServer, fault: Fault
) -> None:
    work = lab.folder / "work"
    lab.write(inventory=inventory(server, work), plan=DIGITS_PLAN)
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "board", 1)
    with store_locked(lab):
        before = measured(lab.folder, work)
        time.sleep(10)
    _, stderr = process.communicate(timeout=100)
    assert process.returncode == 0, stderr
    seen = sentence(stderr, "as if another process had locked it")
    fault("sqlite-locked", seen=seen, before=before, after=stored(lab.folder))


@pytest.fixture
def small_state(lab: Lab) -> Iterator[Path]:
    """The controller's state on a disk of 8 MB, where this account may make one."""
    folder = lab.folder / "state"
    folder.mkdir()
    if os.geteuid() != 0:
        yield folder
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path, process: subprocess.Popen[str]) -> None:
    """Leave no room: a full disk as root; as an ordinary user no file of the process may grow."""
    if os.geteuid() != 0:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        return
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_of_the_controller_is_one_sentence_and_with_room_the_run_goes_on(
    lab: Lab, small_state: Path, server: OpensshServer, fault: Fault
) -> None:
    work = lab.folder / "work"
    write_slow(lab, inventory(server, work))
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "board", 2)
    before = measured(lab.folder, work)
    fill(small_state, process)
    _, stderr = process.communicate(timeout=100)
    assert process.returncode == 1, stderr
    assert "Traceback" not in stderr
    assert "mistake in hilbench" not in stderr
    (small_state / "filler").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(small_state / "runs.sqlite")) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    seen = sentence(stderr, "hilbench: ")
    assert "disk is full" in seen or "cannot be written" in seen
    run_to_its_end(lab)
    fault("disk-full-on-controller", seen=seen, before=before, after=stored(lab.folder))
