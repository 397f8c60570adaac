"""Who is near the front, intervals respected, and who gets the next rung of effort. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One objective of one candidate, less is better, with the bounds that it is known within.

    What does not become better known by more blocks (size, accuracy on the host) has bounds equal to its value.
    """

    value: float
    low: float
    high: float


Scores = Sequence[Score]
Values = NDArray[np.float64]  # [candidates, objectives]


def exactly(value: float) -> Score:
    """A score without doubt."""
    return Score(value=value, low=value, high=value)


def dominates(a: Scores, b: Scores) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better, by their values."""
    return all(x.value <= y.value for x, y in zip(a, b, strict=True)) and any(
        x.value < y.value for x, y in zip(a, b, strict=True)
    )


def clearly_dominates(a: Scores, b: Scores) -> bool:
    """Whether `a` is better than `b` wherever they differ, whatever the truth within their bounds.

    As long as the bounds of one objective overlap, the order in it is open, unless they are one and the same number.
    """
    return all(x.high <= y.low for x, y in zip(a, b, strict=True)) and any(
        x.high < y.low for x, y in zip(a, b, strict=True)
    )


def front(scores: Mapping[int, Scores]) -> set[int]:
    """Those that nobody dominates, by their values."""
    value = _table(scores, "value")
    return _unbeaten(scores, value, value)


def near_front(scores: Mapping[int, Scores]) -> set[int]:
    """The front and all of whom it is not clear that they lie behind it."""
    return _unbeaten(scores, _table(scores, "high"), _table(scores, "low"))


def promoted(scores: Mapping[int, Scores], *, settled: Collection[int] = (), share: float = 1 / 3) -> list[int]:
    """Who goes on to the next rung: the whole front, then the nearest to it, up to a share of all; best first.

    Of those that did not go with the first ones (`settled` did), only whom none of them stands for. A third is the
    usual share of successive halving. (Li et al., Hyperband, 2018.)
    """
    first, near = front(scores), near_front(scores)
    leaders = [scores[number] for number in sorted(first)]
    distance = {number: behind(scores[number], leaders) for number in first | near}
    ordered = sorted(distance, key=lambda number: (number not in first, distance[number], number))
    chosen = ordered[: max(len(first), math.ceil(share * len(scores)))]
    others = [scores[number] for number in settled]
    return [n for n in chosen if n not in settled and not any(stands_for(other, scores[n]) for other in others)]


def stands_for(other: Scores, mine: Scores) -> bool:
    """Whether no figure of mine is better than what the other one's may be: nothing shows that it would be missed."""
    return all(x.low <= y.value for x, y in zip(other, mine, strict=True))


def behind(mine: Scores, others: Sequence[Scores]) -> float:
    """How much worse it is than the front: the least improvement, the same in each objective, that puts it there."""
    if not others:
        return 0.0
    gaps = _values([mine], "value") - _values(others, "value")
    return max(0.0, float(gaps.min(axis=1).max()))


def _unbeaten(scores: Mapping[int, Scores], best: Values, worst: Values) -> set[int]:
    """Those of whom no other one's `best` [n, objectives] is nowhere above their `worst`, and somewhere below it."""
    found: set[int] = set()
    for place, number in enumerate(scores):
        at_least = (best <= worst[place]).all(axis=1)
        below = (best < worst[place]).any(axis=1)
        if not bool((at_least & below).any()):
            found.add(number)
    return found


def _table(scores: Mapping[int, Scores], which: str) -> Values:
    return _values(list(scores.values()), which)


def _values(scores: Sequence[Scores], which: str) -> Values:
    objectives = len(scores[0]) if scores else 0
    return np.array([[getattr(one, which) for one in row] for row in scores], np.float64).reshape(-1, objectives or 1)
