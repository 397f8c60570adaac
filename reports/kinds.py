"""How far the units of one kind of board lie apart: the same file on several boards that were bought as equals; pure.

A figure of one unit is a fact about that unit. Where the inventory says that several boards are of one kind, their
medians are set side by side: the spread between units stands beside the interval within a unit, which knows nothing
of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .comparable import settings_key
from .record import RunRecord
from .statistics import ALPHA, coefficient_of_variation, median_estimate
from .summary import CellSummary, RunSummary
from .verdict import COUNT_MARGIN

_Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unit:
    """One board of a kind with one candidate: its median in ns, or in instructions where it is emulated, with the
    interval over its own blocks (counts: the range over processes); None with too few blocks."""

    cell: CellSummary
    median: float
    low: float | None
    high: float | None

    @property
    def board(self) -> str:
        """The unit's name."""
        return self.cell.record.board

    @property
    def width(self) -> float | None:
        """The whole width of its interval, as a fraction of its median."""
        return None if self.low is None or self.high is None else (self.high - self.low) / self.median


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpreadOfUnits:
    """One candidate on the units of a kind that measured it, two at least, in the order of the inventory.

    `mean` is that of the units' medians, `range` the largest less the least of them over that mean, `cv` their sample
    standard deviation over it: what another unit of the kind may add. `within` is the widest interval of a unit over
    its median. `differ` says whether two units are told apart: the interval of one lies wholly above that of another,
    each at 95 % for all units together (Bonferroni); counts must differ by more than 0.1 % as well. None = too few
    blocks for such intervals.
    """

    kind: str
    units: tuple[Unit, ...]
    mean: float
    range: float
    cv: float
    within: float | None
    differ: bool | None

    @property
    def emulated(self) -> bool:
        """Whether the figures are instructions."""
        return self.units[0].cell.record.emulated

    @property
    def fastest(self) -> Unit:
        """The unit with the least work."""
        return min(self.units, key=lambda unit: unit.median)

    @property
    def slowest(self) -> Unit:
        """The unit with the most work: what is said of the kind must hold on it."""
        return max(self.units, key=lambda unit: unit.median)


def units_of_kinds(run: RunRecord) -> dict[str, tuple[str, ...]]:
    """Kind -> its boards, for each kind of which the run has two or more. Runs of older versions know no kinds."""
    found: dict[str, list[str]] = {}
    for board in dict.fromkeys(record.board for record in run.records):
        kind = run.boards.get(board, {}).get("kind")
        if kind is not None:
            found.setdefault(str(kind), []).append(board)
    return {kind: tuple(boards) for kind, boards in found.items() if len(boards) > 1}


def spreads_of_units(summary: RunSummary) -> tuple[SpreadOfUnits, ...]:
    """One for each candidate that two or more units of a kind measured, by kind, in the order of the plan.

    Only cells that are ok and ran the same file count. Time and instructions are never mixed.
    """
    kinds = units_of_kinds(summary.run)
    kind_of = {board: kind for kind, boards in kinds.items() for board in boards}
    found: dict[tuple[_Key, bool, str | None], list[Unit]] = {}
    for cell in summary.cells:
        kind = kind_of.get(cell.record.board)
        if kind is not None and cell.ok and cell.work is not None:
            sha256 = cell.record.artifact.sha256 if cell.record.artifact else None
            found.setdefault((_key(kind, cell), cell.record.emulated, sha256), []).append(_unit(cell, cell.work))
    spreads = [_spread(key[0], units) for (key, _, _), units in found.items() if len(units) > 1]
    return tuple(spread for kind in kinds for spread in spreads if spread.kind == kind)


def _key(kind: str, cell: CellSummary) -> _Key:
    record = cell.record
    return kind, record.model, record.recipe, record.runtime, settings_key(record)


def _unit(cell: CellSummary, work: float) -> Unit:
    if cell.latency is not None:
        return Unit(cell=cell, median=work, low=cell.latency.ci_low_ns, high=cell.latency.ci_high_ns)
    return Unit(cell=cell, median=work, low=min(cell.by_block.values()), high=max(cell.by_block.values()))


def _spread(kind: str, units: Sequence[Unit]) -> SpreadOfUnits:
    medians = [unit.median for unit in units]
    mean = sum(medians) / len(medians)
    widths = [unit.width for unit in units]
    return SpreadOfUnits(
        kind=kind,
        units=tuple(units),
        mean=mean,
        range=(max(medians) - min(medians)) / mean,
        cv=coefficient_of_variation(medians) or 0.0,
        within=max((width for width in widths if width is not None), default=None),
        differ=_differ(units, mean),
    )


def _differ(units: Sequence[Unit], mean: float) -> bool | None:
    if units[0].cell.record.emulated:
        lows, highs = zip(*(_ends(unit.cell.by_block) for unit in units), strict=True)
        return (max(lows) - min(highs)) / mean > COUNT_MARGIN
    estimates = [median_estimate(list(unit.cell.by_block.values()), ALPHA / len(units)) for unit in units]
    lows = [one.low for one in estimates if one.low is not None]
    highs = [one.high for one in estimates if one.high is not None]
    return None if len(lows) < len(units) else max(lows) > min(highs)


def _ends(values: Mapping[int, float]) -> tuple[float, float]:
    return min(values.values()), max(values.values())
