"""Small drawings inside table cells, each on one scale per table: intervals, blocks, memory phases; pure SVG.

They carry no text and no role, so screen readers pass them over: the cells beside them say the same in figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .record import MemoryPhases
from .verdict import Verdict

WIDTH, HEIGHT = 120, 22
MIDDLE = HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale of a table's column onto the width of its drawings."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """The pixel of a value, kept inside the drawing."""
        share = (value - self.low) / (self.high - self.low)
        return 4 + min(max(share, 0.0), 1.0) * (WIDTH - 8)


def ratio_scale(verdicts: Iterable[Verdict]) -> Scale:
    """A scale that holds every ratio with its interval, and 1."""
    ends = [1.0]
    for verdict in verdicts:
        ends += [end for end in (verdict.ratio, verdict.ci_low, verdict.ci_high) if end is not None]
    pad = max((max(ends) - min(ends)) * 0.06, 0.01)
    return Scale(min(ends) - pad, max(ends) + pad)


def interval(verdict: Verdict, scale: Scale) -> str:
    """A ratio with its interval, the baseline's line at 1 and the margin around it."""
    if verdict.ratio is None:
        return ""
    margin = verdict.margin or 0.0
    left, right = scale.at(1 - margin), scale.at(1 + margin)
    low, high = verdict.ci_low, verdict.ci_high
    line = f"M{scale.at(low):.1f} {MIDDLE}H{scale.at(high):.1f}" if low is not None and high is not None else ""
    return _svg(
        f'<path class="margin" d="{_box(left, max(right, left + 1), 2)}"/>{_line(scale.at(1))}'
        f'<path class="range" d="{line}"/><circle cx="{scale.at(verdict.ratio):.1f}" cy="{MIDDLE}" r="3.5"/>',
        verdict.word.value,
    )


def deviation_scale(series: Iterable[Mapping[int, float]], least: float) -> Scale:
    """A scale symmetric around 0 that holds every block's deviation from its own cell's median; at least ±`least`."""
    reach = max([least, *(abs(value) for blocks in series for value in deviations(blocks))])
    return Scale(-reach, reach)


def deviations(blocks: Mapping[int, float]) -> list[float]:
    """Each block's relative distance from the median of all blocks of its cell."""
    ordered = sorted(blocks.values())
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2 if ordered else 1.0
    return [blocks[block] / middle - 1 for block in sorted(blocks)]


def strip(blocks: Mapping[int, float], scale: Scale) -> str:
    """One dot for each block, from the cell's median."""
    dots = "".join(f"M{scale.at(value):.0f} {MIDDLE}h0" for value in deviations(blocks))  # round ends make dots
    return _svg(f'{_line(scale.at(0))}<path class="block" d="{dots}"/>')


def memory_scale(phases: Sequence[MemoryPhases]) -> Scale:
    """A scale from zero to the largest peak."""
    return Scale(0.0, max([1.0, *(peak for each in phases for peak in _peaks(each))]))


def memory_bar(phases: MemoryPhases, scale: Scale) -> str:
    """The runtime's baseline as a bar, and how far the model's peaks reach over it."""
    base, top = phases.baseline_bytes or 0, max(_peaks(phases), default=0.0)
    start = scale.at(0)
    middle, end = scale.at(base), scale.at(top)
    return _svg(
        f'<path class="bar-base" d="{_box(start, middle, 5)}"/><path class="bar-peak" d="{_box(middle, end, 5)}"/>'
    )


def _peaks(phases: MemoryPhases) -> list[float]:
    return [
        float(peak)
        for peak in (phases.baseline_bytes, phases.load_peak_bytes, phases.first_peak_bytes, phases.steady_peak_bytes)
        if peak is not None
    ]


def _line(x: float) -> str:
    return f'<path class="one" d="M{x:.1f} 1V{HEIGHT - 1}"/>'


def _box(left: float, right: float, top: int) -> str:
    return f"M{left:.1f} {top}H{max(left, right):.1f}V{HEIGHT - top}H{left:.1f}z"


def _svg(body: str, kind: str = "") -> str:
    """One of thousands on a page, so what all share stands in the style sheet."""
    return f'<svg class="spark{kind and " "}{kind}" viewBox="0 0 {WIDTH} {HEIGHT}">{body}</svg>'
