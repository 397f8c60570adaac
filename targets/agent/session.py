"""The agent's one loop: run the job's processes in order, journal each in the gap after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .events import end_event, failed_event, result_event, start_event
from .failures import CellFailure
from .interrupts import Interrupts, StopRequested
from .job import Job, JobCell
from .journal import Journal
from .processes import Worker, end, failure_of_exit, receive, send, start
from .schedule import Group, Step, schedule
from .state import board_now, read_state

FINISHED = "finished"
STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class Progress:
    """What the loop knows so far: cells that get no more processes, and the loop_k chosen for each kind of work."""

    of: int
    done: int = 0
    failed: set[str] = field(default_factory=set[str])
    loop_k: dict[tuple[object, ...], int] = field(default_factory=dict[tuple[object, ...], int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One job on this board: everything its processes need."""

    job: Job
    jobdir: Path
    agent_path: str
    journal: Journal
    interrupts: Interrupts
    progress: Progress


def run_job(
    job: Job,
    jobdir: Path,
    agent: tuple[str, str],
    journal: Journal,
    interrupts: Interrupts,
    begun: Callable[[], None],
) -> str:
    """Run every process of the job; returns `finished` or `stopped`. Raises JournalWriteError when the disk is full.

    A cell that fails is journaled and gets no more processes; the others go on. `agent` is the path and sha256 of the
    agent's file; `begun` is called once the journal has its first line.
    """
    groups = schedule(job)
    progress = Progress(
        of=sum(len(group.steps) for group in groups),
        loop_k={_work(cell): cell.loop_k for cell in job.cells if cell.loop_k is not None},
    )
    session = Session(
        job=job, jobdir=jobdir, agent_path=agent[0], journal=journal, interrupts=interrupts, progress=progress
    )
    journal.append(start_event(job.job_id, agent[1], progress.of))
    begun()
    try:
        for group in groups:
            _run_forked(session, group) if group.forked else _run_fresh(session, group.steps[0])
        state = FINISHED
    except StopRequested:
        state = STOPPED
    journal.append(end_event(state))
    return state


def _run_fresh(session: Session, step: Step) -> None:
    """One process for one step: executed anew, so that it shares nothing with any other."""
    if _skipped(session, step):
        return
    before, started_at = read_state(), board_now()
    begun_ns = time.monotonic_ns()
    try:
        with _worker(session, step.cell, "worker") as worker:
            send(worker, _task(session, step))
            message = _receive(session, worker)
            if message is None:
                raise failure_of_exit(worker, end(worker, kill=True))
        answer = _unpack(message, "answer")
    except CellFailure as failure:
        _fail(session, step, failure)
    else:
        process_ns = time.monotonic_ns() - begun_ns
        _record(session, step, answer, (before, started_at), process_ns=process_ns, forked=False)


def _run_forked(session: Session, group: Group) -> None:
    """All steps of a group as children of one importer; another importer only where one was lost."""
    waiting = [step for step in group.steps if not _skipped(session, step)]
    while waiting:
        try:
            with _worker(session, waiting[0].cell, "importer", waiting[0].cell.runtime) as importer:
                message = _receive(session, importer)
                if message is None:
                    raise failure_of_exit(importer, end(importer, kill=True))
                _unpack(message, "ready")
                waiting = _serve(session, importer, waiting)
        except CellFailure as failure:
            # The interpreter did not start or the runtime was not imported: that holds for every cell that needs it.
            for step in waiting:
                if not _skipped(session, step):
                    _fail(session, step, failure)
            return


def _serve(session: Session, importer: Worker, waiting: list[Step]) -> list[Step]:
    """Fork a child for one step after the other; returns the steps that are left when the importer is lost."""
    for index, step in enumerate(waiting):
        if _skipped(session, step):
            continue
        before, started_at = read_state(), board_now()
        try:
            message = _child_message(session, importer, step)
        except _ImporterLost as lost:
            _fail(session, step, lost.failure)
            return waiting[index + 1 :]
        try:
            answer = _unpack(message, "answer")
        except CellFailure as failure:
            _fail(session, step, failure)
        else:
            _record(session, step, answer, (before, started_at), process_ns=None, forked=True)
    return []


