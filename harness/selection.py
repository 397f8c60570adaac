"""Which inventory, which boards: what the words on the command line and in plans mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..targets.address import board_from_address
from ..targets.board import Board
from ..targets.errors import TargetError
from ..targets.inventory import Inventory, find_inventory, load_inventory
from .boardquery import Selected, is_query, needs_facts, remark, select
from .errors import PlanError


def open_inventory(path: Path | None) -> Inventory:
    """The named inventory, else the nearest one above the present folder."""
    return Boards(path).inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What several words come to: boards in the order of the words, each once.

    `pools` names the boards that could stand in for the one that `any:K` chose; `remarks` are sentences for the user.
    """

    boards: tuple[Board, ...]
    pools: Mapping[str, tuple[Board, ...]]
    remarks: tuple[str, ...]


class Boards:
    """Boards by name, by address (`user@host[:port]`), by kind, tag or fact.

    The inventory is read when a name first asks for it, and what boards told of themselves when a fact does.
    """

    def __init__(self, inventory: Path | None, *, near: Path | None = None) -> None:
        beside = find_inventory(near.parent) if near is not None else None
        self.inventory_path = inventory or find_inventory(Path.cwd()) or beside
        self._inventory: Inventory | None = None
        self._facts: Mapping[str, Mapping[str, Any]] | None = None

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

    def select(self, word: str, *, excluded: Collection[str] = ()) -> Selected:
        """The boards that a word stands for. Raises PlanError, InventoryError, HostKeyError, StoreError."""
        if not is_query(word):
            return Selected(boards=(self.board(word),))
        return select(word, self.inventory.boards, self._told() if needs_facts(word) else {}, excluded=excluded)

    def select_all(
        self,
        words: Sequence[str],
        *,
        excluded: Collection[str] = (),
        wrong: Callable[[str, TargetError | PlanError], None] | None = None,
    ) -> Selection:
        """The boards of several words; `any:K` chooses last, and none that is in `excluded` or named by another word.

        `wrong` hears of words that select nothing; without it the first of them raises, as `select` does.
        """
        found: dict[str, Selected] = {}
        for word in sorted(dict.fromkeys(words), key=lambda word: word.startswith("any:")):
            taken = {board.name for selected in found.values() for board in selected.boards}
            try:
                found[word] = self.select(word, excluded={*excluded, *taken})
            except (TargetError, PlanError) as error:
                if wrong is None:
                    raise
                wrong(word, error)
        return _combined([(word, found[word]) for word in dict.fromkeys(words) if word in found])

    def _told(self) -> Mapping[str, Mapping[str, Any]]:
        if self._facts is None:
            from .boardfacts import told_facts

            self._facts = told_facts(self.inventory_path)
        return self._facts


def _combined(found: Sequence[tuple[str, Selected]]) -> Selection:
    """The boards of several words, each once, without standing in for another that was named."""
    boards = {board.name: board for _, selected in found for board in selected.boards}
    pools = {
        selected.boards[0].name: tuple(board for board in selected.others if board.name not in boards)
        for word, selected in found
        if word.startswith("any:")
    }
    remarks = [sentence for word, selected in found if (sentence := remark(word, selected)) is not None]
    return Selection(boards=tuple(boards.values()), pools=pools, remarks=tuple(remarks))
