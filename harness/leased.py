"""How a run uses the lease of a board: its claim, its token, the start and the end of a job under it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..targets.agent.job import Job
from ..targets.board import Board
from ..targets.claim import Claim, claim_for
from ..targets.deadlines import process_timeout_s, reconnect_s
from ..targets.errors import TargetError, TransientTargetError
from ..targets.lease import LeaseLostError, give_back
from ..targets.open import OpenBoard, connect_board
from ..targets.session import Session, start_session, stop_session
from ..targets.watch import AgentLostError, watch
from .assemble import standing
from .intake import grace_s, lease_ttl_s
from .store import Store


def run_claim(store: Store, run_id: str, plan_name: str, board: Board, *, process_s: float | None = None) -> Claim:
    """A run's claim on a board; its token will be above all that other runs of this store had there.

    `process_s` is the limit of the longest process that it will start, if not the usual one.
    """
    return claim_for(
        run_id,
        f"run {run_id} of plan {plan_name}",
        ttl_s=lease_ttl_s(process_timeout_s() if process_s is None else process_s),
        least_token=store.newest_token(board.name, besides=run_id),
    )


def note_lease(store: Store, run_id: str, opened: OpenBoard) -> int | None:
    """Keep the token with the run; None on an emulated board."""
    lease = opened.lease
    if lease is None:
        return None
    facts = {"token": lease.token, "owner": lease.claim.owner, "person": lease.claim.person}
    store.add_note(run_id, opened.board.name, "lease", facts)
    return lease.token


def note_lease_end(store: Store, run_id: str, board: Board, token: int | None) -> None:
    """Note that the run gave the board back; `token` is None on an emulated board."""
    if token is not None:
        store.add_note(run_id, board.name, "lease-ended", {"token": token})


def give_back_lost_lease(store: Store, run_id: str, board: Board) -> None:
    """Give back what a controller had that was killed once all was measured.

    Nothing is left to do there for the run that goes on, so nobody would take the lease again: others, the next run of
    this controller among them, would wait until it ends by itself.
    """
    newest = standing(store.notes(run_id))
    lease, ended = newest.get((board.name, "lease")), newest.get((board.name, "lease-ended"))
    if lease is None or (ended is not None and ended.facts["token"] == lease.facts["token"]):
        return
    with suppress(TargetError):  # out of reach: it ends by itself
        connection = connect_board(board)
        try:
            give_back(connection, board.workdir, lease.facts["owner"], lease.facts["token"])
        finally:
            connection.close()
        note_lease_end(store, run_id, board, lease.facts["token"])


def start_leased(opened: OpenBoard, job: Job) -> Session:
    """Start the agent if the lease still holds on the board. Raises LeaseLostError otherwise."""
    guard = None if opened.lease is None else opened.lease.guard
    return start_session(opened.connection, opened.board.workdir, job, guard=guard)


def follow(
    opened: OpenBoard,
    session: Session,
    mirror: Path,
    on_event: Callable[[Mapping[str, Any]], None],
    cancel: threading.Event,
    say: Callable[[str], None],
) -> str:
    """`watch`, but an end that somebody else brought about by taking the board is told as LeaseLostError."""
    mirror.parent.mkdir(parents=True, exist_ok=True)
    reconnect = opened.reconnect
    try:
        state = watch(
            session,
            reconnect=reconnect,
            mirror=mirror,
            on_event=on_event,
            cancel=cancel,
            say=say,
            give_up_s=reconnect_s(),
            grace_s=grace_s(session.job.process_timeout_s),
        )
    except LeaseLostError:
        with suppress(TargetError):  # who has the board now may have ended it, or it is out of reach
            stop_session(session, reconnect())
        raise
    except AgentLostError:
        _refuse_taken(opened, certain=False)
        raise
    if state == "stopped" and not cancel.is_set():
        _refuse_taken(opened, certain=True)
    return state


def _refuse_taken(opened: OpenBoard, *, certain: bool) -> None:
    """Raise LeaseLostError if somebody else has the board now; if `certain`, also where somebody had it meanwhile."""
    if opened.lease is None:
        return
    try:
        opened.lease.renew()
    except LeaseLostError as error:
        if certain or error.holder is not None:
            raise
    except TransientTargetError:
        pass
