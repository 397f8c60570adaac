"""The store: runs, cells, notes and trials in SQLite (or PostgreSQL by URL), only ever added to.

A *note* is a dated fact about a subject (a cell, a board, the run): an artifact, a check, an outcome, a board's facts.
Nothing is overwritten: the newest note of a kind is what holds now, older ones remain to be looked at. The one thing
that changes is a run's state.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from ..reports.record import Trial
from .errors import FencedError, NoSuchRunError, StoreError
from .trialrow import trial_from_row, trial_to_row

HEAD = "0004"

_metadata = sa.MetaData()
_runs = sa.Table(
    "runs",
    _metadata,
    *(sa.Column(name, sa.String) for name in ("id", "plan_name", "plan_hash", "protocol")),
    *(sa.Column(name, sa.String) for name in ("state", "started_at", "ended_at", "facts")),
    sa.Column("seed", sa.BigInteger),
)
_cells = sa.Table(
    "cells",
    _metadata,
    *(sa.Column(name, sa.String) for name in ("run_id", "cell_id", "board", "facts")),
    sa.Column("position", sa.Integer),
)
_notes = sa.Table(
    "notes",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("run_id", "subject", "kind", "at", "facts")),
)
_lab_notes = sa.Table(
    "lab_notes",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("subject", "kind", "at", "facts")),
)
_trials = sa.Table(
    "trials",
    _metadata,
    *(sa.Column(name, sa.String) for name in ("run_id", "trial_id", "cell_id", "kind", "facts")),
    sa.Column("block", sa.Integer),
    sa.Column("attempt", sa.Integer),
    sa.Column("warmup", sa.LargeBinary),
    sa.Column("samples", sa.LargeBinary),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as stored. `state`: `running`, `interrupted`, `incomplete` (a board was lost) or `finished`."""

    run_id: str
    plan_name: str
    plan_hash: str
    seed: int
    protocol: str
    state: str
    started_at: str
    ended_at: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A dated fact about a subject of a run, or of the lab."""

    seq: int
    subject: str
    kind: str
    at: str
    facts: Mapping[str, Any]


def now() -> str:
    """This moment in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """An open store. Safe to use from several threads; every call is one transaction."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        with _explained(url):
            _migrate(self._engine)

    @classmethod
    def open(cls, database: Path) -> Store:
        """Open the SQLite file of a home, making it if needed."""
        try:
            database.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the state folder {database.parent}: {error.strerror}") from error
        return cls(f"sqlite:///{database}")

    def add_run(self, row: RunRow, cells: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Add a run with its cells (cell_id, board, facts) in plan order."""
        with self._write() as connection:
            connection.execute(_runs.insert().values(**_run_values(row)))
            if cells:
                rows = [
                    {"run_id": row.run_id, "cell_id": cell, "board": board, "position": i, "facts": _dump(facts)}
                    for i, (cell, board, facts) in enumerate(cells)
                ]
                connection.execute(_cells.insert(), rows)

    def set_state(self, run_id: str, state: str, *, ended: bool) -> None:
        """Move a run to another state; `ended` stamps the end."""
        values: dict[str, Any] = {"state": state, "ended_at": now() if ended else None}
        with self._write() as connection:
            connection.execute(_runs.update().where(_runs.c.id == run_id).values(**values))

    def add_note(self, run_id: str, subject: str, kind: str, facts: Mapping[str, Any]) -> None:
        """Add a dated fact."""
        with self._write() as connection:
            connection.execute(
                _notes.insert().values(run_id=run_id, subject=subject, kind=kind, at=now(), facts=_dump(facts))
            )

    def add_trial(self, run_id: str, trial: Trial, *, lease: tuple[str, int] | None = None) -> bool:
        """Add a trial unless it is there already (a journal may be read twice). Says whether it was new.

        `lease` is the board and the token under which its job was started. Raises FencedError where another run has
        had that board since.
        """
        with self._write() as connection:
            if lease is not None:
                newest = max((0, *_tokens(connection, lease[0], run_id)))
                if newest > lease[1]:
                    raise FencedError(f"another run has had {lease[0]} since (lease {newest}, this one: {lease[1]})")
            known = connection.execute(
                sa.select(_trials.c.trial_id).where(_trials.c.run_id == run_id, _trials.c.trial_id == trial.trial_id)
            ).first()
            if known is None:
                connection.execute(_trials.insert().values(run_id=run_id, **trial_to_row(trial)))
            return known is None

    def newest_token(self, board: str, *, besides: str) -> int:
        """The highest token with which runs of this store, one left out, have had a board; 0 where there is none."""
        with _explained(str(self._engine.url)), self._engine.connect() as connection:
            return max((0, *_tokens(connection, board, besides)))

    def runs(self, *, limit: int | None = None) -> list[RunRow]:
        """All runs, newest first."""
        query = sa.select(_runs).order_by(_runs.c.started_at.desc(), _runs.c.id.desc()).limit(limit)
        return [_run_row(row) for row in self._read(query)]

    def run(self, run_id: str) -> RunRow:
        """A run by its id, by a unique beginning of it, or `latest`."""
        if run_id == "latest":
            newest = self.runs(limit=1)
            if not newest:
                raise NoSuchRunError("there is no run yet; `hilbench run PLAN` makes one")
            return newest[0]
        found = [
            _run_row(row) for row in self._read(sa.select(_runs).where(_runs.c.id.startswith(run_id, autoescape=True)))
        ]
        exact = [row for row in found if row.run_id == run_id] or found
        if len(exact) != 1:
            known = ", ".join(row.run_id for row in self.runs(limit=5)) or "none"
            what = "no run" if not exact else "more than one run"
            raise NoSuchRunError(f'{what} is called "{run_id}"; the newest are: {known}')
        return exact[0]

    def unfinished(self, plan_hash: str) -> RunRow | None:
        """The newest run of this plan, if it did not finish."""
        query = sa.select(_runs).where(_runs.c.plan_hash == plan_hash).order_by(_runs.c.started_at.desc()).limit(1)
        newest = [_run_row(row) for row in self._read(query)]
        return newest[0] if newest and newest[0].state != "finished" else None

    def cells(self, run_id: str) -> list[tuple[str, str, Mapping[str, Any]]]:
        """The cells of a run (cell_id, board, facts) in plan order."""
        query = sa.select(_cells).where(_cells.c.run_id == run_id).order_by(_cells.c.position)
        return [(row["cell_id"], row["board"], json.loads(row["facts"])) for row in self._read(query)]

    def notes(self, run_id: str, kind: str | None = None) -> list[Note]:
        """The notes of a run in the order in which they came."""
        query = sa.select(_notes).where(_notes.c.run_id == run_id).order_by(_notes.c.seq)
        if kind is not None:
            query = query.where(_notes.c.kind == kind)
        return [_note(row) for row in self._read(query)]

    def add_lab_note(self, subject: str, kind: str, facts: Mapping[str, Any]) -> None:
        """Add a dated fact that belongs to no run, such as a board's failure."""
        with self._write() as connection:
            values = {"subject": subject, "kind": kind, "at": now(), "facts": _dump(facts)}
            connection.execute(_lab_notes.insert().values(**values))

    def lab_notes(self, subject: str) -> list[Note]:
        """The notes of the lab on a subject in the order in which they came."""
        query = sa.select(_lab_notes).where(_lab_notes.c.subject == subject).order_by(_lab_notes.c.seq)
        return [_note(row) for row in self._read(query)]

    def trial_count(self) -> int:
        """How many trials are stored in all."""
        return int(self._read(sa.select(sa.func.count().label("count")).select_from(_trials))[0]["count"])

    def trials(self, run_id: str) -> list[Trial]:
        """All trials of a run, the ones of incomplete blocks included, in a stable order."""
        query = sa.select(_trials).where(_trials.c.run_id == run_id)
        order = (_trials.c.cell_id, _trials.c.kind, _trials.c.block, _trials.c.attempt, _trials.c.trial_id)
        query = query.order_by(*order)
        return [trial_from_row({str(k): v for k, v in row.items()}) for row in self._read(query)]

    def _read(self, query: sa.Select[Any]) -> list[sa.RowMapping]:
        with _explained(str(self._engine.url)), self._engine.connect() as connection:
            return list(connection.execute(query).mappings())

    @contextmanager
    def _write(self) -> Generator[sa.Connection]:
        with _explained(str(self._engine.url)), self._engine.begin() as connection:
            yield connection


