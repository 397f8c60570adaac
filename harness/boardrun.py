"""One board's part of a run: open, deploy, let the agent measure, store what it gives. Nothing here times anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Any

from ..reports.record import Outcome
from ..targets.agent.job import Job, job_from_json, job_to_json
from ..targets.board import Board, BoardRuntime
from ..targets.deadlines import process_timeout_s
from ..targets.errors import BoardFullError, BoardHeldError, TargetError, TransientTargetError
from ..targets.open import OpenBoard
from ..targets.provision import RuntimeFound, is_provisioned, provide_runtimes
from ..targets.session import Session, attach_session, discard_session, stop_session
from ..targets.watch import AgentLostError, AgentStoppedError
from .assemble import standing
from .blocks import MOST_ATTEMPTS, orders
from .boardjob import RunContext, errand_of, has_enough, is_missing, job_for, names_of, settle_cells
from .checks import judge_check
from .collect import damage_of, trial_from_event
from .errorclass import error_class
from .errors import Interrupted
from .intake import PROFILE_EVENTS, Intake
from .leased import follow, give_back_lost_lease, note_lease, note_lease_end, run_claim, start_leased
from .log import about
from .measuring import process_limit_s
from .metering import Metering, board_meter
from .phases import note_phase, phase
from .plan import Cell
from .protocol import protocol_for
from .ready import open_ready
from .store import ENOUGH

_LONG_STORING_S = 5.0
_MOST_JOBS = MOST_ATTEMPTS + 1  # blocks that were invalid are run again, and sustained runs come at the end


def measure_board(context: RunContext, board: Board, cells: Sequence[Cell]) -> TargetError | None:
    """Measure what is still missing on a board. One that is lost is noted as such, and why is returned, never raised.

    A board that somebody else has is not noted as lost where the context limits the waiting: who waits for it decides.
    """
    protocol = protocol_for(context.plan.protocol, emulated=board.emulated)
    names = [name for cell in cells if cell.skip is None for name in names_of(cell)]
    planned = orders(names, blocks=context.blocks[board.name], seed=context.plan.seed, board=board.name)
    if not is_missing(context, cells, planned, board):
        give_back_lost_lease(context.store, context.run_id, board)
        return None
    try:
        process_s = process_limit_s(context.plan.measuring, board, process_timeout_s())
        claim = run_claim(context.store, context.run_id, context.plan.name, board, process_s=process_s)
        if context.lease_wait_s is not None:
            claim = replace(claim, wait_s=context.lease_wait_s)
        say = context.progress.about(board.name)
        tell, errand = context.tell, errand_of(context, board, cells)
        asked = time.monotonic()
        with open_ready(
            board, errand, store=context.store, claim=claim, tell=tell, say=say, cancel=context.cancel
        ) as opened:
            _note_opening(context, opened, time.monotonic() - asked)
            token = note_lease(context.store, context.run_id, opened)
            with _phase(context, board, "provide"):
                sites = _note_board(context, opened, cells)
            settle_cells(context, cells)
            with _phase(context, board, "measure"):
                _collect_earlier(context, opened, cells)
            with _phase(context, board, "deploy"):
                chosen = board_meter(opened, context.store, context.run_id, runtimes=sites.values())
            for _ in range(_MOST_JOBS):
                with _phase(context, board, "deploy"):
                    job = job_for(context, opened, cells, planned, protocol, sites, chosen)
                if job is None:
                    break
                facts = {"job": job_to_json(job), "token": token}
                context.store.add_note(context.run_id, board.name, "session", facts)
                with _phase(context, board, "measure"), Metering(opened, chosen) as metering:
                    _watch(context, opened, start_leased(opened, job), cells, token, metering)
        note_lease_end(context.store, context.run_id, board, token)
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


def _phase(context: RunContext, board: Board, name: str) -> AbstractContextManager[None]:
    return phase(context.store, context.run_id, name, board.name)


def _note_opening(context: RunContext, opened: OpenBoard, took_s: float) -> None:
    for name, seconds in (("wait", opened.waited_s), ("open", took_s - opened.waited_s)):
        note_phase(context.store, context.run_id, name, seconds, opened.board.name)


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
        # What a meter of this machine saw of it is lost with the controller that read it; the board's own is journaled.
        _watch(context, opened, session, cells, facts.get("token"), Metering(opened, None))
    except (AgentLostError, BoardFullError) as error:  # a disk that was full then says nothing about now
        context.progress.say(f"{board.name}: that job did not finish: {error}")


def _watch(
    context: RunContext,
    opened: OpenBoard,
    session: Session,
    cells: Sequence[Cell],
    token: int | None,
    metering: Metering,
) -> None:
    """Follow a job to its end and store what it gives as it comes. `token` is the lease's under which it began."""
    board = opened.board
    say = context.progress.about(board.name)
    intake = Intake(opened.lease, session.job, _storing(context, board, session.job, cells, token), say)
    process_ns: list[int] = []
    early = False

    def on_event(event: Mapping[str, Any]) -> None:
        nonlocal early
        intake.take(metering.complete(event, session.job))
        if event["event"] == "gap":
            metering.begin(done=event["done"] >= event["of"])
            process_ns.append(event.get("process_ns") or 0)
            context.progress.bar(board.name, event["done"], event["of"])
            if not early and _is_enough(context, board, cells):
                early = True
                with suppress(TransientTargetError):  # where it cannot be told, it goes on: more blocks harm nothing
                    stop_session(session, opened.reconnect())

    mirror = context.home.mirror(context.run_id, board.name, session.job.job_id)
    state = follow(opened, session, mirror, on_event, context.cancel, say)
    intake.flush()
    processes_s = None if board.emulated else round(sum(process_ns) / 1e9, 3)
    facts = {"job_id": session.job.job_id, "state": state, "processes_s": processes_s}
    context.store.add_note(context.run_id, board.name, "collected", facts)
    if not board.restored:
        discard_session(session, opened.reconnect())
    if context.cancel.is_set():
        raise Interrupted("stopped")
    if state == "stopped" and not early:  # all that it gave is stored
        raise AgentStoppedError("the agent on the board was stopped, as by somebody who took the board meanwhile")


