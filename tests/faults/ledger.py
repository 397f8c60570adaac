"""What a lab has measured, piece by piece: read from the journals and from the store, so that a loss can be counted."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from hilbench.targets.agent.journal import parse_journal

Measured = frozenset[str]
STATE = "state"


def measured(lab_folder: Path, *boards: Path) -> Measured:
    """All that is stored, mirrored here, or journaled in the work folders of boards on this machine."""
    journals = [*_journals(lab_folder / STATE), *(path for board in boards for path in _journals(board))]
    return stored(lab_folder) | journaled(*(path.read_bytes() for path in journals))


def stored(lab_folder: Path) -> Measured:
    """All that is in the store: trials, checks against this machine, and cells that have failed."""
    trials, notes, artifacts = _rows(
        lab_folder,
        "SELECT run_id, trial_id FROM trials",
        "SELECT run_id, subject, kind FROM notes WHERE kind IN ('check', 'failed')",
        "SELECT facts FROM notes WHERE kind = 'artifact'",
    )
    return frozenset(
        [
            *(f"{run}/{trial}" for run, trial in trials),
            *(f"{run}/{subject}#{kind}" for run, subject, kind in notes),
            *(_artifact(json.loads(facts)["sha256"]) for (facts,) in artifacts),
        ]
    )


def _rows(lab_folder: Path, *queries: str) -> list[list[tuple[Any, ...]]]:
    """What the lab's store answers, whichever database holds it."""
    url = os.environ.get("HILBENCH_DATABASE")
    if url is not None:
        with psycopg.connect(url) as store:
            return [store.execute(query.encode()).fetchall() for query in queries]
    database = lab_folder / STATE / "runs.sqlite"
    if not database.exists():
        return [[] for _ in queries]
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        return [store.execute(query).fetchall() for query in queries]


def journaled(*journals: bytes) -> Measured:
    """All that whole lines of journals tell. The job's id begins with the id of its run."""
    found: set[str] = set()
    for journal in journals:
        run = ""
        for event in parse_journal(journal):
            match event["event"]:
                case "start":
                    run = str(event["job_id"]).split(".")[0]
                case "trial":
                    found.add(f"{run}/{event['cell']}#{event['kind']}#{event['block']}#{event['attempt']}")
                case "check" | "failed":
                    found.add(f"{run}/{event['cell']}#{event['event']}")
                case _:
                    pass
    return frozenset(found)


def made(lab_folder: Path) -> Measured:
    """The compressed models that lie finished in the cache."""
    folder = lab_folder / STATE / "artifacts" / "artifacts"
    return frozenset(_artifact(path.stem) for path in folder.glob("*") if not path.name.startswith("."))


def _artifact(sha256: str) -> str:
    return f"artifact {sha256}"


def _journals(folder: Path) -> Iterable[Path]:
    return sorted(folder.rglob("*journal.jsonl"))
