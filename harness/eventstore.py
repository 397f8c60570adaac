"""What a viewer of a run asks the store again and again: the notes since the last look, and how far each cell is."""

from __future__ import annotations

import json
from collections.abc import Mapping

import sqlalchemy as sa

from ..reports.record import FIGURE_KINDS
from .database import PATIENCE_S
from .progress import Say
from .queuestore import QueueStore
from .store import Note
from .tables import NOTES, TRIALS

_AT_ONCE = 5_000


class EventStore(QueueStore):
    """The store with the questions of live views. Each is answered without reading a single sample."""

    @classmethod
    def open(cls, url: str, *, say: Say | None = None, patience_s: float = PATIENCE_S) -> EventStore:
        """As `Store.open`."""
        store = super().open(url, say=say, patience_s=patience_s)
        assert isinstance(store, cls)
        return store

    def notes_after(self, run_id: str, seq: int) -> list[Note]:
        """The notes of a run with a number above `seq`, in their order; at most some thousands at once.

        None with a lower number comes later, as the notes of a run are numbered in turn (`Database.in_turn`).
        """
        columns = (NOTES.c.seq, NOTES.c.subject, NOTES.c.kind, NOTES.c.at, NOTES.c.facts)
        query = sa.select(*columns).where(NOTES.c.run_id == run_id, NOTES.c.seq > seq).order_by(NOTES.c.seq)
        rows = self._database.read(query.limit(_AT_ONCE))
        return [
            Note(seq=number, subject=subject, kind=kind, at=at, facts=json.loads(facts))
            for number, subject, kind, at, facts in rows
        ]

    def blocks_done(self, run_id: str) -> Mapping[str, int]:
        """By cell: in how many blocks (on emulated boards: processes) a figure was taken."""
        kinds = [kind.value for kind in FIGURE_KINDS]
        count = sa.func.count(sa.distinct(TRIALS.c.block))
        query = sa.select(TRIALS.c.cell_id, count).where(TRIALS.c.run_id == run_id, TRIALS.c.kind.in_(kinds))
        return {cell: int(done) for cell, done in self._database.read(query.group_by(TRIALS.c.cell_id))}