def _storing(
    context: RunContext, board: Board, job: Job, cells: Sequence[Cell], token: int | None
) -> Callable[[Mapping[str, Any]], None]:
    """What stores one event of a job's journal. Raises AgentLostError for one that the job cannot have written."""
    by_name = {name: cell for cell in cells for name in names_of(cell)}
    lease = None if token is None else (board.name, token)
    say = context.progress.about(board.name)

    def store(event: Mapping[str, Any]) -> None:
        if event["event"] in PROFILE_EVENTS:
            note_profile(context, board, event)
            return
        if (damage := damage_of(event, by_name)) is not None:
            raise AgentLostError(f"the journal of job {job.job_id} is damaged: {damage}")
        began_s = time.monotonic()
        with about(cell=event["cell"]):
            _store_event(context, event, by_name[event["cell"]], lease)
        if (took_s := time.monotonic() - began_s) >= _LONG_STORING_S:
            say(f"the store took {took_s:.0f} s for one result, as if another process had locked it; nothing is lost")

    return store


def _is_enough(context: RunContext, board: Board, cells: Sequence[Cell]) -> bool:
    """Whether the board may stop here, as its intervals are narrow enough; noted, so that a resumed run knows it."""
    blocks = has_enough(context, cells, board)
    if blocks is None:
        return False
    width_pct, cap = context.plan.stop_at_width_pct, context.blocks[board.name]
    context.store.add_note(context.run_id, board.name, ENOUGH, {"blocks": blocks, "of": cap, "width_pct": width_pct})
    context.progress.say(
        f"{board.name}: ends after {blocks} of {cap} blocks: no interval is wider than {width_pct:g} %"
    )
    return True


def note_profile(context: RunContext, board: Board, event: Mapping[str, Any]) -> None:
    """Keep what was set on a board and read back, or brought back; say what a person should know of it."""
    kind = str(event["event"])
    context.store.add_note(context.run_id, board.name, kind, {key: event[key] for key in event if key != "event"})
    for sentence in (event.get("left_over"), event.get("reason")):
        if sentence:
            context.progress.say(f"{board.name}: {sentence}")


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
    kind = {} if opened.board.kind is None else {"kind": opened.board.kind}
    facts = {**opened.facts, **kind, "runtimes": versions, **({"provisioned": put_there} if put_there else {})}
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
