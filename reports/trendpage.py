"""The runs of a plan over time as one HTML file of small multiples, without a script; and as plain data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .changepoint import ALPHA_CHANGE, least_runs
from .language import Language, clauses, listed, mark, plural, speaking, tr
from .page import fill
from .plain import Json
from .trend import LevelChange, Series, Trend
from .trenddrawing import amount, drawing
from .units import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One series as the page shows it. The drawing is SVG that this package made."""

    label: str
    drawing: str
    sentences: tuple[str, ...]


def render_trend(trend: Trend, language: Language = Language.ENGLISH) -> str:
    """The whole page as HTML text; the same text for the same runs."""
    with speaking(language):
        return _render(trend)


def _render(trend: Trend) -> str:
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
    title = tr(
        "{candidate} on {board} over {runs}: {findings}",
        candidate=text,
        board=series.key[0],
        runs=plural(len(series.points), "run"),
        findings=" ".join(sentences),
    )
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
        parts.append(listed(f"{name.replace('_', ' ')} {value}" for name, value in values.items()))
    return " · ".join(parts)


def sentences_of(series: Series) -> list[str]:
    """What is to be said of a series: its changes, its newest run, or that there is nothing."""
    found = [_change_sentence(series, change) for change in series.changes]
    if series.newest_off is not None:
        off = f"{'+' if series.newest_off > 0 else '−'}{percent(abs(series.newest_off), 1)}"
        found.append(tr("The newest run is {off} off its level; one run is no change yet.", off=off))
    if not found:
        newest = series.segments[-1].end - series.segments[-1].start
        few = newest < least_runs()
        found.append(
            tr("{runs} in these circumstances: too few to show a change.", runs=plural(newest, "run"))
            if few
            else tr("No change of level.")
        )
    return found


def _change_sentence(series: Series, change: LevelChange) -> str:
    file = tr("the model's file changed in that run") if change.file_changed else tr("the model's file is the same")
    return tr(
        _SINCE[series.emulated, change.ratio > 1],
        run=change.run_id,
        date=change.started_at[:10],
        amount=amount(change),
        p=f"{change.p:.3f}",
        file=file,
    )


# whether instructions were counted, and whether it became more
_SINCE = {
    (True, True): mark("More work since run {run} ({date}): {amount}, p = {p}; {file}."),
    (True, False): mark("Less work since run {run} ({date}): {amount}, p = {p}; {file}."),
    (False, True): mark("Slower since run {run} ({date}): {amount}, p = {p}; {file}."),
    (False, False): mark("Faster since run {run} ({date}): {amount}, p = {p}; {file}."),
}


def alarms(trend: Trend) -> list[str]:
    """All changes of level, the newest first."""
    found = [
        (
            change.started_at,
            tr(
                "{board}, {candidate}: {finding}",
                board=series.key[0],
                candidate=label(series, trend.series),
                finding=_change_sentence(series, change),
            ),
        )
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
                what = clauses(difference.text for difference in segment.because)
                text = mark("{date}, run {run}: {differences}")
                found[tr(text, date=point.started_at[:10], run=point.run_id, differences=what)] = None
    return list(found)


def lede(trend: Trend) -> str:
    """How many runs and series, and in how many a level changed."""
    moved = sum(1 for series in trend.series if series.changes)
    candidates, runs = plural(len(trend.series), "candidate"), plural(len(trend.runs), "run")
    if not moved:
        text = mark("{candidates} on a board, over {runs}; the level changed in none of them.")
        return tr(text, candidates=candidates, runs=runs)
    text = mark("{candidates} on a board, over {runs}; the level changed in {number} of them.")
    return tr(text, candidates=candidates, runs=runs, number=moved)


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
