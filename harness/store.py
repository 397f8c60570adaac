"""The store: runs, cells, notes and trials in SQLite (or PostgreSQL by URL), only ever added to.

A *note* is a dated fact about a subject (a cell, a board, the run): an artifact, a check, an outcome, a board's facts.
Nothing is overwritten: the newest note of a kind is what holds now, older ones remain to be looked at. The one thing
that changes is a run's state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..reports.record import Trial
from .damaged import Damaged, readable, run_facts
from .database import PATIENCE_S, Database
from .databaseurl import shown
from .errors import FencedError, NoSuchRunError, StoreError
from .progress import Say
from .tables import CELLS, NOTES, RUNS, TRIALS
from .trialrow import COLUMNS, trial_from_row, trial_to_row

LAB = ""
"""The run id of notes that belong to no run: what a board told when it was checked, why it is out of use."""
ENOUGH = "enough"  # the kind of the note that ends a board's blocks before their number is reached
MOVED = "moved"
"""The kind of the note of a board whose cells went to another one (`to`), and why; see `standin.py`."""
SETTLED = "settled"
"""The kind of the note that says what `settings: best` of a cell stands for (`settings`), and why (`sentence`)."""
NewNote = tuple[str, str, Mapping[str, Any]]
"""(subject, kind, facts)"""


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
    """A dated fact about a subject of a run."""

    seq: int
    subject: str
    kind: str
    at: str
    facts: Mapping[str, Any]


def now() -> str:
    """This moment in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """An open store. Safe to use from several threads; every call is one transaction, and is stored exactly once.

    A call waits for a database that is away or locked, up to `patience_s`; `say` hears of it. Raises StoreError.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = postgresql if database.dialect == "postgresql" else sqlite

    @classmethod
    def open(cls, url: str, *, say: Say | None = None, patience_s: float = PATIENCE_S) -> Store:
        """Open the database of a home (`Home.database_url`), making a SQLite file and the tables if needed."""
        if url.startswith("sqlite:"):
            folder = Path(shown(url)).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"cannot make the state folder {folder}: {error.strerror}") from error
        return cls(Database(url, say=say, patience_s=patience_s))

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._database.close()

    def add_run(
        self,
        row: RunRow,
        cells: Sequence[tuple[str, str, Mapping[str, Any]]],
        *,
        notes: Sequence[NewNote] = (),
        trials: Sequence[Trial] = (),
    ) -> None:
        """Add a run with its cells (cell_id, board, facts) in plan order, and what is known of it already."""
        cell_rows = [
            {"run_id": row.run_id, "cell_id": cell, "board": board, "position": i, "facts": _dump(facts)}
            for i, (cell, board, facts) in enumerate(cells)
        ]
        note_rows = _note_rows(row.run_id, notes)
        trial_rows = [{"run_id": row.run_id, **trial_to_row(trial)} for trial in trials]

        def work(connection: sa.Connection, again: bool) -> None:
            if again and connection.execute(sa.select(RUNS.c.id).where(RUNS.c.id == row.run_id)).first():
                return
            connection.execute(RUNS.insert(), _run_values(row))
            for table, rows in ((CELLS, cell_rows), (NOTES, note_rows), (TRIALS, trial_rows)):
                if rows:
                    connection.execute(table.insert(), rows)

        self._database.write(work)

    def add_cells(self, run_id: str, cells: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Add cells (cell_id, board, facts) to a run, behind those that it has; what is there already stays."""

        def work(connection: sa.Connection, again: bool) -> None:
            del again
            known = list(connection.execute(sa.select(CELLS.c.cell_id).where(CELLS.c.run_id == run_id)).scalars())
            new = [each for each in cells if each[0] not in known]
            rows = [
                {"run_id": run_id, "cell_id": cell, "board": board, "position": len(known) + i, "facts": _dump(facts)}
                for i, (cell, board, facts) in enumerate(new)
            ]
            if rows:
                connection.execute(CELLS.insert(), rows)

        self._database.write(work)

    def set_state(self, run_id: str, state: str, *, ended: bool) -> None:
        """Move a run to another state; `ended` stamps the end."""
        values: dict[str, Any] = {"state": state, "ended_at": now() if ended else None}
        self._database.write(lambda to, _: to.execute(RUNS.update().where(RUNS.c.id == run_id).values(**values)))

    def add_note(self, run_id: str, subject: str, kind: str, facts: Mapping[str, Any]) -> None:
        """Add a dated fact."""
        self.add_notes(run_id, [(subject, kind, facts)])

    def add_notes(self, run_id: str, notes: Sequence[NewNote]) -> None:
        """Add dated facts together: all of them or none."""
        rows = _note_rows(run_id, notes)
        if not rows:
            return

        def work(connection: sa.Connection, again: bool) -> None:
            self._database.in_turn(connection, run_id)  # who follows a run asks for what comes after a number
            if not (again and connection.execute(_same_note(rows[-1])).first()):
                connection.execute(NOTES.insert(), rows)

        self._database.write(work)

    def add_trial(self, run_id: str, trial: Trial, *, lease: tuple[str, int] | None = None) -> bool:
        """Add a trial unless it is there already (a journal may be read twice). Says whether it was new.

        `lease` is the board and the token under which its job was started. Raises FencedError where another run has
        had that board since.
        """
        row = {"run_id": run_id, **trial_to_row(trial)}
        unless_there = self._dialect.insert(TRIALS).on_conflict_do_nothing(index_elements=["run_id", "trial_id"])
        insert = unless_there.returning(TRIALS.c.trial_id)

        def work(connection: sa.Connection, again: bool) -> bool:
            if lease is not None:
                newest = max((0, *_tokens(connection.execute(_leases(lease[0], run_id)).all())))
                if newest > lease[1]:
                    raise FencedError(f"another run has had {lease[0]} since (lease {newest}, this one: {lease[1]})")
            return connection.execute(insert, row).first() is not None or again

        return self._database.write(work)

    def newest_token(self, board: str, *, besides: str) -> int:
        """The highest token with which runs of this store, one left out, have had a board; 0 where there is none."""
        return max((0, *_tokens(self._database.read(_leases(board, besides)))))

    def newest_facts(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """The newest facts of a kind by subject, over all runs: `board` gives what each board last said of itself."""
        newest = sa.select(sa.func.max(NOTES.c.seq)).where(NOTES.c.kind == kind).group_by(NOTES.c.subject)
        query = sa.select(NOTES.c.subject, NOTES.c.facts).where(NOTES.c.seq.in_(newest))
        return {subject: json.loads(facts) for subject, facts in self._database.read(query)}

    def runs(self, *, limit: int | None = None) -> list[RunRow]:
        """All runs, newest first."""
        query = sa.select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.id.desc()).limit(limit)
        return [_run_row(row) for row in self._database.read(query)]

    def run(self, run_id: str) -> RunRow:
        """A run by its id, by a unique beginning of it, or `latest`."""
        if run_id == "latest":
            newest = self.runs(limit=1)
            if not newest:
                raise NoSuchRunError("there is no run yet; `hilbench run PLAN` makes one")
            return newest[0]
        query = sa.select(RUNS).where(RUNS.c.id.startswith(run_id, autoescape=True))
        found = [_run_row(row) for row in self._database.read(query)]
        exact = [row for row in found if row.run_id == run_id] or found
        if len(exact) != 1:
            known = ", ".join(row.run_id for row in self.runs(limit=5)) or "none"
            what = "no run" if not exact else "more than one run"
            raise NoSuchRunError(f'{what} is called "{run_id}"; the newest are: {known}')
        return exact[0]

    def unfinished(self, plan_hash: str) -> RunRow | None:
        """The newest run of this plan, if it did not finish."""
        query = sa.select(RUNS).where(RUNS.c.plan_hash == plan_hash).order_by(RUNS.c.started_at.desc()).limit(1)
        newest = [_run_row(row) for row in self._database.read(query)]
        return newest[0] if newest and newest[0].state != "finished" else None

    # What cannot be read any more goes to `damaged` in the three below; without such a list it raises StoreError.

    def cells(self, run_id: str, *, damaged: list[Damaged] | None = None) -> list[tuple[str, str, Mapping[str, Any]]]:
        """The cells of a run (cell_id, board, facts) in plan order."""
        columns = (CELLS.c.cell_id, CELLS.c.board, CELLS.c.facts)
        query = sa.select(*columns).where(CELLS.c.run_id == run_id).order_by(CELLS.c.position)
        rows = self._database.read(query)
        return readable(rows, _cell, lambda row: (str(row[0]), "the record of the cell"), run_id, damaged)

    def notes(self, run_id: str, kind: str | None = None, *, damaged: list[Damaged] | None = None) -> list[Note]:
        """The notes of a run in the order in which they came."""
        columns = (NOTES.c.seq, NOTES.c.subject, NOTES.c.kind, NOTES.c.at, NOTES.c.facts)
        query = sa.select(*columns).where(NOTES.c.run_id == run_id).order_by(NOTES.c.seq)
        if kind is not None:
            query = query.where(NOTES.c.kind == kind)
        return readable(
            self._database.read(query), _note, lambda row: (str(row[1]), f'its note "{row[2]}"'), run_id, damaged
        )

    def lab_notes(self, subject: str) -> list[Note]:
        """The notes of the lab (of no run) on a subject, such as a board, in the order in which they came."""
        columns = (NOTES.c.seq, NOTES.c.subject, NOTES.c.kind, NOTES.c.at, NOTES.c.facts)
        query = sa.select(*columns).where(NOTES.c.run_id == LAB, NOTES.c.subject == subject).order_by(NOTES.c.seq)
        return [_note(row) for row in self._database.read(query)]

    def trial_count(self) -> int:
        """How many trials are stored in all."""
        ((count,),) = self._database.read(sa.select(sa.func.count()).select_from(TRIALS))
        return int(count)

    def trials(self, run_id: str, *, damaged: list[Damaged] | None = None) -> list[Trial]:
        """All trials of a run, the ones of incomplete blocks included, in a stable order."""
        query = sa.select(*(TRIALS.c[name] for name in COLUMNS)).where(TRIALS.c.run_id == run_id)
        rows = self._database.read(query)
        trials: list[Trial] = readable(
            rows, trial_from_row, lambda row: (str(row[1]), f"trial {row[0]}"), run_id, damaged
        )
        # Here, and not in the query: databases sort text by the rules of their language.
        return sorted(trials, key=lambda t: (t.cell_id, t.kind.value, t.block, t.attempt, t.trial_id))


