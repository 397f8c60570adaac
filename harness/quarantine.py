"""Boards that fail again and again are kept out of runs until somebody has looked at them.

Each job of a run that had a board leaves a note of the lab: the board failed, or it did what it should. After
FAILURES_IN_A_ROW failures it is in quarantine, and `hilbench board check` that passes takes it out. All that is kept in
the store: a controller with another store does not know of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from ..targets.errors import BoardFullError, TargetError, TransientTargetError
from ..targets.watch import AgentLostError, AgentStoppedError
from .home import Home
from .store import LAB, Note, Store

FAILURES_IN_A_ROW = 3

FAILED, OK, QUARANTINED, RELEASED = "board-failed", "board-ok", "quarantined", "released"


class UnfitBoardError(TargetError):
    """The board is not fit for the job, and that is the board's own fault."""


class QuarantinedError(TargetError):
    """The board is in quarantine: nothing was asked of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the lab knows of a board. Moments are as the store writes them; None where there was none.

    `failures` are those in a row, up to now. `since` and `reason` are None unless it is in quarantine.
    """

    failures: int = 0
    since: str | None = None
    reason: str | None = None
    last_ok: str | None = None

    @property
    def quarantined(self) -> bool:
        """Whether no run may use it."""
        return self.since is not None


def standing(notes: Sequence[Note]) -> Standing:
    """A board's standing from its notes of the lab, in their order. Pure."""
    failures, since, reason, last_ok = 0, None, None, None
    for note in notes:
        match note.kind:
            case "board-failed":
                failures += 1
            case "board-ok":
                failures, last_ok = 0, note.at
            case "quarantined":
                since, reason = note.at, str(note.facts["reason"])
            case "released":
                failures, since, reason = 0, None, None
            case _:
                pass
    return Standing(failures=failures, since=since, reason=reason, last_ok=last_ok)


def is_the_boards_fault(error: TargetError) -> bool:
    """Whether an error counts against the board, or the network to it. Pure.

    A key that is refused, a host key that changed, a lease that somebody else has, a runtime that is not there: those
    are for a person to mend, and each run says so again. An agent that was stopped by somebody is no fault either.
    """
    if isinstance(error, AgentStoppedError):
        return False
    return isinstance(error, (TransientTargetError, BoardFullError, UnfitBoardError, AgentLostError))


def refuse_quarantined(store: Store, board: str) -> None:
    """Raise QuarantinedError where a board is in quarantine."""
    found = standing(store.lab_notes(board))
    if found.quarantined:
        raise QuarantinedError(quarantine_sentence(board, found))


def quarantine_sentence(board: str, found: Standing) -> str:
    """What a person reads of a board in quarantine."""
    return (
        f"{board} is quarantined since {_moment(found.since)} because {found.reason}: "
        f"`hilbench board check {board}` lifts it when it passes"
    )


def note_ok(store: Store, board: str, run_id: str) -> None:
    """A job of a run had the board to its end."""
    store.add_note(LAB, board, OK, {"run": run_id})


def note_failure(store: Store, board: str, run_id: str, error: TargetError) -> Standing | None:
    """A job of a run lost the board. Returns the standing where that put it into quarantine."""
    reason = " ".join(str(error).split())
    store.add_note(LAB, board, FAILED, {"run": run_id, "reason": reason})
    found = standing(store.lab_notes(board))
    if found.quarantined or found.failures < FAILURES_IN_A_ROW:
        return None
    told = f"{found.failures} jobs in a row failed on it, the last one: {reason}"
    store.add_note(LAB, board, QUARANTINED, {"reason": told, "run": run_id})
    return standing(store.lab_notes(board))


def release(store: Store, board: str, *, person: str) -> Standing | None:
    """Take a board out of quarantine and forget its failures. Returns the standing it had, None if that was clean."""
    found = standing(store.lab_notes(board))
    if not found.quarantined and not found.failures:
        return None
    store.add_note(LAB, board, RELEASED, {"by": person})
    return found


def standings(home: Home, boards: Sequence[str]) -> dict[str, Standing]:
    """The standing of each board by name; a home without a store knows of nothing. Raises StoreError."""
    if home.keeps_database and not home.database.exists():
        return {board: Standing() for board in boards}
    with closing(Store.open(home.database_url)) as store:
        return {board: standing(store.lab_notes(board)) for board in boards}


def _moment(at: str | None) -> str:
    """In this machine's time, to the minute."""
    return "an unknown time" if at is None else f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"
