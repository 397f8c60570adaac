"""What boards told of themselves, kept in the store: by runs, and here by `board check`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .home import find_home
from .store import LAB, Store

KIND = "board"  # the same kind of note that a run adds


def told_facts(inventory: Path | None) -> Mapping[str, Mapping[str, Any]]:
    """The newest facts of each board that was ever asked, by name; empty where there is no store yet."""
    home = find_home(inventory)
    if home.keeps_database and not home.database.exists():
        return {}
    store = Store.open(home.database_url)
    try:
        return store.newest_facts(KIND)
    finally:
        store.close()


def remember_facts(inventory: Path | None, board: str, facts: Mapping[str, Any]) -> None:
    """Keep what a board told outside of any run."""
    store = Store.open(find_home(inventory).database_url)
    try:
        store.add_note(LAB, board, KIND, facts)
    finally:
        store.close()