def _tokens(connection: sa.Connection, board: str, besides: str) -> list[int]:
    """The tokens in the `lease` notes of a board, those of one run left out."""
    query = sa.select(_notes.c.facts).where(
        _notes.c.kind == "lease", _notes.c.subject == board, _notes.c.run_id != besides
    )
    return [int(json.loads(facts)["token"]) for (facts,) in connection.execute(query)]


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        def pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        event.listen(engine, "connect", pragmas)
    return engine


def _migrate(engine: sa.Engine) -> None:
    """Bring the schema to HEAD; alembic is imported only where there is something to do."""
    with engine.connect() as connection:
        if sa.inspect(connection).has_table("alembic_version"):
            version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if version == HEAD:
                return
    from alembic import command
    from alembic.config import Config

    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _explained(url: str) -> Generator[None]:
    """Turn the database library's errors into one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError(f"the store {url} failed: {str(cause).splitlines()[0]}") from error


def _run_values(row: RunRow) -> dict[str, Any]:
    return {
        "id": row.run_id,
        "plan_name": row.plan_name,
        "plan_hash": row.plan_hash,
        "seed": row.seed,
        "protocol": row.protocol,
        "state": row.state,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "facts": _dump(row.facts),
    }


def _run_row(row: sa.RowMapping) -> RunRow:
    names = ("plan_name", "plan_hash", "seed", "protocol", "state", "started_at", "ended_at")
    values = {name: row[name] for name in names}
    return RunRow(run_id=row["id"], facts=json.loads(row["facts"]), **values)


def _note(row: sa.RowMapping) -> Note:
    return Note(seq=row["seq"], subject=row["subject"], kind=row["kind"], at=row["at"], facts=json.loads(row["facts"]))


def _dump(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, ensure_ascii=False)
