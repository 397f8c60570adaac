"""A board made ready for a job of a run: not in quarantine, reachable, fit; and what became of it, for its standing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..targets.board import Board
from ..targets.cachelimit import CacheFile
from ..targets.claim import Claim
from ..targets.errors import TargetError, TransientTargetError
from ..targets.open import OpenBoard, connect_board, open_board
from ..targets.powercycle import power_cycle
from ..targets.vitals import ask_vitals
from .errors import PlanError
from .health import Action, Problem, needs_of, problems
from .log import about, log_event
from .notify import Event, quarantine_event
from .quarantine import (
    UnfitBoardError,
    is_the_boards_fault,
    note_failure,
    note_ok,
    quarantine_sentence,
    refuse_quarantined,
)
from .store import Store

WAIT_SETTING = "HILBENCH_HEALTH_WAIT_S"
_USUAL_WAIT_S = 120.0  # a minute's load average has forgotten a burst by then; well below a lease's time
_GLANCE_S = 1.0
_LOOK_S = 10.0  # each look is a command on a board that somebody may be using

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a job of a run takes to a board: for which run, which files by sha256, how large its largest model is."""

    run_id: str
    files: Mapping[str, Path]
    model_bytes: int


@contextmanager
def open_ready(
    board: Board,
    errand: Errand,
    *,
    store: Store,
    claim: Claim,
    tell: Callable[[Event], None],
    say: Say,
    cancel: threading.Event,
) -> Generator[OpenBoard]:
    """`open_board` for a job of a run, which ends with the block.

    A board in quarantine is not touched. One that cannot be reached has its power switched, once, if the inventory says
    how. One that others use or that is hot is waited for, for a bounded time. How the job ends counts for the board's
    standing; `tell` hears when that puts it into quarantine. Raises TargetError where the board cannot be used.
    """
    with about(run=errand.run_id, board=board.name):
        refuse_quarantined(store, board.name)
        with _counted(board, errand, store, tell, say), ExitStack() as stack:
            opened = _opened(board, stack, claim, say, cancel)
            # A job that an earlier controller left there must not be disturbed, and is itself what the board works at.
            found = () if _has_job(store, errand.run_id, board) else _fit(opened, errand, say, cancel)
            if found:
                notes = [{"what": p.what, "action": p.action.value, "sentence": p.sentence} for p in found]
                store.add_note(errand.run_id, board.name, "health", {"problems": notes})
            log_event("board-opened", f"{board.name} is open for run {errand.run_id}")
            yield replace(opened, facts={**opened.facts, **_told(found)})


def _has_job(store: Store, run_id: str, board: Board) -> bool:
    notes = [note.kind for note in store.notes(run_id) if note.subject == board.name]
    jobs = [kind for kind in notes if kind in ("session", "collected")]
    return not board.restored and bool(jobs) and jobs[-1] == "session"


@contextmanager
def _counted(board: Board, errand: Errand, store: Store, tell: Callable[[Event], None], say: Say) -> Generator[None]:
    """A job that comes to its end clears the board; one that loses it through no fault of others counts against it."""
    try:
        yield
    except TargetError as error:
        lost = is_the_boards_fault(error)
        log_event("board-lost" if lost else "board-left", " ".join(str(error).split()), failed=lost)
        if lost:
            quarantined = note_failure(store, board.name, errand.run_id, error)
            if quarantined is not None:
                sentence = quarantine_sentence(board.name, quarantined)
                say(sentence)
                tell(quarantine_event(board.name, sentence, errand.run_id))
        raise
    note_ok(store, board.name, errand.run_id)


def _opened(board: Board, stack: ExitStack, claim: Claim, say: Say, cancel: threading.Event) -> OpenBoard:
    """Open it; where it cannot be reached and has a power switch, once more after that."""
    try:
        return stack.enter_context(open_board(board, say=say, claim=claim, cancel=cancel))
    except TransientTargetError:
        if not board.power_cycle:
            raise
        power_cycle(board, lambda: connect_board(board), say=say, cancel=cancel)
    return stack.enter_context(open_board(board, say=say, claim=claim, cancel=cancel))


def _fit(opened: OpenBoard, errand: Errand, say: Say, cancel: threading.Event) -> Sequence[Problem]:
    """What is wrong with a board that is used all the same. Raises TargetError where it cannot be used."""
    wait_s = health_wait_s()
    found = look(opened, errand)
    if any(problem.what == "load" for problem in found):  # a burst, as our own login may be, is over in a moment
        cancel.wait(_GLANCE_S)
        found = look(opened, errand)
    for problem in found:
        say(problem.sentence)
    if wait_s > 0 and any(_may_pass(problem) for problem in found):
        say(f"waiting up to {wait_s:g} s for that to pass ({WAIT_SETTING})")
        found = _waited(opened, errand, wait_s, cancel)
        _refuse(found)
        say("going on all the same" if any(_may_pass(problem) for problem in found) else "that has passed")
    _refuse(found)
    return found


def _waited(opened: OpenBoard, errand: Errand, wait_s: float, cancel: threading.Event) -> tuple[Problem, ...]:
    """What is still wrong when nothing is left that may pass, or the time is over. The lease is kept meanwhile."""
    ends_s = time.monotonic() + wait_s
    while True:
        if cancel.wait(max(0.0, min(_LOOK_S, ends_s - time.monotonic()))):
            raise TargetError(f"stopped while {opened.board.name} was waited for")
        if opened.lease is not None:
            opened.lease.keep(wait_s)
        found = look(opened, errand)
        if time.monotonic() >= ends_s or not any(_may_pass(problem) for problem in found):
            return found


def _refuse(found: Sequence[Problem]) -> None:
    for action, kind in ((Action.REFUSE, UnfitBoardError), (Action.SKIP, TargetError)):
        reasons = [problem.sentence for problem in found if problem.action is action]
        if reasons:
            raise kind("; ".join(reasons))


def look(opened: OpenBoard, errand: Errand) -> tuple[Problem, ...]:
    """Ask a board how it is, in one round trip, and judge it. One that was just restored is known."""
    board = opened.board
    asked_s = time.time()
    facts = opened.facts if board.restored else ask_vitals(opened.connection, board)
    files: Sequence[CacheFile] = facts.get("cache") or ()
    needs = needs_of(files, errand.files, model_bytes=errand.model_bytes, timed=not board.emulated)
    return problems(board.name, facts, needs, clock_s=asked_s)


def health_wait_s() -> float:
    """How long a board that is hot or used by others is waited for. Raises PlanError where the setting is no number."""
    text = os.environ.get(WAIT_SETTING, str(_USUAL_WAIT_S))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise PlanError(f'{WAIT_SETTING} is "{text}"; it must be a number of seconds from 0 to 3600')
    return value


def _may_pass(problem: Problem) -> bool:
    return problem.action is Action.WAIT or (problem.what == "temperature" and problem.action is Action.REFUSE)


def _told(found: Sequence[Problem]) -> Mapping[str, Any]:
    """What goes into the board's facts, and so into exports: nothing where all was well."""
    return {"health": [problem.sentence for problem in found]} if found else {}
