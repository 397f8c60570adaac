"""How much of the space below a reference point a set of points dominates: exact, for 1, 2 or 3 objectives; pure.

Less is better in every objective. A point that is not below the reference in all of them adds nothing. (The measure is
that of Zitzler and Thiele 1998; in three dimensions it is swept along the last one, a slice at a time.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Point = tuple[float, ...]
MOST_DIMENSIONS = 3


def hypervolume(points: Iterable[Sequence[float]], reference: Sequence[float]) -> float:
    """The length, area or volume between the points and the reference. All have as many coordinates as it.

    Raises ValueError for other than 1, 2 or 3 objectives, and for points of another length.
    """
    if not 1 <= len(reference) <= MOST_DIMENSIONS:
        raise ValueError(f"a hypervolume has 1 to {MOST_DIMENSIONS} objectives here, not {len(reference)}")
    kept: set[Point] = set()
    for point in points:
        if len(point) != len(reference):
            raise ValueError(f"a point has {len(point)} coordinates and the reference {len(reference)}")
        if all(value < bound for value, bound in zip(point, reference, strict=True)):  # NaN is below nothing
            kept.add(tuple(point))
    match len(reference):
        case 1:
            return reference[0] - min((point[0] for point in kept), default=reference[0])
        case 2:
            return _area(kept, reference[0], reference[1])
        case _:
            return _volume(kept, reference)


def _area(points: Iterable[Sequence[float]], right: float, top: float) -> float:
    """From left to right, each point that lies lower than all before it adds the strip up to the lowest so far."""
    area, lowest = 0.0, top
    for x, y in sorted((point[0], point[1]) for point in points):
        if y < lowest:
            area += (right - x) * (lowest - y)
            lowest = y
    return area


def _volume(points: Iterable[Point], reference: Sequence[float]) -> float:
    """Between two neighbouring heights the cross section is the area of all points at or below the lower one."""
    ordered = sorted(points, key=lambda point: point[2])
    heights = [*sorted({point[2] for point in ordered}), reference[2]]
    return sum(
        (above - height) * _area((p for p in ordered if p[2] <= height), reference[0], reference[1])
        for height, above in pairwise(heights)
    )
