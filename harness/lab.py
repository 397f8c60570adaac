"""What the verbs of the queue open: the home, its store, its queue."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..targets.inventory import find_inventory
from .engine import Engine, open_engine
from .home import Home, find_home
from .progress import Say
from .queuestore import QueueStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """One home with its store and its queue."""

    home: Home
    store: QueueStore
    engine: Engine


@contextmanager
def open_lab(inventory: Path | None, *, near: Path | None = None, say: Say, patient: bool = False) -> Generator[Lab]:
    """The lab of an inventory, else of the nearest one to the present folder, or to a plan.

    `patient`: wait for a database that is away, as a worker does. Raises StoreError, QueueError.
    """
    beside = find_inventory(near.parent.resolve()) if near is not None else None
    home = find_home(inventory or find_inventory(Path.cwd()) or beside)
    store = QueueStore.open(home.database_url, say=say)
    try:
        engine = open_engine(home.queue_url, log=home.queue_log, patient=patient)
        try:
            yield Lab(home=home, store=store, engine=engine)
        finally:
            engine.close()
    finally:
        store.close()
