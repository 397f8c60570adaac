"""Which inventory, which boards: what the words on the command line and in plans mean."""

from __future__ import annotations

from pathlib import Path

from ..targets.address import board_from_address
from ..targets.board import Board
from ..targets.inventory import Inventory, find_inventory, load_inventory
from .errors import PlanError


def open_inventory(path: Path | None) -> Inventory:
    """The named inventory, else the nearest one above the present folder."""
    return Boards(path).inventory


class Boards:
    """Boards by name or by address (`user@host[:port]`). The inventory is read when a name first asks for it."""

    def __init__(self, inventory: Path | None, *, near: Path | None = None) -> None:
        beside = find_inventory(near.parent) if near is not None else None
        self.inventory_path = inventory or find_inventory(Path.cwd()) or beside
        self._inventory: Inventory | None = None

    @property
    def inventory(self) -> Inventory:
        """The inventory. Raises PlanError where there is none, InventoryError where it is wrong."""
        if self._inventory is None:
            if self.inventory_path is None:
                raise PlanError("there is no inventory.yaml here or in a folder above; `hilbench init` writes one")
            self._inventory = load_inventory(self.inventory_path)
        return self._inventory

    def board(self, word: str) -> Board:
        """A board of the inventory, or one described by its address. Raises InventoryError, HostKeyError."""
        if "@" not in word:
            return self.inventory.board(word)
        return board_from_address(word)
