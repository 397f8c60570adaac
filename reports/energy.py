"""What a meter gave beside one process, and the joules per inference of a cell. Data only.

The trace is kept as it was sampled; figures are computed from it whenever they are read. Missing is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerTrace:
    """The samples of one process's meter, in the order in which they came: nothing is left out or mended.

    `marks_ns` are the board's times at which idle, `inferences`, idle again began, and the end. `channel` says what
    the `values` are (W, or J of a counter). `sequence` numbers the samples, None = nobody counted. `error` is the last
    failure of the meter. `clocks` are two (board_ns, offset_ns, half_width_ns), before and after, for a meter that is
    not stamped by the board's clock; else None.
    """

    marks_ns: tuple[int, ...]
    inferences: int
    channel: Mapping[str, Any]
    time_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    sequence: NDArray[np.int64] | None = None
    error: str | None = None
    clocks: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRatio:
    """Total energy of a cell over that of its baseline by the same meter, whose gain cancels; uncertainty for k = 2."""

    ratio: float
    uncertainty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyFigure:
    """Joules per inference of one cell, as one meter saw them.

    `net_j` is without the idle power; uncertainties are for k = 2 (about 95 %). `state` is `valid`, `suspect` or
    `invalid`: then there is no figure, and `reasons` says why. `budget` holds the standard uncertainties by source.
    """

    meter: str
    site: str
    meter_class: str
    scope: str
    total_j: float | None
    net_j: float | None
    uncertainty_j: float | None
    net_uncertainty_j: float | None
    active_w: float | None
    idle_w: float | None
    period_s: float | None
    window_s: float | None
    blocks: int
    samples: int
    drops: int
    state: str
    reasons: tuple[str, ...] = ()
    budget: Mapping[str, float] = field(default_factory=dict[str, float])
    ratio: EnergyRatio | None = None

    @property
    def name(self) -> str:
        """Meter and site, as it stands beside a figure."""
        return f"{self.meter} {self.site}"
