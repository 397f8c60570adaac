"""Which candidates of a board are worth a look: no other is both cheaper and more accurate; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """Where a candidate stands in the trade-off of accuracy and work."""

    FRONT = "front"
    TIED = "tied"  # dominated in its estimate, but within the intervals of those that dominate it
    DOMINATED = "dominated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A candidate in the trade-off: work (less is better) and accuracy (more is better) with their intervals.

    Only candidates of which both were measured become points: what is missing must never win an axis.
    """

    key: str
    work: float
    work_low: float | None
    work_high: float | None
    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None


def standings(points: Sequence[Point]) -> dict[str, Standing]:
    """The standing of each point among all of one board."""
    return {point.key: _standing(point, points) for point in points}


def _standing(point: Point, points: Sequence[Point]) -> Standing:
    over = [other for other in points if _dominates(other, point)]
    if not over:
        return Standing.FRONT
    return Standing.TIED if all(_overlap(other, point) for other in over) else Standing.DOMINATED


def _dominates(other: Point, point: Point) -> bool:
    no_worse = other.work <= point.work and other.accuracy >= point.accuracy
    return no_worse and (other.work < point.work or other.accuracy > point.accuracy)


def _overlap(other: Point, point: Point) -> bool:
    """Whether two can be told apart neither in work nor in accuracy; a missing interval tells nothing apart."""
    work = _or(other.work_high, math.inf) >= _or(point.work_low, -math.inf)
    accuracy = _or(other.accuracy_low, -math.inf) <= _or(point.accuracy_high, math.inf)
    return work and accuracy


def _or(bound: float | None, missing: float) -> float:
    return missing if bound is None else bound
