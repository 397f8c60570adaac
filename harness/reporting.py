"""Runs out of the store and into files: shared by `report`, `export`, the end of `run`, and `hilbench.load`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..reports.language import Language
from ..reports.record import RunRecord
from ..targets.inventory import find_inventory
from .assemble import assemble
from .errors import HarnessError, NoSuchRunError, StoreError
from .home import Home, find_home
from .progress import Progress, Say
from .store import Store


def open_run(name: str, inventory: Path | None = None) -> tuple[Home, RunRecord]:
    """A run by id, by a unique beginning, or `latest`; looked up beside the inventory, else the nearest one."""
    home = find_home(inventory or find_inventory(Path.cwd()))
    store = open_store(home, say=Progress().say)
    try:
        return home, assemble(store, store.run(name))
    finally:
        store.close()


def open_store(home: Home, *, say: Say) -> Store:
    """The store of a home that has one already. Raises NoSuchRunError, with what to do, where it has none."""
    if home.keeps_database and not home.database.exists():
        hint = "name the inventory whose runs are meant with --inventory, or make one with `hilbench run PLAN`"
        raise NoSuchRunError(f"there is no run in {home.folder}; {hint}")
    return Store.open(home.database_url, say=say)


def write_report(
    record: RunRecord, path: Path, earlier: RunRecord | None = None, language: Language = Language.ENGLISH
) -> Path:
    """Render the report, with what changed since an `earlier` run if that is given, and put it in place in one step."""
    from ..reports.page import render

    return write_text(path, render(record, earlier, language))


def run_before(store: Store, run: RunRecord) -> RunRecord | None:
    """The newest finished run of the same plan that began before this one; None where there is none."""
    for row in store.runs():  # newest first
        if row.plan_name == run.plan_name and row.state == "finished" and row.started_at < run.started_at:
            try:
                return assemble(store, row)
            except StoreError:
                continue  # a run that cannot be read any more is no reason to go without a report
    return None


def open_report(name: str, inventory: Path | None = None) -> tuple[Home, RunRecord, RunRecord | None]:
    """`open_run`, with the run before it."""
    home = find_home(inventory or find_inventory(Path.cwd()))
    store = open_store(home, say=Progress().say)
    try:
        record = assemble(store, store.run(name))
        return home, record, run_before(store, record)
    finally:
        store.close()


def write_text(path: Path, text: str) -> Path:
    """Write a file whole or not at all; returns its absolute path."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, a link's target in its place; a file that is there keeps its permissions."""
    path = path.expanduser().resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from error
    return path
