"""The way to a board fails, or what lies on it is harmed: said in a sentence, and nothing that was measured is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.targets.errors import TargetError
from hilbench.targets.ssh import open_ssh

from ..targets.openssh_server import OpensshServer, new_key, running
from ..targets.tcp_proxy import TcpProxy
from .conftest import Lab, wait_for_processes
from .fast_board import DIGITS_PLAN, inventory, write_slow
from .ledger import measured, stored
from .recording import Fault, read_until, sentence

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpensshServer]:
    """A server that the test may harm."""
    with running(tmp_path / "server", "MaxStartups 100") as server:
        yield server


def test_what_a_cut_connection_left_undone_is_sent_later_also_by_a_slow_one(
    lab: Lab, server: OpensshServer, tmp_path: Path, fault: Fault
) -> None:
    work = tmp_path / "work"
    with TcpProxy(server.port, cut_after_bytes=1_500_000) as proxy:  # the first model passes, the second one does not
        lab.write(inventory=inventory(server, work, port=proxy.port), plan=DIGITS_PLAN)
        done = lab.run("run", "plan.yaml")
        assert proxy.cut
        assert done.returncode == 4, done.stderr
        cut_seen, cut = sentence(done.stderr, "cannot be used any further"), measured(lab.folder, work)
        (there,) = (work / "cache").glob("*.onnx")

        there.write_bytes(there.read_bytes()[:-1] + b"?")  # as a worn memory card does
        proxy.cut_after_bytes, proxy.delay_s, proxy.rate_bytes_per_s = None, 0.02, 500_000
        process = lab.start("run", "plan.yaml")
        said = read_until(process, "sending")
        slow_seen = sentence(said, "sending 2 files")
        damaged_seen = sentence(said, f"{there.name} in the board's cache is damaged")
        wait_for_processes(process, "board", 2)
        slow = measured(lab.folder, work)
        stdout, stderr = process.communicate(timeout=100)
        assert process.returncode == 0, stderr
        assert "fp16" in stdout

    other = new_key(tmp_path / "other").with_suffix(".pub").read_text()
    lab.write(inventory=inventory(server, work, host_key=" ".join(other.split()[:2])), plan=DIGITS_PLAN)
    refused = lab.run("run", "plan.yaml")
    assert refused.returncode == 4
    after = stored(lab.folder)
    fault("connection-cut-in-transfer", seen=cut_seen, before=cut, after=after)
    fault("connection-slow", seen=slow_seen, before=slow, after=after)
    fault("wrong-checksum", seen=damaged_seen, before=cut, after=after)
    fault("host-key-changed", seen=sentence(refused.stderr, "SHA256:"), before=slow, after=after)


def test_a_killed_and_a_silent_connection_are_said_and_the_run_goes_on(
    lab: Lab, server: OpensshServer, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    monkeypatch.setenv("HILBENCH_PROCESS_TIMEOUT_S", "5")
    monkeypatch.setenv("HILBENCH_CONNECT_TIMEOUT_S", "3")
    with TcpProxy(server.port) as proxy:
        write_slow(lab, inventory(server, work, port=proxy.port))
        process = lab.start("run", "plan.yaml")
        wait_for_processes(process, "board", 2)
        killed = measured(lab.folder, work)
        server.signal_sessions(signal.SIGKILL)
        said = read_until(process, "the board answers again")
        killed_seen = sentence(said, "the connection to the board was lost")

        silent = measured(lab.folder, work)
        proxy.silence()
        silent_seen = sentence(read_until(process, "silent"), "has been silent for")
        proxy.speak()
        assert "the board answers again" in read_until(process, "the board answers again")
        _, stderr = process.communicate(timeout=100)
    assert process.returncode == 0, stderr
    fault("sshd-killed", seen=killed_seen, before=killed, after=stored(lab.folder))
    fault("connection-silent", seen=silent_seen, before=silent, after=stored(lab.folder))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A board's disk of 48 MB: just enough for it to be found fit."""
    assert os.geteuid() == 0, "this test mounts a small file system: run it as root"
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_while_the_board_measures_costs_only_what_comes_after(
    lab: Lab, server: OpensshServer, small_disk: Path, fault: Fault
) -> None:
    write_slow(lab, inventory(server, small_disk / "work"))
    process = lab.start("run", "plan.yaml")
    wait_for_processes(process, "board", 2)
    before = measured(lab.folder, small_disk)
    subprocess.run(["dd", "if=/dev/zero", f"of={small_disk}/filler", "bs=4k"], check=False, capture_output=True)
    _, stderr = process.communicate(timeout=100)
    assert process.returncode in (3, 4), stderr
    (small_disk / "filler").unlink()
    again = lab.run("run", "plan.yaml")
    assert again.returncode == 0, again.stderr
    seen = sentence(stderr, "the board's disk is full")
    fault("disk-full-on-board", seen=seen, before=before, after=stored(lab.folder))


def test_a_hundred_connections_at_once_pass_one_jump_host(
    lab: Lab, server: OpensshServer, tmp_path: Path, fault: Fault
) -> None:
    """The jump host drops what is too much at once, as sshd does unless told otherwise (MaxStartups 10:30:100)."""
    work = tmp_path / "work"
    with running(tmp_path / "jump", "MaxStartups 10:30:100", "LogLevel VERBOSE") as jump:
        text = inventory(server, work)
        jumped = f"    jump: {{host: 127.0.0.1, port: {jump.port}, user: {jump.address().user}, key: {jump.user_key}, "
        lab.write(inventory=f"{text}{jumped}host_key: {jump.host_key}}}\n", plan=DIGITS_PLAN)
        assert lab.run("run", "plan.yaml").returncode == 0
        before = measured(lab.folder, work)
        process = lab.start("board", "show", "board")  # a person among them
        failed, statuses = storm(server, jump, 100)
        shown, _ = process.communicate(timeout=300)
        dropped = (jump.folder / "log").read_text().count("MaxStartups")
    assert failed == []
    assert statuses == [0] * 100
    assert dropped < 20, "eight logins at once, where the server drops above ten"
    seen = sentence(shown, "in use by:")
    fault("hundred-connections-one-jump-host", seen=seen, before=before, after=stored(lab.folder))


def storm(server: OpensshServer, jump: OpensshServer, count: int) -> tuple[list[str], list[int]]:
    failed: list[str] = []
    statuses: list[int] = []
    address = replace(server.address(), jump=jump.address())

    def use() -> None:
        try:
            connection = open_ssh(address, timeout_s=300)
            statuses.append(connection.run("true", timeout_s=300).status)
            connection.close()
        except TargetError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=use) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed, statuses