class _ImporterLost(Exception):  # noqa: N818  carries a failure of a cell
    def __init__(self, failure: CellFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def _child_message(session: Session, importer: Worker, step: Step) -> dict[str, Any]:
    """What the child for this step answered, or how it failed, as a message. Raises _ImporterLost."""
    send(importer, _task(session, step))
    try:
        first = _receive(session, importer)
        ended = first if first is None or "exit" in first else _receive(session, importer)
    except CellFailure as failure:  # a child that takes too long is surely ended with its importer only
        raise _ImporterLost(failure) from failure
    if first is None or ended is None:
        raise _ImporterLost(failure_of_exit(importer, end(importer, kill=True)))
    if first is not ended:
        return first
    failure = failure_of_exit(importer, int(ended["exit"]))
    return {"failed": failure.outcome, "reason": failure.reason}


@contextmanager
def _worker(session: Session, cell: JobCell, *command: str) -> Generator[Worker]:
    """Start a worker for a cell; it is surely gone afterwards."""
    argv = [cell.python, session.agent_path, *command]
    worker = start(argv, site=cell.site, threads=cell.threads, jobdir=session.jobdir)
    try:
        yield worker
    except BaseException:
        end(worker, kill=True)
        raise
    end(worker, kill=False)


def _receive(session: Session, worker: Worker) -> dict[str, Any] | None:
    timeout_s = session.job.process_timeout_s
    return receive(worker, time.monotonic() + timeout_s, timeout_s, session.interrupts)


def _unpack(message: dict[str, Any], key: str) -> Any:
    if "failed" in message:
        raise CellFailure(str(message["failed"]), str(message["reason"]))
    return message[key]


def _task(session: Session, step: Step) -> dict[str, Any]:
    job = session.job
    return {
        "kind": step.kind,
        "cell": asdict(step.cell),
        "loop_k": session.progress.loop_k.get(_work(step.cell)),
        "warmup_iterations": job.warmup_iterations,
        "warmup_seconds": job.warmup_seconds,
        "iterations": job.iterations,
        "min_seconds": job.min_seconds,
        "max_iterations": job.max_iterations,
        "emulated": job.mode == "count",
    }


def _record(
    session: Session,
    step: Step,
    answer: dict[str, Any],
    began: tuple[dict[str, Any], str],
    *,
    process_ns: int | None,
    forked: bool,
) -> None:
    """`began` is the board's state and time before the process; `process_ns` is null for forks, whose clock may lie."""
    if step.kind == "latency":
        session.progress.loop_k.setdefault(_work(step.cell), int(answer["loop_k"]))
    _gap(session, step, result_event(step, answer, *began, forked=forked), process_ns)


def _work(cell: JobCell) -> tuple[object, ...]:
    """What is timed, whatever the cell is called: an A/A twin must have its subject's loop_k."""
    settings = (cell.threads, cell.graph_optimization, cell.providers)
    return (cell.model, cell.runtime, cell.python, cell.site, cell.timing, *settings)


def _fail(session: Session, step: Step, failure: CellFailure) -> None:
    session.progress.failed.add(step.cell.cell)
    _gap(session, step, failed_event(step, failure))


def _skipped(session: Session, step: Step) -> bool:
    """Whether the step's cell has failed before, so that the step is done without a process."""
    if step.cell.cell not in session.progress.failed:
        return False
    session.progress.done += 1
    return True


def _gap(session: Session, step: Step, event: dict[str, Any], process_ns: int | None = None) -> None:
    """Journal a process's result and leave the gap in which the controller may talk to the board."""
    progress, job = session.progress, session.job
    progress.done += 1
    session.interrupts.done = progress.done
    counts = {"done": progress.done, "of": progress.of}
    gap = {"event": "gap", "block": step.block, **counts, "gap_s": job.gap_s, "process_ns": process_ns}
    session.journal.append(event, gap)
    if progress.done < progress.of:
        session.interrupts.sleep(job.gap_s)
