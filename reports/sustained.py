"""Cold and sustained latency of one long run: what a board gives at first, and what it keeps up; pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TypeVar

from .measured import Sustained

Number = TypeVar("Number", int, float)

COLD_S = 10.0
SUSTAINED_WINDOWS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdAndSustained:
    """Medians in ns of the first ten seconds and of the last windows; `slowdown` is sustained over cold.

    `warmer_c` and `slower_khz` are from the first window to the last, None where the board does not tell. `steady` is
    False where the limit came first: the board might have gone on changing.
    """

    cold_ns: float
    sustained_ns: float
    slowdown: float
    warmer_c: float | None
    slower_khz: int | None
    lasted_s: float
    steady: bool


def cold_and_sustained(run: Sustained) -> ColdAndSustained | None:
    """Both figures of a run; None where it has no windows."""
    if not run.windows:
        return None
    first, last = run.windows[0], run.windows[-1]
    cold = [window.median_ns for window in run.windows if window.start_s < COLD_S]
    cold_ns = statistics.median(cold or [first.median_ns])
    sustained_ns = statistics.median(window.median_ns for window in run.windows[-SUSTAINED_WINDOWS:])
    return ColdAndSustained(
        cold_ns=cold_ns,
        sustained_ns=sustained_ns,
        slowdown=sustained_ns / cold_ns,
        warmer_c=_grown(first.temperature_c, last.temperature_c),
        slower_khz=_grown(last.freq_khz, first.freq_khz),
        lasted_s=last.start_s,
        steady=run.ended == "steady",
    )


def _grown(first: Number | None, last: Number | None) -> Number | None:
    return None if first is None or last is None else last - first
