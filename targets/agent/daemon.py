"""The agent as a process of its own: detaching, the lock it holds for its life, its identity file, stopping it.

`agent.json` names the process; it has room to spare, so that a last note can be written into it in place even on a disk
that is full. `agent.lock` is held by flock(2) until the agent ends, however it ends: no job is run by two agents.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .identity import boot_id, is_alive, session_members, start_ticks
from .job import JobError
from .journal import JOURNAL

IDENTITY = "agent.json"
LOCK = "agent.lock"
LOG = "agent.log"
PROGRAM = "program"
_IDENTITY_BYTES = 4096
_STOP_WAIT_S = 10.0
_POLL_S = 0.05


class AgentError(Exception):
    """The agent cannot do what its command line asked; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The agent's process. `session` is its own session id, None when it runs in someone else's (foreground)."""

    pid: int
    start_ticks: int
    boot_id: str
    session: int | None
    note: str | None = None  # why it ended, when the journal could not say


def take_lock(jobdir: Path) -> int:
    """Lock the job for this process's life. Raises AgentError if another agent has it."""
    fd = os.open(jobdir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise AgentError(f"an agent already runs the job in {jobdir}") from error
    return fd


def unpack_program(agent_path: Path, jobdir: Path) -> str:
    """The agent's files in a folder that workers run from: unlike from a zip, their compiled form is kept there.

    That halves a worker's start on a small board. Not a zip (a checkout's folder): the path itself.
    """
    import zipfile

    if not zipfile.is_zipfile(agent_path):
        return str(agent_path)
    program = jobdir / PROGRAM
    with zipfile.ZipFile(agent_path) as archive:
        archive.extractall(program)
    return str(program)


def write_identity(jobdir: Path, *, detached: bool, note: str | None = None) -> Identity:
    """Write `agent.json` for this process, in place if it exists."""
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    session = os.getsid(0) if detached else None
    identity = Identity(pid=os.getpid(), start_ticks=ticks, boot_id=boot_id(), session=session, note=note)
    data = json.dumps(asdict(identity)).encode().ljust(_IDENTITY_BYTES)
    fd = os.open(jobdir / IDENTITY, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(fd, data[:_IDENTITY_BYTES], 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    return identity


def read_identity(jobdir: Path) -> Identity | None:
    """Who runs or ran the job; None where nobody did."""
    try:
        return Identity(**json.loads((jobdir / IDENTITY).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def detach(work: Callable[[Callable[[str], None]], int], log: Path) -> str:
    """Run `work` in a session of its own that outlives the caller's connection; returns what it announced.

    `work` gets a function with which it announces, once, that it has begun. Raises AgentError with its last words if
    it ends before.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        os.setsid()
        if os.fork():
            os._exit(0)  # the session's leader is gone: no terminal can become controlling
        _become_daemon(work, log, write_end)
    os.close(write_end)
    os.waitpid(child, 0)
    with os.fdopen(read_end, "r", encoding="utf-8") as pipe:
        announced = pipe.read().strip()
    if not announced:
        raise AgentError(f"the agent ended before it began: {_last_line(log) or 'no message'}")
    if announced.startswith("!"):
        raise AgentError(announced[1:])
    return announced


def _become_daemon(work: Callable[[Callable[[str], None]], int], log: Path, write_end: int) -> None:
    """Do the work as the daemon that this process now is; never returns."""
    announced = False

    def announce(text: str) -> None:
        nonlocal announced
        announced = True
        os.write(write_end, text.encode())
        os.close(write_end)

    status = 1
    try:
        null, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        status = work(announce)
    except (AgentError, JobError, OSError) as error:
        print(error, file=sys.stderr, flush=True)
        if not announced:
            os.write(write_end, f"!{error}".encode())
    except BaseException:  # noqa: BLE001  the daemon ends here in any case
        traceback.print_exc()  # into the log: what follows would swallow it
        sys.stderr.flush()
    finally:
        os._exit(status)


def describe(jobdir: Path) -> dict[str, Any]:
    """The job's state: `absent`, `running` or `ended`; who, its log's last line, this boot, the journal's length."""
    identity = read_identity(jobdir)
    journal = jobdir / JOURNAL
    alive = identity is not None and is_alive(identity.pid, identity.start_ticks, identity.boot_id)
    return {
        "state": "absent" if identity is None else "running" if alive else "ended",
        "agent": None if identity is None else asdict(identity),
        "last_words": _last_line(jobdir / LOG),
        "boot_id": boot_id(),
        "journal_bytes": journal.stat().st_size if journal.exists() else None,
    }


def stop(jobdir: Path) -> dict[str, Any]:
    """End the agent and all its processes; asks first, so that the journal gets its last line. Returns `describe`."""
    identity = read_identity(jobdir)
    if identity is not None and is_alive(identity.pid, identity.start_ticks, identity.boot_id):
        os.kill(identity.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_WAIT_S
        while is_alive(identity.pid, identity.start_ticks, identity.boot_id):
            if time.monotonic() > deadline:
                os.kill(identity.pid, signal.SIGKILL)  # its workers ask the kernel to end with it
                break
            time.sleep(_POLL_S)
    if identity is not None and identity.session is not None and identity.boot_id == boot_id():
        for pid in session_members(identity.session):
            _kill(pid)
    return describe(jobdir)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _last_line(log: Path) -> str:
    """The last line of a log; empty where there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else ""
