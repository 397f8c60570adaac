"""What the agent's loop keeps: where it is in the job, what it asks of a process, and what it journals of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .controlled import BoardProfile
from .cooling import Cooling
from .events import failed_event, result_event
from .failures import CellFailure
from .interrupts import Interrupts
from .job import Job, JobCell
from .journal import Journal
from .modelfile import model_sha256
from .schedule import Step
from .state import board_now, read_state


@dataclass(slots=True, kw_only=True)
class Progress:
    """What the loop knows so far: cells that get no more processes, and the loop_k chosen for each kind of work."""

    of: int
    done: int = 0
    failed: set[str] = field(default_factory=set[str])
    loop_k: dict[tuple[object, ...], int] = field(default_factory=dict[tuple[object, ...], int])
    cooled: dict[str, Any] | None = None  # how the block under way began, where the board had to cool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One job on this board: everything its processes need."""

    job: Job
    jobdir: Path
    agent_path: str
    journal: Journal
    interrupts: Interrupts
    progress: Progress
    profile: BoardProfile
    cooling: Cooling


def task_for(session: Session, step: Step) -> dict[str, Any]:
    """What a worker is sent: the fields of a Task."""
    job = session.job
    return {
        "kind": step.kind,
        "cell": asdict(step.cell),
        "loop_k": session.progress.loop_k.get(work_of(step.cell)),
        "warmup_iterations": job.warmup_iterations,
        "warmup_seconds": job.warmup_seconds,
        "iterations": job.iterations,
        "min_seconds": job.min_seconds,
        "max_iterations": job.max_iterations,
        "emulated": job.mode == "count",
        "rate_hz": job.rate_hz,
        "sustained_window_s": job.sustained_window_s,
        "sustained_limit_s": job.sustained_limit_s,
        "root": job.root,
        "idle_s": 0.0 if job.power is None else job.power.idle_s,
        "active_s": 0.0 if job.power is None else job.power.active_s,
    }


def record(
    session: Session,
    step: Step,
    answer: dict[str, Any],
    began: tuple[dict[str, Any], str],
    *,
    process_ns: int | None,
    forked: bool,
) -> None:
    """Journal what a process answered, and leave the gap after it.

    `began` is the board's state and time before the process; `process_ns` is null for forks, whose clock may lie.
    """
    cooled = session.progress.cooled if step.kind == "latency" else None
    noted = {} if cooled is None else {"cooling": cooled}
    answer["used"] = {**answer["used"], "board_profile": session.profile.name, **_file_of(step.cell), **noted}
    if step.kind == "latency":
        session.progress.loop_k.setdefault(work_of(step.cell), int(answer["loop_k"]))
    _gap(session, step, result_event(step, answer, *began, forked=forked, root=session.profile.root), process_ns)


def _file_of(cell: JobCell) -> dict[str, Any]:
    """Which file ran, read back; that it was made of the artifact for a layout only where its bytes are those sent."""
    sha256 = model_sha256(cell.model)
    if cell.made_of is None or sha256 != Path(cell.model).stem:
        return {"model_sha256": sha256}
    return {"model_sha256": sha256, "made_of": cell.made_of, "input_layout": cell.input_layout}


BESIDE: dict[str, dict[str, Any]] = {
    "profile": {"unit": None, "source": None, "iterations": 0},
    "counters": {"iterations": 0},
    "sustained": {"ended": "failed", "windows": []},
}


def work_of(cell: JobCell) -> tuple[object, ...]:
    """What is timed, whatever the cell is called: an A/A twin must have its subject's loop_k."""
    settings = (cell.threads, cell.graph_optimization, cell.providers, cell.affinity, cell.offline_graph)
    choices = (cell.arena, cell.memory_pattern, cell.spinning, cell.xnnpack)
    return (cell.model, cell.runtime, cell.python, cell.site, cell.timing, cell.command, *settings, *choices)


def fail(session: Session, step: Step, failure: CellFailure) -> None:
    """Journal how a cell failed; it gets no more processes. What only adds to its figures fails alone."""
    if step.kind in BESIDE:
        answer = {step.kind: {**BESIDE[step.kind], "unavailable": {step.kind: failure.reason}}, "used": {}}
        state = read_state(session.profile.root)
        record(session, step, answer, (state, board_now()), process_ns=None, forked=session.job.mode == "count")
        return
    session.progress.failed.add(step.cell.cell)
    _gap(session, step, failed_event(step, failure))


def skipped(session: Session, step: Step) -> bool:
    """Whether the step's cell has failed before, so that the step is done without a process."""
    if step.cell.cell not in session.progress.failed:
        return False
    session.progress.done += 1
    return True


def cool_down(session: Session, step: Step) -> None:
    """Before a block, wait for a board that is too warm; each pause is a gap, as nothing is timed in it."""
    if step.kind != "latency" or step.position != 0:
        return

    def pause(seconds: float) -> None:
        session.journal.append(_gap_event(session, step, seconds, None))
        session.interrupts.sleep(seconds)

    progress = session.progress
    progress.cooled = session.cooling.wait(pause, done=progress.done, of=progress.of)


def _gap_event(session: Session, step: Step, gap_s: float, process_ns: int | None) -> dict[str, Any]:
    counts = {"done": session.progress.done, "of": session.progress.of}
    return {"event": "gap", "block": step.block, **counts, "gap_s": gap_s, "process_ns": process_ns}


def _gap(session: Session, step: Step, event: dict[str, Any], process_ns: int | None = None) -> None:
    """Journal a process's result and leave the gap in which the controller may talk to the board."""
    progress, job = session.progress, session.job
    progress.done += 1
    session.interrupts.done = progress.done
    session.journal.append(event, _gap_event(session, step, job.gap_s, process_ns))
    if progress.done < progress.of:
        session.interrupts.sleep(job.gap_s)
