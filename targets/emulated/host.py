"""The host-wide folder of emulated boards: who uses which board, and what a killed controller left running.

One folder serves all checkouts (`HILBENCH_HOST_DIR`, else `/var/tmp/hilbench-host`, writable for every account like the
temporary folder). In it each machine has a folder of its own, for one account only: disks and keys belong to it.
    lock        flock, held as long as the machine lives; its text says by whom
    pid port    of the running QEMU
    ready.*     the snapshot that every start begins from, and what it was made with
    run.qcow2   the disk of the running machine: a throw-away copy of ready.qcow2
    *.log       the guest's console and QEMU's own messages
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import EmulatorError

HOST_DIR_SETTING = "HILBENCH_HOST_DIR"
_DEFAULT_HOST_DIR = Path("/var/tmp/hilbench-host")  # noqa: S108  shared by all accounts on purpose, folders are not
Progress = Callable[[str], None]


def host_dir() -> Path:
    """The host-wide folder; made on first use."""
    named = os.environ.get(HOST_DIR_SETTING)
    folder = Path(named).expanduser().absolute() if named else _DEFAULT_HOST_DIR
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o1777)  # after the umask, and like the temporary folder: what is in it belongs to its maker
    except FileExistsError:
        pass
    except OSError as error:
        raise EmulatorError(f"the folder of emulated boards cannot be made: {folder}: {error.strerror}") from error
    return folder


def machine_folder(parent: Path, key: str) -> Path:
    """The folder of one machine of this account, made on first use and closed to all other accounts."""
    folder = parent / f"{key}-u{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise EmulatorError(f"the folder of an emulated board cannot be used: {folder}: {error.strerror}") from error
    # The parent is writable for all, so another account may have put something else in this place.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmulatorError(f"{folder} belongs to somebody else: remove it, or set {HOST_DIR_SETTING}")
    return folder


class MachineLock:
    """The exclusive right to a machine's folder; it ends with this process at the latest."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "lock").open("a+")
        self._folder = folder

    def try_take(self) -> bool:
        """Take the lock if it is free, and write down who has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} ({command_of(os.getpid()) or 'unknown'})")
        self._file.flush()
        return True

    def take(self, wait_s: float, progress: Progress) -> None:
        """Take the lock, waiting for another holder up to `wait_s`; EmulatorError names who holds it."""
        started = time.monotonic()
        told = False
        while not self.try_take():
            waited_s = time.monotonic() - started
            if waited_s >= wait_s:
                raise EmulatorError(f"the emulated board {self._folder.name} is in use by {self.holder()}")
            # Not at once: somebody who only looks for abandoned machines lets go within milliseconds.
            if waited_s > 0.5 and not told:
                who = self.holder()
                progress(f"emulated board: {self._folder.name} is in use by {who}; waiting up to {wait_s:.0f} s")
                told = True
            time.sleep(min(0.1, wait_s))

    def holder(self) -> str:
        """Who wrote the lock last."""
        self._file.seek(0)
        return self._file.read().strip() or "another process"

    def release(self) -> None:
        """Give the lock up; may be called twice."""
        self._file.close()


def command_of(pid: int) -> str | None:
    """The command line of a process in words, or None where there is no such process."""
    raw = _cmdline(pid)
    return " ".join(raw.decode(errors="replace").split("\0")).strip()[:120] if raw else None


def is_stale_machine(cmdline: bytes | None, folder: Path) -> bool:
    """Whether a process is the QEMU of this folder, by its command line; ask only when the folder's lock is yours.

    A pid alone proves nothing: after a reboot or a long time it may be anybody's.
    """
    if not cmdline:
        return False
    program, *arguments = cmdline.split(b"\0")
    return b"qemu-system" in b"\0".join([program, *arguments[:4]]) and any(os.fsencode(folder) in a for a in arguments)


def end_stale_machine(folder: Path) -> int | None:
    """End the QEMU that a killed controller left in this folder, whose lock is yours; returns its pid if there was one.

    Its disk is a throw-away copy, so there is nothing to be asked or saved.
    """
    pid = read_number(folder / "pid")
    if pid is None or not is_stale_machine(_cmdline(pid), folder):
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10.0
    while is_stale_machine(_cmdline(pid), folder):
        if time.monotonic() > deadline:
            raise EmulatorError(f"process {pid}, an abandoned QEMU of {folder.name}, cannot be ended")
        time.sleep(0.02)
    return pid


def end_stale_machines(parent: Path) -> list[int]:
    """End what killed controllers of this account left running in any folder; machines in use are left alone."""
    ended: list[int] = []
    for pid_file in sorted(parent.glob(f"*-u{os.geteuid()}/pid")):
        lock = MachineLock(pid_file.parent)
        try:
            pid = end_stale_machine(pid_file.parent) if lock.try_take() else None
        finally:
            lock.release()
        if pid is not None:
            ended.append(pid)
    return ended


def idle_machines(parent: Path) -> list[Path]:
    """Folders of this account's machines that hold disks and are used by nobody: what `clear_idle_machines` empties."""
    found: list[Path] = []
    for lock_file in sorted(parent.glob(f"*-u{os.geteuid()}/lock")):
        lock = MachineLock(lock_file.parent)
        try:
            if lock.try_take() and len(list(lock_file.parent.iterdir())) > 1:
                found.append(lock_file.parent)
        finally:
            lock.release()
    return found


def clear_idle_machines(parent: Path) -> list[Path]:
    """Delete the disks and snapshots of this account's machines that nobody uses; returns the folders cleared.

    The lock file stays, so that somebody who waits for it does not wait for a file that is no longer there.
    """
    cleared: list[Path] = []
    for lock_file in sorted(parent.glob(f"*-u{os.geteuid()}/lock")):
        lock = MachineLock(lock_file.parent)
        try:
            if lock.try_take():
                end_stale_machine(lock_file.parent)
                for file in lock_file.parent.iterdir():
                    if file != lock_file:
                        file.unlink(missing_ok=True)
                cleared.append(lock_file.parent)
        finally:
            lock.release()
    return cleared


def read_number(file: Path) -> int | None:
    """The number in a file, or None where there is no such file or number."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def running_commands() -> Iterator[bytes]:
    """The command lines of all processes that this account may see."""
    for path in Path("/proc").glob("[0-9]*"):
        words = _cmdline(int(path.name))
        if words is not None:
            yield words


def _cmdline(pid: int) -> bytes | None:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() or None
    except OSError:
        return None
