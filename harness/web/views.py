"""What pages and API show of boards and of the queue, as plain data; nothing here asks a board."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...targets.board import Board
from ..boardwords import fact_pairs
from ..quarantine import Standing, standing
from ..queuestore import WorkerRow
from ..queueview import Entry, look
from ..store import Note
from ..verbs.board import address_text
from .web import Web

_HISTORY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """A board: what the inventory says, what the lab knows of it, and what it is doing. `now` is a sentence."""

    board: Board
    address: str
    standing: Standing
    now: str
    busy: bool
    run: str | None
    last_seen: str | None
    facts: Sequence[tuple[str, str]]
    history: Sequence[tuple[str, str]]

    def plain(self) -> dict[str, Any]:
        """For the API."""
        board = self.board
        told = {"since": self.standing.since, "because": self.standing.reason} if self.standing.quarantined else None
        return {
            "name": board.name,
            "role": board.role.value,
            "arch": board.arch.value,
            "kind": board.kind,
            "reached_by": self.address,
            "runtimes": [runtime.name for runtime in board.runtimes],
            "tags": list(board.tags),
            "note": board.note or None,
            "quarantine": told,
            "failures_in_a_row": self.standing.failures,
            "last_ok": self.standing.last_ok,
            "last_seen": self.last_seen,
            "now": self.now,
            "run": self.run,
        }


def queue_of(web: Web) -> tuple[list[Entry], list[WorkerRow]]:
    """The queue and the workers that live."""
    return look(web.lab, time.time())


def board_views(web: Web, queue: Sequence[Entry]) -> list[BoardView]:
    """All boards of the inventory, in its order."""
    facts, notes = web.events.newest_facts("board"), web.lab_notes.by_board()
    return [
        _view(board, queue, facts.get(board.name), notes.get(board.name, ()))
        for board in web.inventory.boards().values()
    ]


def board_view(web: Web, name: str) -> BoardView:
    """One board. Raises NotFoundError."""
    board = web.inventory.board(name)
    notes = web.lab_notes.by_board().get(name, ())
    return _view(board, queue_of(web)[0], web.events.newest_facts("board").get(name), notes)


def _view(board: Board, queue: Sequence[Entry], facts: Mapping[str, Any] | None, notes: Sequence[Note]) -> BoardView:
    found = standing(notes)
    mine = [entry for entry in queue if entry.board == board.name]
    running = next((entry for entry in mine if entry.state == "running"), None)
    return BoardView(
        board=board,
        address=address_text(board),
        standing=found,
        now=_now(found, mine, running),
        busy=running is not None,
        run=running.run if running is not None else (mine[0].run if mine else None),
        last_seen=next((note.at for note in reversed(notes) if note.kind in ("board", "board-ok")), None),
        facts=[] if facts is None else list(fact_pairs(facts)),
        history=[(note.at, _history(note)) for note in reversed(notes[-_HISTORY:])],
    )


def _now(found: Standing, mine: Sequence[Entry], running: Entry | None) -> str:
    if found.quarantined:
        return "in quarantine"
    if running is not None:
        share = "" if not running.of else f", {running.done} of {running.of} processes"
        return f"measuring {running.plan}{share}"
    waiting = len(mine)
    return "idle" if not waiting else f"{waiting} {'job waits' if waiting == 1 else 'jobs wait'}"


def _history(note: Note) -> str:
    reason = note.facts.get("reason")
    match note.kind:
        case "board-ok":
            return f"did what it should in run {note.facts.get('run')}"
        case "board-failed":
            return f"failed in run {note.facts.get('run')}: {reason}"
        case "quarantined":
            return f"put into quarantine: {reason}"
        case "released":
            return f"released by {note.facts.get('by')}"
        case "board":
            return "checked: it told what it is"
        case kind:
            return kind
