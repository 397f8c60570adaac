"""The folder of a board, `ship/BOARD/`: put in place whole, so that files of two ships are never mixed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import HarnessError, PlanError
from .request import plain_name

CARD = "card.json"


def board_folder(target: Path, board: str) -> Path:
    """Where a board's files go; a board known by its address has a name that no folder should have."""
    return target / (plain_name(board) or "board")


def refuse_foreign(folder: Path) -> None:
    """Raise PlanError where something lies at a place that an earlier ship did not make: it would be replaced."""
    if not folder.exists() or (folder.is_dir() and ((folder / CARD).is_file() or not any(folder.iterdir()))):
        return
    what = "is a folder that `hilbench ship` did not write" if folder.is_dir() else "is no folder"
    raise PlanError(f"{folder} {what}, and it would be replaced; move it away or name another place with -o")


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a new folder and put it in the place of the old one. Raises HarnessError.

    A crash leaves the old folder, or none for the moment between two renames; never a part of the new one.
    """
    folder = folder.expanduser().resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.new-"))
        try:
            fresh.chmod(0o755)
            for name, content in files.items():
                (fresh / name).write_bytes(content)
            _swap(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise HarnessError(f"cannot write {folder}: {error.strerror}") from error
    return folder


def _swap(fresh: Path, folder: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old-"))
    try:
        folder.rename(aside / folder.name)
        try:
            fresh.rename(folder)
        except OSError:
            (aside / folder.name).rename(folder)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
