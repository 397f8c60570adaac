from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hilbench.targets.emulated.host import (
    MachineLock,
    clear_idle_machines,
    end_stale_machine,
    end_stale_machines,
    host_dir,
    is_stale_machine,
    machine_folder,
    machine_users,
)
from hilbench.targets.errors import EmulatorError

HOLDER = """
import sys
from pathlib import Path
from hilbench.targets.emulated.host import MachineLock
lock = MachineLock(Path(sys.argv[1]))
assert lock.try_take()
print("held", flush=True)
sys.stdin.read()
"""


def pretended_qemu(folder: Path) -> subprocess.Popen[bytes]:
    """A real process that looks like a QEMU of this folder to anybody who asks the kernel."""
    sleeper = "import time; time.sleep(600)"
    process = subprocess.Popen(["qemu-system-aarch64", "-c", sleeper, f"{folder}/run.qcow2"], executable=sys.executable)
    while b"qemu-system" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
        pass
    return process


@pytest.fixture
def folder(host_folder: Path) -> Path:
    return machine_folder(host_dir(), "board-cortex-a72-512m-0123")


@pytest.fixture
def other_holder(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of `folder`."""
    argv = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_host_folder_is_for_all_accounts_and_a_machines_folder_for_one(folder: Path) -> None:
    assert folder.parent.stat().st_mode & 0o7777 == 0o1777
    assert folder.stat().st_mode & 0o7777 == 0o700
    assert folder.name.endswith(f"-u{os.geteuid()}")


def test_who_uses_a_board_is_told_without_taking_it(folder: Path, other_holder: subprocess.Popen[bytes]) -> None:
    (user,) = machine_users("board", "cortex-a72", 512)
    assert user.startswith(f"process {other_holder.pid} (")
    assert machine_users("board", "cortex-a76", 512) == []
    other_holder.kill()
    other_holder.wait()
    assert machine_users("board", "cortex-a72", 512) == []
    assert MachineLock(folder).try_take()


def test_folder_that_somebody_else_put_there_is_refused(host_folder: Path, tmp_path: Path) -> None:
    parent = host_dir()
    (tmp_path / "elsewhere").mkdir()
    (parent / f"board-u{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmulatorError, match="belongs to somebody else"):
        machine_folder(parent, "board")


def test_board_in_use_is_refused_after_the_wait_and_the_holder_is_named(
    folder: Path, other_holder: subprocess.Popen[bytes]
) -> None:
    told: list[str] = []
    with pytest.raises(EmulatorError, match=rf"is in use by process {other_holder.pid} \(.*python"):
        MachineLock(folder).take(0.9, told.append)
    assert len(told) == 1
    assert f"in use by process {other_holder.pid}" in told[0]


def test_waiting_ends_when_the_holder_is_killed(folder: Path, other_holder: subprocess.Popen[bytes]) -> None:
    lock = MachineLock(folder)
    assert not lock.try_take()
    other_holder.kill()
    lock.take(30.0, print)
    assert f"process {os.getpid()} " in lock.holder()
    lock.release()


def test_two_threads_of_one_process_exclude_each_other_too(folder: Path) -> None:
    first, second = MachineLock(folder), MachineLock(folder)
    assert first.try_take()
    assert not second.try_take()
    first.release()
    assert second.try_take()
    second.release()


@pytest.mark.parametrize(
    ("cmdline", "stale"),
    [
        (b"qemu-system-aarch64\0-drive\0file=/h/board-u0/run.qcow2\0", True),
        (b"/usr/bin/setpriv\0--pdeathsig\0KILL\0qemu-system-aarch64\0file=/h/board-u0/run.qcow2\0", True),
        (b"qemu-system-aarch64\0-drive\0file=/h/other-u0/run.qcow2\0", False),
        (b"vim\0/h/board-u0/console.log\0", False),
        (b"qemu-system-aarch64\0", False),
        (b"", False),
        (None, False),
    ],
)
def test_process_is_stale_only_if_it_is_the_qemu_of_this_folder(cmdline: bytes | None, *, stale: bool) -> None:
    assert is_stale_machine(cmdline, Path("/h/board-u0")) is stale


def test_abandoned_qemu_is_ended_and_an_unrelated_process_with_its_pid_is_not(folder: Path) -> None:
    with pretended_qemu(folder) as abandoned:
        (folder / "pid").write_text(f"{abandoned.pid}\n")
        assert end_stale_machine(folder) == abandoned.pid
        assert abandoned.wait(10) == -9
    with subprocess.Popen(["sleep", "600"]) as unrelated:
        (folder / "pid").write_text(f"{unrelated.pid}\n")
        assert end_stale_machine(folder) is None
        assert unrelated.poll() is None
        unrelated.kill()


def test_machines_in_use_are_neither_ended_nor_cleared(folder: Path, other_holder: subprocess.Popen[bytes]) -> None:
    with pretended_qemu(folder) as running:
        (folder / "pid").write_text(f"{running.pid}\n")
        assert end_stale_machines(folder.parent) == []
        assert clear_idle_machines(folder.parent) == []
        assert running.poll() is None
        other_holder.kill()
        other_holder.wait()
        assert end_stale_machines(folder.parent) == [running.pid]
        assert running.wait(10) == -9


def test_clearing_leaves_the_lock_and_deletes_the_rest(folder: Path) -> None:
    MachineLock(folder).release()
    (folder / "ready.qcow2").write_bytes(b"x")
    assert clear_idle_machines(folder.parent) == [folder]
    assert [path.name for path in folder.iterdir()] == ["lock"]
