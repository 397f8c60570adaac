"""One board's part of a run: open, deploy, let the agent measure, store what it gives. Nothing here times anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..reports.record import Outcome, Trial
from ..targets.agent.job import Job, JobCell, job_from_json, job_to_json
from ..targets.board import Board, BoardRuntime
from ..targets.deadlines import process_timeout_s
from ..targets.deploy import deploy
from ..targets.errors import BoardFullError, BoardHeldError, TargetError
from ..targets.open import OpenBoard, open_board
from ..targets.provision import RuntimeFound, is_provisioned, provide_runtimes
from ..targets.session import Session, attach_session, discard_session
from ..targets.watch import AgentLostError
from .assemble import alive_cells, standing
from .blocks import TWIN, missing_blocks, orders
from .candidates import Prepared
from .checks import judge_check
from .collect import damage_of, trial_from_event
from .errorclass import error_class
from .errors import Interrupted
from .home import Home
from .intake import Intake
from .leased import follow, note_lease, run_claim, start_leased
from .plan import Cell, Plan
from .progress import Progress
from .protocol import MeasurementProtocol, protocol_for
from .store import Store

_LONG_STORING_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all boards of a run share. Setting `cancel` stops every board at its next gap.

    `lease_wait_s` is how long a board that somebody else has is waited for; None = as the environment says.
    """

    run_id: str
    plan: Plan
    blocks: Mapping[str, int]
    store: Store
    home: Home
    prepared: Prepared
    progress: Progress
    cancel: threading.Event
    lease_wait_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the store knows of a board's cells when its part begins or goes on."""

    alive: tuple[str, ...]
    checked: frozenset[str]
    trials: tuple[Trial, ...]
    attempt: int
    unchecked: bool  # a cell whose check a retry set aside, though all its blocks may be there


def measure_board(context: RunContext, board: Board, cells: Sequence[Cell]) -> TargetError | None:
    """Measure what is still missing on a board. One that is lost is noted as such, and why is returned, never raised.

    A board that somebody else has is not noted as lost where the context limits the waiting: who waits for it decides.
    """
    protocol = protocol_for(context.plan.protocol, emulated=board.emulated)
    names = [name for cell in cells if cell.skip is None for name in _names(cell)]
    planned = orders(names, blocks=context.blocks[board.name], seed=context.plan.seed, board=board.name)
    if not _missing(context, cells, planned, board):
        return None
    try:
        claim = run_claim(context.store, context.run_id, context.plan.name, board)
        if context.lease_wait_s is not None:
            claim = replace(claim, wait_s=context.lease_wait_s)
        say = context.progress.about(board.name)
        with open_board(board, say=say, claim=claim, cancel=context.cancel) as opened:
            token = note_lease(context.store, context.run_id, opened)
            sites = _note_board(context, opened, cells)
            _collect_earlier(context, opened, cells)
            job = _job(context, opened, cells, planned, protocol, sites)
            if job is not None:
                facts = {"job": job_to_json(job), "token": token}
                context.store.add_note(context.run_id, board.name, "session", facts)
                _watch(context, opened, start_leased(opened, job), cells, token)
    except TargetError as error:
        if context.lease_wait_s is None or not isinstance(error, BoardHeldError):
            _note_lost(context, board, error)
        return error
    return None


def _note_lost(context: RunContext, board: Board, error: TargetError) -> None:
    reason = " ".join(str(error).split())
    facts = {"reason": reason, "class": error_class(error)}
    context.store.add_note(context.run_id, board.name, "lost", facts)
    context.progress.say(f"{board.name}: cannot be used any further: {reason}")


