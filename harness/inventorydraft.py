"""An inventory file on its way to more or fewer boards: changed as a text, judged, shown, and replaced in one step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..targets.board import Board
from ..targets.errors import InventoryError
from ..targets.inventory import load_inventory
from ..targets.inventoryedit import NEW_FILE, board_names, difference, with_board, without_board
from ..targets.suggest import free_name
from ..targets.yamlerrors import choice
from .reporting import write_bytes


class InventoryDraft:
    """What the file holds, and the text that shall replace it. Nothing is written before `write`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = _read(path)
        self.text = NEW_FILE if self._before is None else _decoded(path, self._before)
        if self.names:
            load_inventory(path, self.text)  # its own faults are said before any board is asked

    @property
    def names(self) -> list[str]:
        """The boards of the draft, in its order."""
        return board_names(self.path, self.text)

    @property
    def diff(self) -> str:
        """What the draft changes, as lines."""
        before = "" if self._before is None else _decoded(self.path, self._before)
        return difference(self.path, before, self.text)

    def layers(self, kind: str | None) -> Mapping[str, Any]:
        """What the defaults and a kind say, by key. Raises InventoryError where there is no such kind."""
        from ..targets.yamlfile import YamlFileError, read_yaml

        try:
            data, _ = read_yaml(self.path, self.text)
        except YamlFileError:
            data = {}  # nothing but comments so far: any other fault was said when the draft began
        kinds: dict[str, Any] = data.get("kinds") or {}
        if kind is not None and kind not in kinds:
            raise InventoryError(f'{self.path}: there is no kind "{kind}"{choice(kind, kinds)}')
        return {**(data.get("defaults") or {}), **(kinds.get(kind) or {} if kind is not None else {})}

    def refuse_taken(self, name: str) -> None:
        """Raise InventoryError, with a name that is free, where there is a board of that name already."""
        if name in self.names:
            hint = f"give it another name with --name, such as {free_name(name, self.names)}"
            raise InventoryError(f'{self.path}: there is already a board "{name}"; {hint}')

    def add(self, name: str, entry: Mapping[str, Any]) -> Board:
        """Put one more board into the draft; returns it as the finished file will give it."""
        text = with_board(self.path, self.text, name, entry)
        board = load_inventory(self.path, text).board(name)
        self.text = text
        return board

    def remove(self, name: str) -> None:
        """Take a board out of the draft. Raises InventoryError where there is none, or the file would be wrong then."""
        load_inventory(self.path, self.text).board(name)
        self.text = without_board(self.path, self.text, name)

    def write(self) -> None:
        """Replace the file in one step, if it still holds what the draft was made of and the draft is right."""
        load_inventory(self.path, self.text)
        if _read(self.path) != self._before:
            raise InventoryError(f"{self.path} was changed by someone else meanwhile; run the command again")
        write_bytes(self.path, self.text.encode())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InventoryError(f"{path}: the file cannot be read: {error.strerror}") from error


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InventoryError(f"{path}: the file is not UTF-8 text (byte {error.start})") from error
