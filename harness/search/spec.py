"""What a search is to do, as plain values; `searchfile.py` reads it from a plan."""

from __future__ import annotations

from dataclasses import dataclass

from ...reports.searchrecord import WORST
from ..protocol import EMULATED
from .budget import Limit
from .space import Space

ON_FILE = frozenset({"size", "accuracy"})  # objectives that no board is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What is made better. `board` is a name, `worst`, or None for what no board tells (size, accuracy)."""

    metric: str
    board: str | None

    @property
    def minimize(self) -> bool:
        """Whether less is better."""
        return self.metric != "accuracy"

    @property
    def worst(self) -> bool:
        """Whether the worst of all boards counts, as a ratio to the baseline there."""
        return self.board == WORST


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """A search. `trials` are different candidates; `effort` the blocks of each rung on timed boards."""

    space: Space
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...]
    trials: int
    sampler: str
    batch: int
    population: int
    effort: tuple[int, ...]
    processes: int = EMULATED.blocks  # of finalists on emulated boards

    def blocks(self, rung: int, *, emulated: bool) -> int:
        """Blocks of a rung. On an emulated board: one process, as counts hardly vary; all of them for finalists."""
        if not emulated:
            return self.effort[rung]
        return self.processes if rung == len(self.effort) - 1 else 1

    def looks_at(self, metric: str) -> bool:
        """Whether an objective or a limit is about it: what is not is measured of finalists only."""
        return any(one.metric == metric for one in (*self.objectives, *self.limits))
