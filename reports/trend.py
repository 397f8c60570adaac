"""The runs of a plan over time: each candidate on each board as a series, cut where the board itself changed; pure.

A new kernel, runtime, firmware or profile begins a new segment: what differs across that edge is no alarm, and no level
is carried over it. Inside a segment changes of level are looked for (changepoint.py) on logarithms of run medians.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .changepoint import change_points
from .compare import CellKey, cell_key
from .context import Difference, board_context, context_differences
from .control import controls
from .figures import medians, one_per_block
from .record import Outcome, Record, RunRecord, TrialKind
from .statistics import as_values, median_estimate
from .verdict import COUNT_MARGIN, TIME_MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of a series: the median work with its interval (for counts: the range over processes).

    `error` is the standard error of the logarithm of that median over the run's own processes; None with one process.
    `margin` is what the A/A control of the run asks for. `sha256` is the model's file.
    """

    run_id: str
    started_at: str
    value: float
    low: float | None
    high: float | None
    error: float | None
    margin: float
    processes: int
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """A change of level inside a segment. `index` is the first point of the new level, `ratio` new over old level.

    `file_changed` says that the model's file is another one from that run on: then the change is likely the model's.
    """

    index: int
    run_id: str
    started_at: str
    ratio: float
    p: float
    file_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The points from `start` to before `end` of a series, all under the same circumstances.

    `because` is what the board changed at its beginning, empty for the first one. `margin` is the least relative change
    that counts in it: the usual one, what A/A controls ask for, or twice the typical error of one run if that is more.
    """

    start: int
    end: int
    because: tuple[Difference, ...]
    changes: tuple[LevelChange, ...]
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A candidate on a board over the runs. `metric` is `latency_ns` or `instructions`; `newest_off` is how far the
    newest run lies from the level that it continues, where that is beyond the margin: one run is no change yet."""

    key: CellKey
    emulated: bool
    points: tuple[Point, ...]
    segments: tuple[Segment, ...]
    newest_off: float | None

    @property
    def metric(self) -> str:
        """What the values are."""
        return "instructions" if self.emulated else "latency_ns"

    @property
    def changes(self) -> tuple[LevelChange, ...]:
        """The changes of level of all segments, in order."""
        return tuple(change for segment in self.segments for change in segment.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """All series of a plan. `runs` are (id, started_at) in order; `skipped` are sentences on what was left out."""

    plan_name: str
    runs: tuple[tuple[str, str], ...]
    series: tuple[Series, ...]
    skipped: tuple[str, ...] = ()


@dataclass(slots=True)
class _Gathered:
    """What the runs gave of one cell, and under which circumstances, in order."""

    emulated: bool
    points: list[Point] = field(default_factory=list[Point])
    contexts: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])


def trend(plan_name: str, runs: Iterable[RunRecord], skipped: Sequence[str] = ()) -> Trend:
    """The series of a plan's runs, which are given from the oldest to the newest. No run is kept in memory."""
    gathered: dict[CellKey, _Gathered] = {}
    seen: list[tuple[str, str]] = []
    for run in runs:
        seen.append((run.run_id, run.started_at))
        margins = {board: control.margin for board, control in controls(run.records).items()}
        contexts = {board: board_context(run, board) for board in run.boards}
        for record in run.records:
            point = _point(run, record, margins.get(record.board, 0.0))
            if point is not None:
                cell = gathered.setdefault(cell_key(record), _Gathered(emulated=record.emulated))
                cell.points.append(point)
                cell.contexts.append(contexts.get(record.board, {}))
    series = tuple(_series(key, cell) for key, cell in gathered.items())
    return Trend(plan_name=plan_name, runs=tuple(seen), series=series, skipped=tuple(skipped))


def _point(run: RunRecord, record: Record, margin: float) -> Point | None:
    if record.outcome is not Outcome.OK:
        return None
    kind = TrialKind.COUNT if record.emulated else TrialKind.LATENCY
    by_process = list(medians(one_per_block(record.trials, kind)).values())
    if not by_process:
        return None
    estimate = median_estimate(by_process)
    bounds = (min(by_process), max(by_process)) if record.emulated else (estimate.low, estimate.high)
    return Point(
        run_id=run.run_id,
        started_at=run.started_at,
        value=estimate.value,
        low=bounds[0],
        high=bounds[1],
        error=_error(by_process),
        margin=margin,
        processes=len(by_process),
        sha256=record.artifact.sha256 if record.artifact else None,
    )


def _error(medians: Sequence[float]) -> float | None:
    if len(medians) < 2:
        return None
    return float(np.std(np.log(as_values(medians)), ddof=1)) / math.sqrt(len(medians))


def _series(key: CellKey, cell: _Gathered) -> Series:
    points = tuple(cell.points)
    edges: list[tuple[int, tuple[Difference, ...]]] = [(0, ())]
    known = dict(cell.contexts[0])
    for index, context in enumerate(cell.contexts[1:], 1):
        because = context_differences(known, context)
        if because:
            edges.append((index, because))
        known |= context  # what one run does not know is still what the last one that knew it said
    ends = [start for start, _ in edges[1:]] + [len(points)]
    segments = tuple(
        _segment(points, start, end, because, emulated=cell.emulated)
        for (start, because), end in zip(edges, ends, strict=True)
    )
    return Series(
        key=key,
        emulated=cell.emulated,
        points=points,
        segments=segments,
        newest_off=_newest_off(points, segments[-1]),
    )


def _segment(
    points: Sequence[Point], start: int, end: int, because: tuple[Difference, ...], *, emulated: bool
) -> Segment:
    mine = points[start:end]
    errors = [point.error for point in mine if point.error is not None]
    typical = 2 * float(np.median(errors)) if errors else 0.0
    asked = float(np.median([point.margin for point in mine]))
    margin = max(COUNT_MARGIN if emulated else TIME_MARGIN, asked, typical)
    found = change_points([math.log(point.value) for point in mine], math.log1p(margin))
    changes = tuple(
        LevelChange(
            index=start + split.index,
            run_id=mine[split.index].run_id,
            started_at=mine[split.index].started_at,
            ratio=math.exp(split.shift),
            p=split.p,
            file_changed=_file_changed(mine, split.index),
        )
        for split in found
    )
    return Segment(start=start, end=end, because=because, changes=changes, margin=margin)


def _file_changed(points: Sequence[Point], index: int) -> bool:
    before, after = points[index - 1].sha256, points[index].sha256
    return before is not None and after is not None and before != after


def level(series: Series, index: int) -> tuple[int, int]:
    """The points from..to (before) that share the level of a point: its segment, cut at changes of level."""
    for segment in series.segments:
        if segment.start <= index < segment.end:
            edges = [segment.start, *(change.index for change in segment.changes), segment.end]
            return next((a, b) for a, b in pairwise(edges) if a <= index < b)
    raise IndexError(index)


def _newest_off(points: Sequence[Point], segment: Segment) -> float | None:
    """The newest run against those before it on its level, of which there must be three."""
    start = segment.changes[-1].index if segment.changes else segment.start
    earlier = [point.value for point in points[start : segment.end - 1]]
    if len(earlier) < 3:
        return None
    logs = np.log(as_values(earlier))
    middle = float(np.median(logs))
    scatter = 4 * float(np.median(np.abs(logs - middle))) / 0.6745
    off = math.log(points[segment.end - 1].value) - middle
    return math.expm1(off) if abs(off) > max(math.log1p(segment.margin), scatter) else None
