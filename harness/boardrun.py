"""One board's part of a run: open, deploy, let the agent measure, store what it gives. Nothing here times anything."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..reports.record import Outcome, Trial
from ..targets.agent.job import Job, JobCell, job_from_json, job_to_json
from ..targets.board import Board, BoardRuntime
from ..targets.deploy import deploy
from ..targets.errors import TargetError
from ..targets.open import OpenBoard, open_board
from ..targets.provision import try_runtimes
from ..targets.session import Session, attach_session, discard_session, start_session
from ..targets.watch import AgentLostError, watch
from .assemble import alive_cells
from .blocks import TWIN, missing_blocks, orders
from .candidates import Prepared
from .checks import judge_check
from .collect import trial_from_event
from .errors import Interrupted
from .home import Home
from .plan import Cell, Plan
from .progress import Progress
from .protocol import MeasurementProtocol, protocol_for
from .store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all boards of a run share. Setting `cancel` stops every board at its next gap."""

    run_id: str
    plan: Plan
    blocks: Mapping[str, int]
    store: Store
    home: Home
    prepared: Prepared
    progress: Progress
    cancel: threading.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the store knows of a board's cells when its part begins or goes on."""

    alive: tuple[str, ...]
    checked: frozenset[str]
    trials: tuple[Trial, ...]
    attempt: int


def measure_board(context: RunContext, board: Board, cells: Sequence[Cell]) -> None:
    """Measure what is still missing on a board. A board that is lost is noted as such; it never raises TargetError."""
    protocol = protocol_for(context.plan.protocol, emulated=board.emulated)
    names = [name for cell in cells if cell.skip is None for name in _names(cell)]
    planned = orders(names, blocks=context.blocks[board.name], seed=context.plan.seed, board=board.name)
    if not _missing(context, cells, planned, board):
        return
    try:
        with open_board(board, say=context.progress.about(board.name)) as opened:
            _note_board(context, opened, cells)
            _collect_earlier(context, opened, cells)
            job = _job(context, opened, cells, planned, protocol)
            if job is not None:
                context.store.add_note(context.run_id, board.name, "session", {"job": job_to_json(job)})
                _watch(context, opened, start_session(opened.connection, board.workdir, job), cells)
    except TargetError as error:
        reason = " ".join(str(error).split())
        context.store.add_note(context.run_id, board.name, "lost", {"reason": reason})
        context.progress.say(f"{board.name}: cannot be used any further: {reason}")


def _collect_earlier(context: RunContext, opened: OpenBoard, cells: Sequence[Cell]) -> None:
    """A controller that was killed may have left a job on the board: take what it gives, or gave, before going on."""
    board = opened.board
    notes = [n for n in context.store.notes(context.run_id) if n.subject == board.name]
    open_jobs = [n for n in notes if n.kind in ("session", "collected")]
    if board.restored or not open_jobs or open_jobs[-1].kind == "collected":
        return  # a board that was rolled back has nothing left on it
    session = attach_session(opened.connection, board.workdir, job_from_json(open_jobs[-1].facts["job"]))
    if session is None:
        return
    context.progress.say(f"{board.name}: taking over the job that an earlier controller left there")
    try:
        _watch(context, opened, session, cells)
    except AgentLostError as error:
        context.progress.say(f"{board.name}: that job did not finish: {error}")


def _watch(context: RunContext, opened: OpenBoard, session: Session, cells: Sequence[Cell]) -> None:
    """Follow a job to its end and store what it gives as it comes."""
    board = opened.board
    by_name = {name: cell for cell in cells for name in _names(cell)}

    def on_event(event: Mapping[str, Any]) -> None:
        if event["event"] == "gap":
            context.progress.bar(board.name, event["done"], event["of"])
        elif event["event"] in ("trial", "check", "failed"):
            _store_event(context, event, by_name[event["cell"]])

    mirror = context.home.mirror(context.run_id, board.name, session.job.job_id)
    mirror.parent.mkdir(parents=True, exist_ok=True)
    state = watch(session, reconnect=opened.reconnect, mirror=mirror, on_event=on_event, cancel=context.cancel)
    context.store.add_note(context.run_id, board.name, "collected", {"job_id": session.job.job_id, "state": state})
    if not board.restored:
        discard_session(session, opened.reconnect())
    if state == "stopped" or context.cancel.is_set():
        raise Interrupted("stopped")


def _store_event(context: RunContext, event: Mapping[str, Any], cell: Cell) -> None:
    match event["event"]:
        case "trial":
            context.store.add_trial(context.run_id, trial_from_event(event))
        case "check":
            facts = judge_check(event, context.prepared, cell)
            context.store.add_note(context.run_id, cell.cell_id, "check", facts)
            if facts["reason"] is not None:
                context.progress.say(f"{cell.cell_id}: {facts['reason']}")
        case _:
            facts = {"outcome": event["outcome"], "reason": event["reason"]}
            context.store.add_note(context.run_id, event["cell"], "failed", facts)
            context.progress.say(f"{event['cell']}: {event['outcome']}: {event['reason']}")