def _collect_earlier(context: RunContext, opened: OpenBoard, cells: Sequence[Cell]) -> None:
    """A controller that was killed may have left a job on the board: take what it gives, or gave, before going on."""
    board = opened.board
    notes = [n for n in context.store.notes(context.run_id) if n.subject == board.name]
    open_jobs = [n for n in notes if n.kind in ("session", "collected")]
    if board.restored or not open_jobs or open_jobs[-1].kind == "collected":
        return  # an emulated board was rolled back: nothing is left on it
    facts = open_jobs[-1].facts
    session = attach_session(opened.connection, board.workdir, job_from_json(facts["job"]))
    if session is None:
        return
    context.progress.say(f"{board.name}: taking over the job that an earlier controller left there")
    try:
        _watch(context, opened, session, cells, facts.get("token"))
    except (AgentLostError, BoardFullError) as error:  # a disk that was full then says nothing about now
        context.progress.say(f"{board.name}: that job did not finish: {error}")


def _watch(context: RunContext, opened: OpenBoard, session: Session, cells: Sequence[Cell], token: int | None) -> None:
    """Follow a job to its end and store what it gives as it comes. `token` is the lease's under which it began."""
    board = opened.board
    by_name = {name: cell for cell in cells for name in _names(cell)}
    lease = None if token is None else (board.name, token)

    say = context.progress.about(board.name)

    def store(event: Mapping[str, Any]) -> None:
        if (damage := damage_of(event, by_name)) is not None:
            raise AgentLostError(f"the journal of job {session.job.job_id} is damaged: {damage}")
        began_s = time.monotonic()
        _store_event(context, event, by_name[event["cell"]], lease)
        if (took_s := time.monotonic() - began_s) >= _LONG_STORING_S:
            say(f"the store took {took_s:.0f} s for one result, as if another process had locked it; nothing is lost")

    intake = Intake(opened.lease, session.job, store, say)

    def on_event(event: Mapping[str, Any]) -> None:
        intake.take(event)
        if event["event"] == "gap":
            context.progress.bar(board.name, event["done"], event["of"])

    mirror = context.home.mirror(context.run_id, board.name, session.job.job_id)
    state = follow(opened, session, mirror, on_event, context.cancel, say)
    intake.flush()
    context.store.add_note(context.run_id, board.name, "collected", {"job_id": session.job.job_id, "state": state})
    if not board.restored:
        discard_session(session, opened.reconnect())
    if context.cancel.is_set():
        raise Interrupted("stopped")
    if state == "stopped":  # all that it gave is stored
        raise AgentLostError("the agent on the board was stopped, as by somebody who took the board meanwhile")


def _store_event(context: RunContext, event: Mapping[str, Any], cell: Cell, lease: tuple[str, int] | None) -> None:
    match event["event"]:
        case "trial":
            context.store.add_trial(context.run_id, trial_from_event(event), lease=lease)
        case "check":
            facts = judge_check(event, context.prepared, cell)
            context.store.add_note(context.run_id, cell.cell_id, "check", facts)
            if facts["reason"] is not None:
                context.progress.say(f"{cell.cell_id}: {facts['reason']}")
        case _:
            facts = {"outcome": event["outcome"], "reason": event["reason"]}
            context.store.add_note(context.run_id, event["cell"], "failed", facts)
            context.progress.say(f"{event['cell']}: {event['outcome']}: {event['reason']}")


def _note_board(context: RunContext, opened: OpenBoard, cells: Sequence[Cell]) -> Mapping[BoardRuntime, BoardRuntime]:
    """Store the board's facts, and which of its cells no runtime can run; each runtime with the site that it has."""
    found = _runtimes(context, opened, {cell.board_runtime for cell in cells if cell.skip is None})
    versions = {runtime.name: one.version for runtime, one in found.items() if one.version is not None}
    put_there = {runtime.name: one.site for runtime, one in found.items() if one.site is not None}
    facts = {**opened.facts, "runtimes": versions, **({"provisioned": put_there} if put_there else {})}
    context.store.add_note(context.run_id, opened.board.name, "board", facts)
    noted = {subject for subject, kind in standing(context.store.notes(context.run_id)) if kind == "failed"}
    for cell in cells:
        if cell.skip is None and cell.cell_id not in noted and found[cell.board_runtime].version is None:
            _note_unusable(context, cell, found[cell.board_runtime])
    return {runtime: replace(runtime, site=one.site or runtime.site) for runtime, one in found.items()}


