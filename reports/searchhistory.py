"""How a search got on over the time that it took of a board: who was known when, and the hypervolume then; pure.

A candidate counts from the end of the round in which the board first measured it, with the figures that are known of
it now: later rounds make figures surer and are no discoveries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .hypervolume import hypervolume
from .language import clauses, mark
from .searchgoals import Goal, counted, goals, place, unbeaten
from .searchrecord import SearchBoard, SearchRecord

PARTS = (
    (0.25, mark("After a quarter of the board time ({time})")),
    (0.5, mark("After half of the board time ({time})")),
    (1.0, mark("After all of the board time ({time})")),
)
"""The moments at which a front is drawn: which part of the board's time was spent, and how that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The end of a round: board time so far, the trials that the board had measured, and what they were worth."""

    board_time_s: float
    measured: frozenset[int]
    hypervolume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The rounds of one board in their order. No `moments` where the record does not say how long they took."""

    goals: tuple[Goal, ...]
    moments: tuple[Moment, ...]

    @property
    def total_s(self) -> float:
        """All of the board's time."""
        return self.moments[-1].board_time_s if self.moments else 0.0

    def at(self, part: float) -> Moment | None:
        """The last round that had ended after a part of the board's time; None where none had."""
        ended = [one for one in self.moments if one.board_time_s <= part * self.total_s * (1 + 1e-9)]
        return ended[-1] if ended else None

    def worth(self, share: float) -> float | None:
        """After how much board time a share of the final hypervolume was reached; None without any."""
        last = self.moments[-1].hypervolume if self.moments else 0.0
        if last <= 0:
            return None
        return next(one.board_time_s for one in self.moments if one.hypervolume >= share * last * (1 - 1e-12))


def history(record: SearchRecord, board: SearchBoard) -> History:
    """The history of one board."""
    wanted = goals(record, board)
    places = {t.number: at for t in counted(record, board) if (at := place(t, board.name, wanted)) is not None}
    time_s, measured, front, moments = 0.0, set[int](), set[int](), list[Moment]()
    for one in sorted(record.rounds, key=lambda each: each.number):
        if board.name not in one.board_time_s:
            continue
        time_s += one.board_time_s[board.name]
        fresh = set(one.trials) - measured
        measured |= fresh
        front = unbeaten({number: places[number] for number in front | fresh if number in places})
        volume = hypervolume((places[number] for number in front), (1.0,) * len(wanted)) if wanted else 0.0
        moments.append(Moment(board_time_s=time_s, measured=frozenset(measured), hypervolume=volume))
    return History(goals=wanted, moments=tuple(moments) if time_s > 0 else ())


def reference_text(wanted: Sequence[Goal]) -> str:
    """The reference point in words."""
    return clauses(goal.told for goal in wanted)
