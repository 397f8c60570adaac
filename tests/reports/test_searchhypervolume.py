"""The hypervolume of sets that can be worked out by hand, and by counting."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hilbench.reports.hypervolume import hypervolume


@pytest.mark.parametrize(
    ("points", "reference", "expected"),
    [
        ([], (1.0, 1.0), 0.0),
        ([(0.0,)], (2.0,), 2.0),
        ([(0.5,), (1.5,)], (2.0,), 1.5),
        ([(0.0, 0.0)], (1.0, 1.0), 1.0),
        ([(1.0, 2.0), (2.0, 1.0)], (3.0, 3.0), 3.0),  # 2 + 2, less the square that both hold
        ([(1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (2.5, 2.5)], (3.0, 3.0), 3.0),  # those behind the front add nothing
        ([(1.0, 1.0), (1.0, 1.0)], (2.0, 3.0), 2.0),
        ([(1.0, 3.0), (3.0, 1.0)], (3.0, 3.0), 0.0),  # on the edge is not below
        ([(-1.0, 4.0)], (3.0, 3.0), 0.0),
        ([(math.nan, 1.0), (1.0, 1.0)], (3.0, 3.0), 4.0),
        ([(0.0, 0.0, 0.0)], (1.0, 2.0, 3.0), 6.0),
        ([(0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0)], (2.0, 2.0, 2.0), 4.0),  # 3 boxes of 2, one cube in all
        ([(1.0, 1.0, 1.0), (0.0, 0.0, 2.0)], (2.0, 2.0, 2.0), 1.0),
    ],
)
def test_sets_worked_out_by_hand(
    points: list[tuple[float, ...]], reference: tuple[float, ...], expected: float
) -> None:
    assert hypervolume(points, reference) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_random_points_on_a_grid_agree_with_counting_cells(dimensions: int) -> None:
    random = np.random.default_rng(dimensions)
    for _ in range(20):
        points = [tuple(map(float, point)) for point in random.integers(0, 7, (12, dimensions))]
        cells = sum(
            any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points)
            for cell in product(range(6), repeat=dimensions)
        )
        assert hypervolume(points, (6.0,) * dimensions) == pytest.approx(cells)


@pytest.mark.parametrize(("points", "reference"), [([], ()), ([], (1.0,) * 4), ([(1.0,)], (1.0, 2.0))])
def test_other_dimensions_are_refused(points: list[tuple[float, ...]], reference: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"objectives|coordinates"):
        hypervolume(points, reference)
