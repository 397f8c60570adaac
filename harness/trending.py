"""The runs of a plan out of the store, oldest first, each read when it is needed; and their trend on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..reports.record import RunRecord
from ..reports.trend import Trend, trend
from ..reports.trendpage import alarms, edges, label, lede, sentences_of
from ..reports.units import duration, instruction_count
from ..targets.inventory import find_inventory
from .assemble import assemble
from .console import table
from .errors import NoSuchRunError, StoreError
from .home import Home, find_home
from .progress import Progress
from .reporting import open_store
from .store import RunRow, Store

STATES = ("finished", "incomplete")


def open_trend(plan: str, *, last: int, inventory: Path | None) -> tuple[Home, Trend]:
    """The trend of the newest `last` runs of a plan, which is named or given as its file. Raises NoSuchRunError."""
    home = find_home(inventory or find_inventory(Path.cwd()))
    name = plan_name(plan)
    store = open_store(home, say=Progress().say)
    try:
        rows = _rows(store, name, last)
        skipped: list[str] = []
        return home, trend(name, _runs(store, rows, skipped), skipped)
    finally:
        store.close()


def plan_name(word: str) -> str:
    """The name of a plan: what a plan file calls it, else the word itself. Raises PlanError for a wrong file."""
    path = Path(word)
    if path.suffix not in (".yaml", ".yml"):
        return word
    from .planread import read_name

    return read_name(path)


def _rows(store: Store, name: str, last: int) -> list[RunRow]:
    """Runs of the plan that ended, oldest first."""
    everything = store.runs()
    mine = [row for row in everything if row.plan_name == name and row.state in STATES]
    if not mine:
        known = ", ".join(sorted({row.plan_name for row in everything})) or "none"
        raise NoSuchRunError(f'no run of a plan called "{name}" has ended; plans with runs are: {known}')
    return list(reversed(mine[:last]))


def _runs(store: Store, rows: list[RunRow], skipped: list[str]) -> Iterator[RunRecord]:
    for row in rows:
        try:
            yield assemble(store, row)
        except StoreError as error:
            skipped.append(str(error))


def trend_brief(found: Trend) -> str:
    """One table a board with a line a candidate, then every change of level."""
    parts = [f"{found.plan_name}: {lede(found)}"]
    for board in dict.fromkeys(series.key[0] for series in found.series):
        mine = [series for series in found.series if series.key[0] == board]
        rows = []
        for series in mine:
            show = instruction_count if series.emulated else duration
            newest = show(series.points[-1].value).text
            runs = [str(segment.end - segment.start) for segment in series.segments]
            rows.append([label(series, found.series), " + ".join(runs), newest, " ".join(sentences_of(series))])
        kind = " (emulated: instructions, never time)" if mine[0].emulated else ""
        lines = [f"{board}{kind}", table(rows, ["candidate", "runs by segment", "newest", "change"])]
        parts.append("\n".join([*lines, *(f"the board changed: {edge}" for edge in edges(found, board))]))
    parts += ["\n".join(alarms(found))] if alarms(found) else []
    parts += ["\n".join(f"left out: {sentence}" for sentence in found.skipped)] if found.skipped else []
    return "\n\n".join(parts)
