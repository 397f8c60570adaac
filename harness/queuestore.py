"""The queue's tables in the store: submissions, whose numbers are the order of the queue, and workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from .database import PATIENCE_S
from .progress import Say
from .store import Store, now

CLASSES = {"high": 1, "normal": 2, "low": 3}
_CLASS_SPAN = 10_000_000

_metadata = sa.MetaData()
_submissions = sa.Table(
    "submissions",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("run_id", "at", "person", "priority", "facts")),
)
_workers = sa.Table(
    "workers",
    _metadata,
    sa.Column("name", sa.String, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("host", "started_at", "seen_at", "facts")),
    sa.Column("pid", sa.Integer),
    sa.Column("beats", sa.BigInteger),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One time that a run was given to the queue. `boards` are those that are to measure in this round."""

    seq: int
    run_id: str
    at: str
    person: str
    priority: str
    boards: tuple[str, ...]
    facts: Mapping[str, Any]

    @property
    def rank(self) -> int:
        """The engine's priority, lower first: by class, then by number, so that the order is exact."""
        return rank(self.priority, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """What a worker does now. `done` of `of` processes are through; None before the first is."""

    run_id: str
    board: str | None
    since: str
    done: int | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker as it last said of itself. `beats` grows while it lives."""

    name: str
    host: str
    pid: int
    started_at: str
    seen_at: str
    beats: int
    boards: tuple[str, ...] = ()
    jobs: tuple[RunningJob, ...] = field(default=())


def rank(priority: str, seq: int) -> int:
    """`class * 10,000,000 + number`: 1 to 2^31-1, never 0, which would go before all."""
    return CLASSES[priority] * _CLASS_SPAN + seq % _CLASS_SPAN


class QueueStore(Store):
    """The store with the queue's tables."""

    @classmethod
    def open(cls, url: str, *, say: Say | None = None, patience_s: float = PATIENCE_S) -> QueueStore:
        """As `Store.open`."""
        store = super().open(url, say=say, patience_s=patience_s)
        assert isinstance(store, cls)
        return store

    def add_submission(
        self, run_id: str, *, person: str, priority: str, boards: tuple[str, ...], facts: Mapping[str, Any]
    ) -> Submission:
        """Give a run its place in the queue."""
        at = now()
        values = {"run_id": run_id, "at": at, "person": person, "priority": priority}
        text = json.dumps({**facts, "boards": boards}, sort_keys=True)

        def work(connection: sa.Connection, again: bool) -> int:
            if again:  # its commit may have gone through, and only its answer was lost
                same = sa.select(_submissions.c.seq).where(_submissions.c.run_id == run_id, _submissions.c.at == at)
                if (known := connection.execute(same).scalar()) is not None:
                    return int(known)
            done = connection.execute(_submissions.insert().values(**values, facts=text))
            assert done.inserted_primary_key is not None
            return int(done.inserted_primary_key[0])

        seq = self._database.write(work)
        return Submission(
            seq=seq, run_id=run_id, at=at, person=person, priority=priority, boards=boards, facts=dict(facts)
        )

    def submission(self, run_id: str) -> Submission | None:
        """The newest submission of a run; None where it never was in the queue."""
        query = sa.select(_submissions).where(_submissions.c.run_id == run_id).order_by(_submissions.c.seq.desc())
        rows = self._database.read(query.limit(1))
        return _submission(rows[0]) if rows else None

    def beat(self, row: WorkerRow) -> None:
        """A worker says that it lives and what it does."""
        facts = json.dumps({"boards": row.boards, "jobs": [_job_facts(job) for job in row.jobs]})
        values = {"host": row.host, "pid": row.pid, "started_at": row.started_at, "facts": facts, "beats": row.beats}
        update = _workers.update().where(_workers.c.name == row.name)

        def work(connection: sa.Connection, _again: bool) -> None:
            if connection.execute(update.values(**values, seen_at=now())).rowcount == 0:
                connection.execute(_workers.insert().values(name=row.name, **values, seen_at=now()))

        self._database.write(work)

    def forget_worker(self, name: str) -> None:
        """A worker ended in order."""
        self._database.write(lambda to, _: to.execute(_workers.delete().where(_workers.c.name == name)))

    def workers(self) -> list[WorkerRow]:
        """All workers that have not ended in order, by name."""
        return [_worker(row) for row in self._database.read(sa.select(_workers).order_by(_workers.c.name))]


def _submission(row: sa.Row[*tuple[Any, ...]]) -> Submission:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    facts = json.loads(values.pop("facts"))
    return Submission(boards=tuple(facts.pop("boards")), facts=facts, **values)


def _worker(row: sa.Row[*tuple[Any, ...]]) -> WorkerRow:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    facts = json.loads(values.pop("facts"))
    jobs = tuple(RunningJob(**job) for job in facts["jobs"])
    return WorkerRow(boards=tuple(facts["boards"]), jobs=jobs, **values)


def _job_facts(job: RunningJob) -> dict[str, Any]:
    return {"run_id": job.run_id, "board": job.board, "since": job.since, "done": job.done, "of": job.of}
