"""Starting worker processes and waiting for their answers, without waking while a worker is timed."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .failures import TIMEOUT, UNSUPPORTED, CellFailure, explain_exit
from .interrupts import Interrupts, StopRequested
from .phase import PHASE, phase_clause
from .state import read_oom_kills

_EXIT_WAIT_S = 10.0
_LOG_TAIL_BYTES = 4096


@dataclass(slots=True, kw_only=True)
class Worker:
    """A started process: `answers` is the pipe it answers on, `buffer` what has come but is no whole line yet."""

    process: subprocess.Popen[bytes]
    answers: int
    log: Path
    phase_file: Path
    oom_kills: int | None
    buffer: bytearray = field(default_factory=bytearray)
    ended: bool = False


def start(
    argv: list[str], *, site: str | None, threads: int, jobdir: Path, cpus: tuple[int, ...] | None = None
) -> Worker:
    """Start a worker in a process group of its own, in the agent's session, on the processors `cpus` (None = any).

    Raises CellFailure `unsupported` where the interpreter cannot be started.
    """
    log, phase_file = jobdir / "worker.log", jobdir / PHASE
    phase_file.unlink(missing_ok=True)
    answers, worker_end = os.pipe()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if site is not None:
        environment["PYTHONPATH"] = site
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*argv, str(worker_end), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=jobdir,
                pass_fds=(worker_end,),
                preexec_fn=partial(_settle, cpus),  # safe: the agent has one thread only
            )
    except OSError as error:
        os.close(answers)
        reason = f"the interpreter {argv[0]} cannot be started on this board: {error.strerror}"
        raise CellFailure(UNSUPPORTED, reason) from error
    finally:
        os.close(worker_end)
    return Worker(process=process, answers=answers, log=log, phase_file=phase_file, oom_kills=read_oom_kills())


def _settle(cpus: tuple[int, ...] | None) -> None:
    """Runs in the new process, before its program."""
    os.setpgrp()
    if cpus is not None:
        os.sched_setaffinity(0, cpus)


def send(worker: Worker, request: Mapping[str, Any]) -> None:
    """Send one line of work; a worker that has died meanwhile is noticed when its answer is awaited."""
    assert worker.process.stdin is not None
    try:
        worker.process.stdin.write(json.dumps(request).encode() + b"\n")
        worker.process.stdin.flush()
    except BrokenPipeError:
        pass


def receive(worker: Worker, deadline: float, timeout_s: float, interrupts: Interrupts) -> dict[str, Any] | None:
    """The next message; None where the worker ended without one.

    Sleeps in the kernel until there is something to do. Raises CellFailure `timeout` at `deadline` (monotonic) or when
    the controller's clock says so, StopRequested when the job is to stop. The caller then ends the worker.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(worker.answers, selectors.EVENT_READ)
        selector.register(interrupts.wake_fd, selectors.EVENT_READ)
        while b"\n" not in worker.buffer:
            ready = {key.fd for key, _ in selector.select(max(0.0, deadline - time.monotonic()))}
            interrupts.drain()
            if interrupts.stop:
                raise StopRequested
            if not ready or interrupts.take_expiry():
                raise CellFailure(TIMEOUT, f"took longer than {timeout_s:g} s {phase_clause(worker.phase_file)}")
            if worker.answers in ready:
                piece = os.read(worker.answers, 1 << 20)
                if not piece:
                    return None
                worker.buffer += piece
    line, _, rest = bytes(worker.buffer).partition(b"\n")
    worker.buffer = bytearray(rest)
    return json.loads(line)


def failure_of_exit(worker: Worker, status: int) -> CellFailure:
    """Why the worker, or the child it forked, ended with `status` and no answer."""
    now, before = read_oom_kills(), worker.oom_kills
    grown = None if now is None or before is None else now - before
    worker.oom_kills = now
    return explain_exit(
        status, phase=phase_clause(worker.phase_file), oom_kills=grown, last_words=_last_words(worker.log)
    )


def end(worker: Worker, *, kill: bool) -> int:
    """Let the worker end (or end it and its children now), reap it and close its pipes. Returns its exit status.

    May be called again: an end that is looked at for its reason is followed by the one that tidies up.
    """
    if worker.ended:
        return worker.process.wait()
    worker.ended = True
    if worker.process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.close()
    if not kill:
        try:
            worker.process.wait(_EXIT_WAIT_S)  # runtimes may take long to tear down
        except subprocess.TimeoutExpired:
            kill = True
    if kill:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.process.pid, signal.SIGKILL)
    status = worker.process.wait()
    os.close(worker.answers)
    return status


def _last_words(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