def _runtimes(
    context: RunContext, opened: OpenBoard, wanted: Collection[BoardRuntime]
) -> Mapping[BoardRuntime, RuntimeFound]:
    """What each runtime is on the board, put there where it is missing."""
    board = opened.board
    if board.restored:  # known from its image; importing them there would take seconds each
        versions: Mapping[str, str] = opened.facts["runtimes"]
        return {runtime: RuntimeFound(version=versions.get(runtime.name)) for runtime in wanted}
    say = context.progress.about(board.name)
    return provide_runtimes(opened.connection, board, wanted, wheels=context.home.wheels, say=say)


def _note_unusable(context: RunContext, cell: Cell, found: RuntimeFound) -> None:
    could_be_there = is_provisioned(cell.board, cell.board_runtime) and not found.impossible
    outcome = Outcome.ERROR if could_be_there else Outcome.UNSUPPORTED
    reason = f"{cell.runtime} cannot be used on {cell.board.name}" + (f": {found.reason}" if found.reason else "")
    facts = {"outcome": outcome.value, "reason": reason}
    context.store.add_note(context.run_id, cell.cell_id, "failed", facts)
    context.progress.say(f"{cell.cell_id}: {reason}")


def _job(
    context: RunContext,
    opened: OpenBoard,
    cells: Sequence[Cell],
    planned: Sequence[tuple[str, ...]],
    protocol: MeasurementProtocol,
    sites: Mapping[BoardRuntime, BoardRuntime],
) -> Job | None:
    """Deploy and describe what the agent is to do; None where nothing is left to do."""
    board = opened.board
    state = _state(context, cells, board)
    blocks = missing_blocks(planned, state.trials, alive=state.alive, emulated=board.emulated, attempt=state.attempt)
    if not blocks and not state.unchecked:
        return None
    alive = [cell for cell in cells if cell.cell_id in state.alive]
    files: dict[str, Path] = {}
    for cell in alive:
        files |= context.prepared.files(cell, board)
    say = context.progress.about(board.name)
    limit = board.cache_limit_bytes
    remote = deploy(opened.connection, board.workdir, files, progress=say, board=board.name, cache_limit_bytes=limit)
    return Job(
        job_id=f"{context.run_id}.{board.name.replace('@', '-').replace(':', '-')}.{state.attempt}",
        mode="count" if board.emulated else "latency",
        cells=tuple(
            _job_cell(context, cell, name, sites[cell.board_runtime], remote, state)
            for cell in alive
            for name in _names(cell)
        ),
        blocks=blocks,
        warmup_iterations=protocol.warmup_iterations,
        warmup_seconds=protocol.warmup_seconds,
        iterations=protocol.iterations,
        min_seconds=protocol.min_seconds,
        gap_s=protocol.gap_s,
        process_timeout_s=process_timeout_s(),
    )


def _job_cell(
    context: RunContext, cell: Cell, name: str, runtime: BoardRuntime, remote: Mapping[str, str], state: _State
) -> JobCell:
    inputs = context.prepared.inputs(cell, cell.board)
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
    blocks = missing_blocks(planned, state.trials, alive=state.alive, emulated=board.emulated, attempt=0)
    return bool(blocks or state.unchecked)


def _state(context: RunContext, cells: Sequence[Cell], board: Board) -> _State:
    notes = context.store.notes(context.run_id)
    newest = standing(notes)
    names = {name for cell in cells for name in _names(cell)}
    alive = alive_cells([(cell.cell_id, {"twin": cell.twin}) for cell in cells], newest)
    checked = frozenset(subject for subject, kind in newest if kind == "check")
    return _State(
        alive=tuple(alive),
        checked=checked,
        unchecked=any(subject in alive and subject not in checked for subject, kind in newest if kind == "retried"),
        trials=tuple(trial for trial in context.store.trials(context.run_id) if trial.cell_id in names),
        attempt=1 + sum(note.kind == "session" and note.subject == board.name for note in notes),
    )


def _names(cell: Cell) -> tuple[str, ...]:
    return (cell.cell_id, cell.cell_id + TWIN) if cell.twin else (cell.cell_id,)
