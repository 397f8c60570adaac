"""What a search knows of each trial, as it is written down before and after each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .measurer import OK, Figure, Judged, OnBoard
from .space import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialState:
    """One trial. Why it goes no further is not kept but follows from its figures, since limits may change.

    `asked` is its number in the study. `same_as` is the trial whose file is the same to the byte. `boards` has the
    newest figures of each board; `run_ids` and `board_time_s` count all that was ever measured of it.
    """

    number: int
    asked: int
    proposal: Proposal
    recipe: str
    judged: Judged | None = None
    same_as: int | None = None
    boards: Mapping[str, OnBoard] = field(default_factory=dict[str, OnBoard])
    rung: int | None = None
    run_ids: tuple[str, ...] = ()
    board_time_s: Mapping[str, float] = field(default_factory=dict[str, float])
    predicted: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def measured(self) -> bool:
        """Whether a board gave figures of it."""
        return any(one.state == OK for one in self.boards.values())

    def effort(self, board: str) -> int:
        """How many blocks its figures on a board have."""
        found = self.boards.get(board)
        return 0 if found is None else found.effort


def to_json(state: TrialState) -> dict[str, Any]:
    """As plain data; `from_json` reads it again."""
    return asdict(state)


def from_json(data: Mapping[str, Any]) -> TrialState:
    """The trial that `to_json` wrote."""
    given = dict(data)
    given["proposal"] = Proposal(**given["proposal"])
    given["judged"] = None if given["judged"] is None else Judged(**given["judged"])
    given["boards"] = {name: on_board(one) for name, one in given["boards"].items()}
    given["run_ids"] = tuple(given["run_ids"])
    return TrialState(**given)


def on_board(data: Mapping[str, Any]) -> OnBoard:
    """What a board gave, from plain data."""
    given = dict(data)
    given["figures"] = tuple(Figure(**one) for one in data["figures"])
    return OnBoard(**given)
