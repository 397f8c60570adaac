"""The agent's one loop: run the job's processes in order, journal each in the gap after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .controlled import take_profile
from .cooling import cooling_from_now
from .events import end_event, start_event
from .failures import UNSUPPORTED, CellFailure
from .interrupts import Interrupts, StopRequested
from .job import AS_SHIPPED, Job, JobCell
from .journal import Journal
from .ledger import Progress, Session, cool_down, fail, record, skipped, task_for, work_of
from .placement import cpus_of
from .power_process import power_beside
from .processes import Worker, end, failure_of_exit, receive, send, start
from .schedule import Group, Step, schedule
from .state import board_now, read_state

FINISHED = "finished"
STOPPED = "stopped"


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
        loop_k={work_of(cell): cell.loop_k for cell in job.cells if cell.loop_k is not None},
    )
    journal.append(start_event(job.job_id, agent[1], progress.of))
    begun()
    profile = take_profile(job, jobdir, agent[0])
    session = Session(
        job=job,
        jobdir=jobdir,
        agent_path=agent[0],
        journal=journal,
        interrupts=interrupts,
        progress=progress,
        profile=profile,
        cooling=cooling_from_now(profile.root),
    )
    try:
        state = _run_groups(session, groups)
    finally:
        restored = profile.release()
    journal.append(*([] if restored is None else [restored]), end_event(state))
    return state


def _run_groups(session: Session, groups: tuple[Group, ...]) -> str:
    profile = session.profile
    if profile.left_over is not None or profile.reason is not None or profile.asked != AS_SHIPPED:
        session.journal.append(profile.event())
    try:
        if profile.name != profile.asked and session.job.profile_required:
            _refuse_all(session, groups, f"the profile {profile.asked} is not available: {profile.reason}")
            return FINISHED
        for group in groups:
            _run_forked(session, group) if group.forked else _run_fresh(session, group.steps[0])
    except StopRequested:
        return STOPPED
    return FINISHED


def _refuse_all(session: Session, groups: tuple[Group, ...], reason: str) -> None:
    """Every cell is `unsupported`, each once; nothing is measured under another profile than the one asked for."""
    for step in (step for group in groups for step in group.steps):
        if not skipped(session, step):
            fail(session, step, CellFailure(UNSUPPORTED, reason))


def _run_fresh(session: Session, step: Step) -> None:
    """One process for one step: executed anew, so that it shares nothing with any other."""
    cool_down(session, step)
    if skipped(session, step):
        return
    before, started_at = read_state(session.profile.root), board_now()
    begun_ns = time.monotonic_ns()
    try:
        with power_beside(session, step) as power, _worker(session, step.cell, "worker") as worker:
            send(worker, task_for(session, step))
            message = _receive(session, worker)
            if message is None:
                raise failure_of_exit(worker, end(worker, kill=True))
        answer = {**_unpack(message, "answer"), **power}
    except CellFailure as failure:
        fail(session, step, failure)
    else:
        process_ns = time.monotonic_ns() - begun_ns
        record(session, step, answer, (before, started_at), process_ns=process_ns, forked=False)


def _run_forked(session: Session, group: Group) -> None:
    """All steps of a group as children of one importer; another importer only where one was lost."""
    waiting = [step for step in group.steps if not skipped(session, step)]
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
                if not skipped(session, step):
                    fail(session, step, failure)
            return


def _serve(session: Session, importer: Worker, waiting: list[Step]) -> list[Step]:
    """Fork a child for one step after the other; returns the steps that are left when the importer is lost."""
    for index, step in enumerate(waiting):
        if skipped(session, step):
            continue
        before, started_at = read_state(session.profile.root), board_now()
        try:
            message = _child_message(session, importer, step)
        except _ImporterLost as lost:
            fail(session, step, lost.failure)
            return waiting[index + 1 :]
        try:
            answer = _unpack(message, "answer")
        except CellFailure as failure:
            fail(session, step, failure)
        else:
            record(session, step, answer, (before, started_at), process_ns=None, forked=True)
    return []


class _ImporterLost(Exception):  # noqa: N818  carries a failure of a cell
    def __init__(self, failure: CellFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def _child_message(session: Session, importer: Worker, step: Step) -> dict[str, Any]:
    """What the child for this step answered, or how it failed, as a message. Raises _ImporterLost."""
    send(importer, task_for(session, step))
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
    """Start a worker for a cell, on its processors; it is surely gone afterwards. Raises CellFailure."""
    argv = [cell.python, session.agent_path, *command]
    cpus = cpus_of(cell.affinity, session.profile.cpus, session.profile.root)
    worker = start(argv, site=cell.site, threads=cell.threads, jobdir=session.jobdir, cpus=cpus)
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
