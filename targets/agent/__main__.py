"""The agent's command line. `start|run|status|stop JOBDIR`, `expire JOBDIR DONE`; others are for its own processes.

Standard library only, Python 3.10 or newer; a worker's interpreter also has numpy and the runtime. Each command prints
one JSON object, or exits with status 2 and one sentence on stderr.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

_USAGE = "usage: agent start|run|status|stop JOBDIR | expire JOBDIR DONE"


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command == "worker" and len(rest) == 2:
        from .worker import run_worker

        return run_worker(int(rest[0]), int(rest[1]))
    if command == "importer" and len(rest) == 3:
        from .worker import run_importer

        return run_importer(int(rest[1]), int(rest[2]), rest[0])
    if command == "watchdog" and len(rest) == 4:
        from .watchdog import run_watchdog

        return run_watchdog(Path(rest[0]), Path(rest[1]), int(rest[2]), int(rest[3]))
    from .daemon import AgentError
    from .job import JobError

    try:
        return _control(command, rest)
    except (AgentError, JobError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _control(command: str, rest: list[str]) -> int:
    from .daemon import describe, stop

    jobdir = Path(rest[0]).resolve() if rest else Path()
    if command == "start" and len(rest) == 1:
        return _start(jobdir)
    if command == "run" and len(rest) == 1:
        return _run(jobdir, detached=False, announce=_ignore)
    if command == "status" and len(rest) == 1:
        print(json.dumps(describe(jobdir)))
        return 0
    if command == "stop" and len(rest) == 1:
        print(json.dumps(stop(jobdir)))
        return 0
    if command == "expire" and len(rest) == 2:
        return _expire(jobdir, int(rest[1]))
    print(_USAGE, file=sys.stderr)
    return 2


def _start(jobdir: Path) -> int:
    from .daemon import LOG, detach

    print(detach(partial(_run_detached, jobdir), jobdir / LOG))
    return 0


def _run_detached(jobdir: Path, announce: Callable[[str], None]) -> int:
    return _run(jobdir, detached=True, announce=announce)


def _run(jobdir: Path, *, detached: bool, announce: Callable[[str], None]) -> int:
    from .bell import Bell
    from .daemon import AgentError, describe, take_lock, unpack_program, write_identity
    from .interrupts import Interrupts
    from .job import job_from_json
    from .journal import JOURNAL, Journal, JournalWriteError
    from .session import run_job

    lock = take_lock(jobdir)
    if (jobdir / JOURNAL).exists():
        raise AgentError(f"the job in {jobdir} has run before; give a new job_id to what is still to be done")
    job = job_from_json((jobdir / "job.json").read_text(encoding="utf-8"))
    agent_path = Path(sys.argv[0]).resolve()
    interrupts = Interrupts(jobdir)
    write_identity(jobdir, detached=detached)
    bell = Bell(jobdir)
    journal = Journal(jobdir / JOURNAL, bell)
    try:
        agent_sha256 = hashlib.sha256(agent_path.read_bytes()).hexdigest()
        program = unpack_program(agent_path, jobdir)
        run_job(
            job,
            jobdir,
            (program, agent_sha256),
            journal,
            interrupts,
            lambda: announce(json.dumps(describe(jobdir))),
        )
    except JournalWriteError as error:
        write_identity(jobdir, detached=detached, note=str(error))
        return 1
    finally:
        journal.close()
        bell.close()
        os.close(lock)
    return 0


def _ignore(_: str) -> None:
    return None


def _expire(jobdir: Path, done: int) -> int:
    """Tell a running agent that the process after `done` finished ones has taken too long."""
    from .daemon import describe, read_identity
    from .interrupts import EXPIRE

    state = describe(jobdir)
    identity = read_identity(jobdir)
    if state["state"] == "running" and identity is not None:
        (jobdir / EXPIRE).write_text(str(done), encoding="ascii")
        os.kill(identity.pid, signal.SIGUSR1)
    print(json.dumps(state))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
