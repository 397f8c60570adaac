"""The controller's side of the agent: start it detached, watch its journal, stop it.

While the agent works, one command on the board sleeps until the journal grows or the agent is gone (`watch.py`): the
board is asked nothing in between, so no traffic falls into a timed window.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .agent.job import Job, job_to_json
from .bundle import build_agent
from .connection import Completed, Connection
from .errors import BoardFullError, CommandError, TargetError

_COMMAND_TIMEOUT_S = 120.0  # an emulated board starts an interpreter in seconds
_UPLOAD_TIMEOUT_S = 300.0
_STATUS_JOB_HAS_RUN = 17
_STATUS_FOREIGN = 18

# $1 workdir, $2 job, $3 sha256 of the agent, $4 new|old. Prints the account's folder and `present` or `absent`.
# Each account has a folder of its own in the shared one: nobody can swap the program that another account runs.
_PREPARE = rf"""
set -e
umask 022
if [ ! -d "$1" ]; then mkdir -p "$1"; chmod 1777 "$1"; fi
own="$1/account-$(id -u)"
[ -d "$own" ] || mkdir "$own"
[ -O "$own" ] || {{ echo "$own belongs to another account" >&2; exit {_STATUS_FOREIGN}; }}
mkdir -p "$own/agent" "$own/jobs"
job="$own/jobs/$2"
if [ "$4" = new ]; then
  if [ -e "$job/journal.jsonl" ]; then exit {_STATUS_JOB_HAS_RUN}; fi
  mkdir -p "$job"
fi
echo "$own"
case "$(sha256sum "$own/agent/$3.pyz" 2>/dev/null || true)" in "$3"*) echo present ;; *) echo absent ;; esac
"""


Guard = Callable[[Connection, str], Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A job whose agent runs, or has run, on a board. Paths are on the board; `boot_id` is the boot it started in."""

    connection: Connection
    job: Job
    jobdir: str
    agent_path: str
    agent_sha256: str
    python: str
    boot_id: str


def start_session(
    connection: Connection,
    workdir: str,
    job: Job,
    *,
    python: str | None = None,
    agent: tuple[bytes, str] | None = None,
    guard: Guard | None = None,
) -> Session:
    """Start the agent on the board with this job, detached: it goes on if the connection is lost.

    Args:
        connection: an open way to the board.
        workdir: the board's folder for hilbench; made if it is missing.
        job: what to do; its `job_id` must be new on this board.
        python: the interpreter that runs the agent itself, 3.10 or newer; None = that of the first cell.
        agent: its bytes and sha256, as `build_agent` gives them. It is sent only if the board lacks it.
        guard: runs the command that starts the agent, or refuses to: `Lease.guard`.

    Raises TargetError where it cannot start, with the agent's own sentence.
    """
    prepared = _prepare(connection, workdir, job, python, agent, new=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        file.write_text(job_to_json(job), encoding="utf-8")
        connection.put(file, f"{prepared.jobdir}/job.json", timeout_s=_UPLOAD_TIMEOUT_S)
    state = ask_agent(prepared, connection, "start", guard=guard)
    return _in_boot(prepared, str(state["boot_id"]))


def attach_session(
    connection: Connection,
    workdir: str,
    job: Job,
    *,
    python: str | None = None,
    agent: tuple[bytes, str] | None = None,
) -> Session | None:
    """The session of a job that was started before, running or ended; None where the board knows nothing of it."""
    prepared = _prepare(connection, workdir, job, python, agent, new=False)
    state = ask_agent(prepared, connection, "status")
    return None if state["state"] == "absent" else _in_boot(prepared, str(state["agent"]["boot_id"]))


def stop_session(session: Session, connection: Connection | None = None) -> None:
    """Stop the agent and all processes of the job; returns when they are gone. The journal stays and has its end."""
    ask_agent(session, connection or session.connection, "stop")


def discard_session(session: Session, connection: Connection | None = None) -> None:
    """Stop the agent and remove the job's folder from the board, once everything in it is stored elsewhere."""
    connection = connection or session.connection
    stop_session(session, connection)
    command = f"rm -rf -- {shlex.quote(session.jobdir)}"
    _completed(connection.run(command, timeout_s=_COMMAND_TIMEOUT_S), "the job's folder cannot be removed")


def ask_agent(
    session: Session, connection: Connection, command: str, *arguments: str, guard: Guard | None = None
) -> dict[str, Any]:
    """Run one of the agent's commands (`start`, `status`, `stop`, `expire`) on the board; its JSON answer."""
    line = shlex.join([session.python, session.agent_path, command, session.jobdir, *arguments])
    done = connection.run(line, timeout_s=_COMMAND_TIMEOUT_S) if guard is None else guard(connection, line)
    _completed(done, f"the agent on the board cannot {command}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        shown = done.stdout[:80].decode(errors="replace")
        raise TargetError(f"the agent on the board answered {command!r} with {shown!r}") from error
    return answer


def _prepare(
    connection: Connection, workdir: str, job: Job, python: str | None, agent: tuple[bytes, str] | None, *, new: bool
) -> Session:
    """Folders and the agent's file on the board. Raises TargetError where the job has run there before."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", job.job_id):
        raise ValueError(f"job_id {job.job_id!r} cannot name a folder; allowed: letters, digits, dot, underscore, dash")
    data, sha256 = agent or build_agent()
    words = ["sh", "-c", _PREPARE, "sh", workdir, job.job_id, sha256, "new" if new else "old"]
    done = connection.run(shlex.join(words), timeout_s=_COMMAND_TIMEOUT_S)
    if done.status == _STATUS_JOB_HAS_RUN:
        raise TargetError(f"the job {job.job_id} has run on this board before; give what is left a new job_id")
    _completed(done, f"{workdir} on the board cannot be used")
    own, presence = done.stdout.decode().split("\n")[:2]
    agent_path = f"{own}/agent/{sha256}.pyz"
    if presence == "absent":
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "agent.pyz"
            file.write_bytes(data)
            connection.put(file, agent_path, timeout_s=_UPLOAD_TIMEOUT_S)
    return Session(
        connection=connection,
        job=job,
        jobdir=f"{own}/jobs/{job.job_id}",
        agent_path=agent_path,
        agent_sha256=sha256,
        python=python or (job.cells[0].python if job.cells else "python3"),
        boot_id="",
    )


def _in_boot(session: Session, boot_id: str) -> Session:
    return replace(session, boot_id=boot_id)


def _completed(done: Completed, failure: str) -> None:
    """Raise the error that a command's status and stderr stand for."""
    if done.status == 0:
        return
    stderr = done.stderr.decode(errors="replace").strip()
    last = stderr.splitlines()[-1] if stderr else f"status {done.status}"
    if "No space left on device" in stderr:
        raise BoardFullError(f"{failure}: {last}")
    raise CommandError(f"{failure}: {last}", status=done.status, stderr=stderr)
