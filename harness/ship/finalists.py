"""Which candidates of a search are confirmed on a board: the front of those that keep its budget; pure.

Each board is judged by its own limits: what breaks another board's budget may still be the best here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...reports.searchrecord import SearchMeasure, SearchRecord, SearchTrial
from ..search.budget import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A figure against a limit, in the limit's base units. `value` None: not measured, so nobody knows.

    `high` is the upper end of its 95 % interval, None where it has none.
    """

    limit: Limit
    value: float | None
    high: float | None = None

    @property
    def kept(self) -> bool | None:
        """Whether the figure is within the limit; None where it was not measured."""
        return None if self.value is None else self.value <= self.limit.value + 1e-12

    @property
    def certain(self) -> bool:
        """Whether its whole interval is."""
        high = self.value if self.high is None else self.high
        return high is not None and high <= self.limit.value + 1e-12

    @property
    def excess(self) -> float:
        """By how much the limit is missed, in base units; 0 where it is kept or unknown."""
        return max(0.0, (self.value or 0.0) - self.limit.value) if self.kept is False else 0.0

    @property
    def relative(self) -> float:
        """`excess` as a share of the limit, to add up misses of different units; a drop in points, as it may be 0."""
        return 100 * self.excess if self.limit.metric == "drop" else self.excess / self.limit.value


def standings(trial: SearchTrial, board: str, limits: Sequence[Limit]) -> tuple[Standing, ...]:
    """A candidate of a search against a board's limits."""
    measured = {one.metric: one for one in trial.measures if one.board == board}
    return tuple(_standing(trial, limit, measured.get(limit.metric)) for limit in limits)


def finalists(
    record: SearchRecord, board: str, limits: Sequence[Limit], *, metric: str, most: int
) -> tuple[SearchTrial, ...]:
    """At most so many candidates to confirm on a board, the least work first; none where nothing keeps its budget.

    They are on the front of work, accuracy and size among those that keep the limits: with their whole intervals where
    there are any, else by their values. `metric` is what the board's work is.
    """
    able = [trial for trial in measured_on(record, board) if _work(trial, board, metric) is not None]
    keeping = [trial for trial in able if all(one.kept is not False for one in standings(trial, board, limits))]
    surely = [trial for trial in keeping if all(one.certain for one in standings(trial, board, limits))]
    found: list[SearchTrial] = []
    for pool in (surely, keeping):
        ahead = [trial for trial in pool if not any(_beats(other, trial, board, metric) for other in pool)]
        ahead.sort(key=lambda trial: (_work(trial, board, metric) or 0.0, trial.number))
        found += [trial for trial in ahead if trial not in found]
    return tuple(found[:most])


def measured_on(record: SearchRecord, board: str) -> tuple[SearchTrial, ...]:
    """The candidates with figures of a board, each file once."""
    return tuple(
        trial
        for trial in record.trials
        if trial.same_as is None and any(measure.board == board for measure in trial.measures)
    )


def _standing(trial: SearchTrial, limit: Limit, measure: SearchMeasure | None) -> Standing:
    if limit.metric == "size":
        return Standing(limit=limit, value=None if trial.artifact_bytes is None else float(trial.artifact_bytes))
    if limit.metric == "drop":
        value, high = (None if one is None else one / 100 for one in (trial.drop_pp, trial.drop_high_pp))
        return Standing(limit=limit, value=value, high=high)
    if measure is None:
        return Standing(limit=limit, value=None)
    return Standing(limit=limit, value=measure.value, high=measure.ci_high)


def _work(trial: SearchTrial, board: str, metric: str) -> float | None:
    return next((one.value for one in trial.measures if (one.board, one.metric) == (board, metric)), None)


def _beats(one: SearchTrial, other: SearchTrial, board: str, metric: str) -> bool:
    """Whether `one` is nowhere worse than `other` and somewhere better, in work, accuracy lost and size."""
    mine, theirs = _values(one, board, metric), _values(other, board, metric)
    return all(a <= b for a, b in zip(mine, theirs, strict=True)) and mine != theirs


def _values(trial: SearchTrial, board: str, metric: str) -> tuple[float, float, float]:
    return (_work(trial, board, metric) or 0.0, trial.drop_pp or 0.0, float(trial.artifact_bytes or 0))