def _note_rows(run_id: str, notes: Sequence[NewNote]) -> list[dict[str, Any]]:
    moment = now()
    return [
        {"run_id": run_id, "subject": subject, "kind": kind, "at": moment, "facts": _dump(facts)}
        for subject, kind, facts in notes
    ]


def _same_note(row: Mapping[str, Any]) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(NOTES.c.seq).where(*(NOTES.c[name] == value for name, value in row.items()))


def _leases(board: str, besides: str) -> sa.Select[*tuple[Any, ...]]:
    """The `lease` notes of a board, those of one run left out."""
    return sa.select(NOTES.c.facts).where(NOTES.c.kind == "lease", NOTES.c.subject == board, NOTES.c.run_id != besides)


def _tokens(leases: Sequence[sa.Row[*tuple[Any, ...]]]) -> list[int]:
    return [int(json.loads(facts)["token"]) for (facts,) in leases]


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


def _run_row(row: sa.Row[*tuple[Any, ...]]) -> RunRow:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    run_id = values.pop("id")
    return RunRow(run_id=run_id, facts=run_facts(run_id, values.pop("facts")), **values)


def _cell(row: sa.Row[*tuple[Any, ...]]) -> tuple[str, str, Mapping[str, Any]]:
    cell, board, facts = row
    return cell, board, json.loads(facts)


def _note(row: sa.Row[*tuple[Any, ...]]) -> Note:
    seq, subject, kind, at, facts = row
    return Note(seq=seq, subject=subject, kind=kind, at=at, facts=json.loads(facts))


def _dump(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, ensure_ascii=False)
