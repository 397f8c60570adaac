"""The notes of the lab on each board, of which only the new ones are read: a lab that is years old has many."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..eventstore import EventStore
from ..store import LAB, Note


class LabNotes:
    """What boards told when they were checked, how their jobs ended, why they are out of use; by board, in order."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._last = 0
        self._notes: defaultdict[str, list[Note]] = defaultdict(list)

    def by_board(self) -> Mapping[str, Sequence[Note]]:
        """All of them as they are now."""
        with self._lock:
            while new := self._store.notes_after(LAB, self._last):
                self._last = new[-1].seq
                for note in new:
                    self._notes[note.subject].append(note)
            return {board: tuple(notes) for board, notes in self._notes.items()}
