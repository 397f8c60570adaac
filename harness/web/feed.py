"""A run as its viewers follow it: its notes in order, and how far each cell is.

The store is asked once a second for a run, however many look at it. Notes are only ever added to a feed's list, and a
viewer holds no more than its place in it: one that reads slowly, or never, keeps nothing from the others.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..eventstore import EventStore
from ..store import Note, RunRow
from .cellstate import CellState, cell_states

LOOK_S = 1.0
_FORGET_S = 60.0
_MOST_FEEDS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run at one look: its row, its cells in plan order, and its notes so far, oldest first."""

    run: RunRow
    cells: Sequence[CellState]
    notes: Sequence[Note]

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.run.state not in ("queued", "running")

    def after(self, seq: int) -> Sequence[Note]:
        """The notes with a higher number."""
        return self.notes[bisect.bisect_right(self.notes, seq, key=lambda note: note.seq) :]


@dataclass(slots=True)
class _Feed:
    lock: threading.Lock = field(default_factory=threading.Lock)
    notes: list[Note] = field(default_factory=list[Note])
    done: Mapping[str, int] = field(default_factory=dict[str, int])
    seen: Seen | None = None
    looked_s: float = 0.0


class Feeds:
    """The feeds of the runs that somebody looks at."""

    def __init__(self, store: EventStore, *, look_s: float = LOOK_S) -> None:
        self._store = store
        self.look_s = look_s
        self._lock = threading.Lock()
        self._feeds: dict[str, _Feed] = {}

    def look(self, run_id: str) -> Seen:
        """The run as it is now, or was less than a look's time ago. Blocks while the store is asked."""
        feed = self._feed(run_id)
        with feed.lock:
            now = time.monotonic()
            if feed.seen is None or now - feed.looked_s >= self.look_s:
                feed.seen = self._look(run_id, feed)
                feed.looked_s = time.monotonic()
            return feed.seen

    def _feed(self, run_id: str) -> _Feed:
        with self._lock:
            now = time.monotonic()
            stale = [key for key, feed in self._feeds.items() if feed.seen and now - feed.looked_s > _FORGET_S]
            for key in stale if len(self._feeds) >= _MOST_FEEDS else ():
                del self._feeds[key]
            return self._feeds.setdefault(run_id, _Feed())

    def _look(self, run_id: str, feed: _Feed) -> Seen:
        run = self._store.run(run_id)  # before its notes: a run that is over has none to come
        last = feed.notes[-1].seq if feed.notes else 0
        new = self._all_after(run_id, last)
        done = self._store.blocks_done(run_id)
        if feed.seen is not None and not new and done == feed.done and run == feed.seen.run:
            return feed.seen
        feed.notes.extend(new)
        feed.done = done
        cells = cell_states(run, self._store.cells(run_id), feed.notes, done)
        return Seen(run=run, cells=cells, notes=tuple(feed.notes))

    def _all_after(self, run_id: str, seq: int) -> list[Note]:
        found: list[Note] = []
        while more := self._store.notes_after(run_id, found[-1].seq if found else seq):
            found += more
        return found


def note_text(note: Note) -> str:
    """A note in words, without anything that is for programs only."""
    facts: Any = note.facts
    match note.kind:
        case "artifact":
            return f"compressed: {facts.get('bytes')} bytes"
        case "failed":
            return f"{facts.get('outcome')}: {facts.get('reason')}"
        case "check":
            reason = facts.get("reason")
            return "its outputs are right" if reason is None else f"its outputs were refused: {reason}"
        case "lost" | "waits":
            return f"{'lost' if note.kind == 'lost' else 'waits'}: {facts.get('reason')}"
        case "moved":
            return f"{facts.get('to')} takes its place: {facts.get('reason')}"
        case "enough":
            return f"{facts.get('blocks')} blocks were enough"
        case "phase":
            return f"{facts.get('phase')} took {facts.get('seconds')} s"
        case "health":
            return "; ".join(str(problem.get("sentence")) for problem in facts.get("problems") or ()) or "is well"
        case "submitted":
            return f"submitted by {facts.get('person')}"
        case "cancel":
            return f"cancelled by {facts.get('person')}"
        case kind:
            return _WORDS.get(kind, kind.replace("-", " "))


_WORDS = {
    "board": "told what it is",
    "session": "measuring began",
    "collected": "its journal was collected",
    "lease": "is ours",
    "meter": "its meter was chosen",
    "host": "judged on this machine",
    "job-ended": "its job is over",
    "retried": "is tried again",
}
