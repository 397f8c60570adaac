"""A search over a table in which every candidate was measured beforehand: for figures about searches, and for tests.

The table holds what a real measurement gave, block by block, so a replayed rung of 4 blocks is as uncertain as 4 blocks
were. Nothing is invented: what the table lacks was not measured.
"""

from __future__ import annotations

import gzip
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...reports.statistics import median_estimate
from .measurer import OK, Candidate, Figure, Judged, OnBoard, Round, RoundResult, compared, with_ratio

Blocks = Mapping[str, tuple[float, ...]]  # metric -> its value in each block; one value: measured once


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBoard:
    """What one board gave of one candidate. A block took `block_s`, the rest of its cell `once_s`, of which `memory_s`
    was for the process that told its memory."""

    state: str = OK
    reason: str | None = None
    metrics: Blocks = field(default_factory=dict[str, tuple[float, ...]])
    block_s: float = 0.0
    once_s: float = 0.0
    memory_s: float = 0.0

    def blocks(self, effort: int) -> int:
        """How many blocks of those asked for the table has."""
        return min(effort, max((len(values) for values in self.metrics.values()), default=0))

    def spent_s(self, effort: int, *, memory: bool = True) -> float:
        """The time that so many blocks took, those that the table lacks apart, with or without what told the memory."""
        return self.once_s - (0.0 if memory else self.memory_s) + self.block_s * self.blocks(effort)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry:
    """One candidate, or a baseline."""

    judged: Judged
    boards: Mapping[str, TableBoard]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All candidates by (model, recipe); `baseline` is the recipe that they are compared with.

    `opening_s` is what a board takes in each round before its first process: to boot, to connect, to be sent files.
    """

    baseline: str
    entries: Mapping[tuple[str, str], TableEntry]
    opening_s: Mapping[str, float] = field(default_factory=dict[str, float])


class TableMeasurer:
    """Answers from a table. `pause_s` makes each answer slow, for those who look what happens meanwhile."""

    def __init__(self, table: Table, *, pause_s: float = 0.0) -> None:
        self._table, self._pause_s = table, pause_s

    def judge(self, candidate: Candidate) -> Judged:
        """What the host found."""
        time.sleep(self._pause_s)
        entry = self._table.entries.get((candidate.model, candidate.recipe.name))
        return Judged(failed="the table does not have it") if entry is None else entry.judged

    def measure(self, asked: Round) -> RoundResult:
        """What the boards gave in their first blocks.

        What a round costs besides is shared by its candidates: opening, the baseline, and its blocks again where there
        is an A/A control.
        """
        time.sleep(self._pause_s)
        run_id = f"replayed-{asked.number}"
        found: dict[tuple[int, str], OnBoard] = {}
        baselines: dict[tuple[str, str], tuple[Figure, ...]] = {}
        for board, effort in asked.effort.items():
            for model in dict.fromkeys(candidate.model for candidate in asked.candidates):
                base = self._table.entries[model, self._table.baseline].boards[board]
                baselines[model, board] = _figures(base, base, asked, board)
                mine = [candidate for candidate in asked.candidates if candidate.model == model]
                opening_s = self._table.opening_s.get(board, 0.0)
                control_s = base.block_s * base.blocks(effort) if asked.control else 0.0
                shared_s = (opening_s + base.spent_s(effort, memory=asked.memory) + control_s) / len(mine)
                for candidate in mine:
                    one = self._table.entries[model, candidate.recipe.name].boards[board]
                    found[candidate.number, board] = OnBoard(
                        state=one.state,
                        reason=one.reason,
                        figures=_figures(one, base, asked, board) if one.state == OK else (),
                        effort=effort,
                        run_id=run_id,
                        board_time_s=shared_s + one.spent_s(effort, memory=asked.memory),
                    )
        return RoundResult(found=found, baselines=baselines)


def _figures(one: TableBoard, base: TableBoard, asked: Round, board: str) -> tuple[Figure, ...]:
    return tuple(
        _figure(metric, values, base.metrics.get(metric, ()), asked.effort[board])
        for metric, values in one.metrics.items()
        if asked.memory or metric != "memory"
    )


def _figure(metric: str, values: Sequence[float], base: Sequence[float], effort: int) -> Figure:
    if len(values) > 1:
        return compared(metric, dict(enumerate(values[:effort])), dict(enumerate(base[:effort])))
    figure = Figure(metric=metric, value=median_estimate(values).value, blocks=1)
    return with_ratio(figure, [math.log(values[0] / base[0])] if base else [])


def write_table(table: Table, path: Path) -> None:
    """Keep a table as JSON, packed by gzip where the name ends so. The same table gives the same bytes."""
    entries = [{"model": model, "recipe": recipe, **asdict(entry)} for (model, recipe), entry in table.entries.items()]
    data = {"baseline": table.baseline, "opening_s": dict(table.opening_s), "entries": entries}
    text = (json.dumps(data, indent=1) + "\n").encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def read_table(path: Path) -> Table:
    """The table that `write_table` kept."""
    kept = path.read_bytes()
    data = json.loads(gzip.decompress(kept) if path.suffix == ".gz" else kept)
    return Table(
        baseline=data["baseline"],
        entries={(one["model"], one["recipe"]): _entry(one) for one in data["entries"]},
        opening_s=data["opening_s"],
    )


def _entry(data: Mapping[str, Any]) -> TableEntry:
    boards = {name: _board(one) for name, one in data["boards"].items()}
    return TableEntry(judged=Judged(**data["judged"]), boards=boards)


def _board(data: Mapping[str, Any]) -> TableBoard:
    given = dict(data)
    given["metrics"] = {metric: tuple(values) for metric, values in data["metrics"].items()}
    return TableBoard(**given)