def _note_board(context: RunContext, opened: OpenBoard, cells: Sequence[Cell]) -> None:
    """Store the board's facts, and which of its cells no runtime can run."""
    board = opened.board
    runnable = [cell for cell in cells if cell.skip is None]
    if board.restored:  # known from its image; importing them there would take seconds each
        versions: Mapping[str, str] = opened.facts["runtimes"]
        missing: Mapping[BoardRuntime, str | None] = {}
    else:
        found = try_runtimes(opened.connection, board.name, (cell.board_runtime for cell in runnable))
        versions = {runtime.name: one.version for runtime, one in found.items() if one.version is not None}
        missing = {runtime: one.reason for runtime, one in found.items() if one.version is None}
    context.store.add_note(context.run_id, board.name, "board", {**opened.facts, "runtimes": dict(versions)})
    for cell in runnable:
        if cell.board_runtime in missing:
            reason = f"{cell.runtime} cannot be used on {board.name}: {missing[cell.board_runtime]}"
            facts = {"outcome": Outcome.UNSUPPORTED.value, "reason": reason}
            context.store.add_note(context.run_id, cell.cell_id, "failed", facts)


def _job(
    context: RunContext,
    opened: OpenBoard,
    cells: Sequence[Cell],
    planned: Sequence[tuple[str, ...]],
    protocol: MeasurementProtocol,
) -> Job | None:
    """Deploy and describe what the agent is to do; None where nothing is left to do."""
    board = opened.board
    state = _state(context, cells, board)
    blocks = missing_blocks(planned, state.trials, alive=state.alive, emulated=board.emulated, attempt=state.attempt)
    if not blocks:
        return None
    alive = [cell for cell in cells if cell.cell_id in state.alive]
    files: dict[str, Path] = {}
    for cell in alive:
        files |= context.prepared.files(cell, board)
    say = context.progress.about(board.name)
    remote = deploy(opened.connection, board.workdir, files, progress=say, board=board.name)
    return Job(
        job_id=f"{context.run_id}.{board.name.replace('@', '-').replace(':', '-')}.{state.attempt}",
        mode="count" if board.emulated else "latency",
        cells=tuple(_job_cell(context, cell, name, board, remote, state) for cell in alive for name in _names(cell)),
        blocks=blocks,
        warmup_iterations=protocol.warmup_iterations,
        warmup_seconds=protocol.warmup_seconds,
        iterations=protocol.iterations,
        min_seconds=protocol.min_seconds,
        gap_s=protocol.gap_s,
    )


def _job_cell(
    context: RunContext, cell: Cell, name: str, board: Board, remote: Mapping[str, str], state: _State
) -> JobCell:
    runtime = cell.board_runtime
    inputs = context.prepared.inputs(cell, board)
    twin = name.endswith(TWIN)
    return JobCell(
        cell=name,
        model=remote[context.prepared.artifact(cell).sha256],
        runtime=cell.runtime,
        python=runtime.python,
        site=runtime.site,
        threads=cell.settings["threads"],
        graph_optimization=cell.settings["graph_optimization"],
        providers=tuple(cell.settings["providers"]),
        golden=remote[inputs.golden.sha256],
        accuracy=None if inputs.accuracy is None else remote[inputs.accuracy.sha256],
        timing=remote[inputs.timing.sha256],
        check=not twin and name not in state.checked,
        memory=not twin and not any(t.cell_id == name and t.memory is not None for t in state.trials),
        loop_k=_loop_k(cell, state.trials),
    )


def _loop_k(cell: Cell, trials: Sequence[Trial]) -> int | None:
    """Chosen once for a cell and kept for the whole campaign, its twin and resumed parts included."""
    return next((t.loop_k for t in trials if t.cell_id in _names(cell) and t.samples.size), None)


def _missing(context: RunContext, cells: Sequence[Cell], planned: Sequence[tuple[str, ...]], board: Board) -> bool:
    state = _state(context, cells, board)
    return bool(missing_blocks(planned, state.trials, alive=state.alive, emulated=board.emulated, attempt=0))


def _state(context: RunContext, cells: Sequence[Cell], board: Board) -> _State:
    notes = context.store.notes(context.run_id)
    newest = {(note.subject, note.kind): note for note in notes}
    names = {name for cell in cells for name in _names(cell)}
    return _State(
        alive=tuple(alive_cells([(cell.cell_id, {"twin": cell.twin}) for cell in cells], newest)),
        checked=frozenset(subject for subject, kind in newest if kind == "check"),
        trials=tuple(trial for trial in context.store.trials(context.run_id) if trial.cell_id in names),
        attempt=1 + sum(note.kind == "session" and note.subject == board.name for note in notes),
    )


def _names(cell: Cell) -> tuple[str, ...]:
    return (cell.cell_id, cell.cell_id + TWIN) if cell.twin else (cell.cell_id,)
