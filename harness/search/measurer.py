"""What a search asks of those who make and measure its candidates, and what it gets; plain values that JSON takes.

Two real implementations: `onboards.py` (runs on boards) and `replay.py` (a table in which everything was measured).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...compression.recipe import Recipe
from ...reports.statistics import Estimate, median_estimate, shift_estimate
from ...reports.verdict import COUNT_MARGIN, TIME_MARGIN

OK = "ok"

# How far off a figure of few blocks may be, relative: used where a screening has too few blocks for an interval, only
# to decide who gets more effort, and never shown.
SCREENING_MARGIN: Mapping[str, float] = {
    "latency": 3 * TIME_MARGIN,
    "p95": 0.15,
    "energy": 0.10,
    "memory": 0.02,
    "instructions": COUNT_MARGIN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One proposal of the search, made concrete."""

    number: int
    model: str
    recipe: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the host knows of a candidate. `failed` says why there is no file; `unsupported` is by board.

    Accuracies are fractions; `drop` is what was lost against the same model's baseline, with its paired interval.
    `costs` is what was counted in the file (`compression.costs`).
    """

    artifact_sha256: str | None = None
    artifact_bytes: int | None = None
    accuracy: float | None = None
    drop: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None
    costs: Mapping[str, Any] | None = None
    failed: str | None = None
    unsupported: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One metric of one candidate on one board, in base units.

    `ratio` is over the same model's baseline in the same run, paired over blocks; `ratio_low`/`ratio_high` are its
    interval, or what `SCREENING_MARGIN` allows where there are too few blocks for one.
    """

    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    blocks: int = 0
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    """What a board gave of a candidate. `state` is the outcome of its cell; `board_time_s` its share of the run."""

    state: str
    reason: str | None = None
    figures: tuple[Figure, ...] = ()
    effort: int = 0  # blocks or processes that were asked for
    run_id: str = ""
    board_time_s: float = 0.0

    def figure(self, metric: str) -> Figure | None:
        """A figure by its metric."""
        return next((one for one in self.figures if one.metric == metric), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is to be measured together. `number` and `boards` are in the order of the search; efforts are by board.

    `memory`: whether the memory is read too, for which a process is needed; `control`: whether the baseline is measured
    a second time, as the A/A control.
    """

    number: int
    effort: Mapping[str, int]
    candidates: tuple[Candidate, ...]
    memory: bool = True
    control: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """`found`: (trial number, board) -> what it gave; `baselines`: (model, board) -> the baseline's figures."""

    found: Mapping[tuple[int, str], OnBoard]
    baselines: Mapping[tuple[str, str], tuple[Figure, ...]]


class Measurer(Protocol):
    """Who makes, judges and measures candidates. Asked the same again, it gives the same and spends nothing."""

    def judge(self, candidate: Candidate) -> Judged:
        """Make a candidate and judge it on the host. What cannot be made is said in `failed`, never raised."""
        ...

    def measure(self, asked: Round) -> RoundResult:
        """Measure a round beside its baselines. Raises Interrupted, or BoardsLostError; nothing measured is lost."""
        ...


def compared(metric: str, values: Mapping[int, float], base: Mapping[int, float]) -> Figure:
    """A figure from its values by block, beside the baseline's."""
    estimate = median_estimate(list(values.values()))
    return with_ratio(
        Figure(metric=metric, value=estimate.value, ci_low=estimate.low, ci_high=estimate.high, blocks=len(values)),
        [math.log(values[block] / base[block]) for block in sorted(values.keys() & base.keys())],
    )


def with_ratio(figure: Figure, log_ratios: Sequence[float]) -> Figure:
    """The figure with its ratio to the baseline, from one log ratio a block; as it is where there is none."""
    if not log_ratios:
        return figure
    found: Estimate = shift_estimate(list(log_ratios))
    margin = math.log1p(SCREENING_MARGIN[figure.metric])
    low = min(log_ratios) - margin if found.low is None else found.low
    high = max(log_ratios) + margin if found.high is None else found.high
    return Figure(
        metric=figure.metric,
        value=figure.value,
        ci_low=figure.ci_low,
        ci_high=figure.ci_high,
        blocks=figure.blocks,
        ratio=math.exp(found.value),
        ratio_low=math.exp(low),
        ratio_high=math.exp(high),
    )
