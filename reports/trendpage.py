"""The runs of a plan over time as one HTML file of small multiples, without a script; and as plain data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .changepoint import ALPHA_CHANGE, least_runs
from .page import fill
from .plain import Json
from .trend import LevelChange, Series, Trend
from .trenddrawing import amount, drawing
from .units import percent
from .wording import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One series as the page shows it. The drawing is SVG that this package made."""

    label: str
    drawing: str
    sentences: tuple[str, ...]


def render_trend(trend: Trend) -> str:
    """The whole page as HTML text; the same text for the same runs."""
    boards = dict.fromkeys((series.key[0], series.emulated) for series in trend.series)
    return fill(
        "trend.html.j2",
        "compare.css",
        trend=trend,
        lede=lede(trend),
        alarms=alarms(trend),
        least=least_runs(),
        alpha=percent(ALPHA_CHANGE, 0),
        boards=[
            (board, emulated, edges(trend, board), [_panel(s, trend) for s in trend.series if s.key[0] == board])
            for board, emulated in boards
        ],
    )


def _panel(series: Series, trend: Trend) -> Panel:
    text = label(series, trend.series)
    sentences = tuple(sentences_of(series))
    title = f"{text} on {series.key[0]} over {plural(len(series.points), 'run')}: {' '.join(sentences)}"
    return Panel(label=text, drawing=drawing(series, title), sentences=sentences)


def label(series: Series, others: Sequence[Series]) -> str:
    """The candidate by its recipe, and by what else others on its board differ in."""
    board, model, recipe, runtime, settings = series.key
    rest = [other.key for other in others if other.key[0] == board]
    parts = [recipe]
    parts += [model] if len({key[1] for key in rest}) > 1 else []
    parts += [runtime] if len({key[3] for key in rest}) > 1 else []
    if len({key[4] for key in rest}) > 1:
        values: dict[str, Any] = json.loads(settings)
        parts.append(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items()))
    return " · ".join(parts)


def sentences_of(series: Series) -> list[str]:
    """What is to be said of a series: its changes, its newest run, or that there is nothing."""
    found = [_change_sentence(series, change) for change in series.changes]
    if series.newest_off is not None:
        off = f"{'+' if series.newest_off > 0 else '−'}{percent(abs(series.newest_off), 1)}"
        found.append(f"The newest run is {off} off its level; one run is no change yet.")
    if not found:
        newest = series.segments[-1].end - series.segments[-1].start
        few = newest < least_runs()
        found.append(
            f"{plural(newest, 'run')} in these circumstances: too few to show a change."
            if few
            else "No change of level."
        )
    return found


def _change_sentence(series: Series, change: LevelChange) -> str:
    word = (
        ("More work" if change.ratio > 1 else "Less work")
        if series.emulated
        else ("Slower" if change.ratio > 1 else "Faster")
    )
    file = "the model's file changed in that run" if change.file_changed else "the model's file is the same"
    return f"{word} since run {change.run_id} ({change.started_at[:10]}): {amount(change)}, p = {change.p:.3f}; {file}."


def alarms(trend: Trend) -> list[str]:
    """All changes of level, the newest first."""
    found = [
        (change.started_at, f"{series.key[0]}, {label(series, trend.series)}: {_change_sentence(series, change)}")
        for series in trend.series
        for change in series.changes
    ]
    return [text for _, text in sorted(found, reverse=True)]


def edges(trend: Trend, board: str) -> list[str]:
    """Where the board itself changed, each once."""
    found: dict[str, None] = {}
    for series in trend.series:
        if series.key[0] == board:
            for segment in series.segments[1:]:
                point = series.points[segment.start]
                what = "; ".join(difference.text for difference in segment.because)
                found[f"{point.started_at[:10]}, run {point.run_id}: {what}"] = None
    return list(found)


def lede(trend: Trend) -> str:
    """How many runs and series, and in how many a level changed."""
    moved = sum(1 for series in trend.series if series.changes)
    what = f"{plural(len(trend.series), 'candidate')} on a board, over {plural(len(trend.runs), 'run')}"
    return f"{what}; the level changed in {moved if moved else 'none'} of them."


def trend_json(trend: Trend) -> Json:
    """The trend as one JSON-able object; ratios are new over old level, times ns."""
    return {
        "plan_name": trend.plan_name,
        "runs": [{"id": run_id, "started_at": started_at} for run_id, started_at in trend.runs],
        "skipped": list(trend.skipped),
        "series": [
            {
                **dict(zip(("board", "model", "recipe", "runtime"), series.key[:4], strict=True)),
                "settings": json.loads(series.key[4]),
                "emulated": series.emulated,
                "metric": series.metric,
                "points": [asdict(point) for point in series.points],
                "segments": [asdict(segment) for segment in series.segments],
                "newest_off": series.newest_off,
            }
            for series in trend.series
        ],
    }
