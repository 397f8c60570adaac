"""Measure the whole space of a search plan once, as one ordinary run a board, and keep it as a table for replays.

    python tests/benchmarks/measure_search_table.py tests/benchmarks/search_space.yaml FOLDER BOARD...
    python tests/benchmarks/measure_search_table.py tests/benchmarks/search_space.yaml FOLDER --write table.json.gz

The first makes every candidate, judges it as a search does, and measures one candidate of each different file on the
boards named (again = go on). The second turns what all boards of the plan gave into the table that `bench_search.py`
reads. FOLDER keeps the state, as `.hilbench/` does. Both need what the plan needs: the extra train, and its boards.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean

from hilbench.harness.assemble import assemble
from hilbench.harness.home import Home
from hilbench.harness.phases import spent
from hilbench.harness.plan import Plan, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.search.measurer import Candidate, Judged, Round
from hilbench.harness.search.onboards import BoardMeasurer
from hilbench.harness.search.replay import Table, TableBoard, TableEntry, write_table
from hilbench.harness.selection import Boards
from hilbench.harness.store import RunRow, Store
from hilbench.reports.record import RunRecord, TrialKind
from hilbench.reports.summary import CellSummary, summarize

NAME = "table"
BLOCKS = 20  # on timed boards: the last rung of the search, and the blocks of `certify`
PROCESSES = 3  # on emulated boards: what finalists get


def main() -> None:
    """Measure on the boards named, or write the table."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    words.add_argument("plan", type=Path)
    words.add_argument("folder", type=Path)
    words.add_argument("boards", nargs="*")
    words.add_argument("--write", type=Path)
    words.add_argument("--inventory", type=Path, default=Path(__file__).parents[2] / "inventory.yaml")
    asked = words.parse_args()
    plan, home = load_plan(asked.plan, Boards(asked.inventory)), Home(folder=asked.folder)
    judged = judge_all(plan, home)
    for board in asked.boards:
        measure(plan, home, board, judged)
    if asked.write is not None:
        write_table(table(plan, home, judged), asked.write)


def candidates(plan: Plan) -> list[Candidate]:
    """Every point of the space, numbered."""
    assert plan.search is not None
    space = plan.search.space
    points = enumerate(space.points())
    return [Candidate(number=number, model=point.model, recipe=space.recipe(point)) for number, point in points]


def judge_all(plan: Plan, home: Home) -> dict[str, Judged]:
    """What the host knows of the baseline and of each candidate, by recipe; kept in the folder."""
    path = home.folder / "judged.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    measurer = _measurer(plan, home)
    baseline = next(one for one in plan.recipes if one.name == plan.baseline)
    everything = [Candidate(number=-1, model=plan.models[0].name, recipe=baseline), *candidates(plan)]
    for one in everything:
        if one.recipe.name not in kept:
            kept[one.recipe.name] = asdict(measurer.judge(one))
            home.folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(kept))
            sys.stdout.write(f"{one.recipe.name}: accuracy {kept[one.recipe.name]['accuracy']}\n")
    return {recipe: Judged(**facts) for recipe, facts in kept.items()}


def different(plan: Plan, judged: dict[str, Judged]) -> list[Candidate]:
    """The first candidate of each different file; what cannot be made, and the baseline's own file, are left out."""
    first: dict[str | None, Candidate] = {}
    for one in candidates(plan):
        first.setdefault(judged[one.recipe.name].artifact_sha256, one)
    known = {None, judged[plan.baseline].artifact_sha256}
    return [one for sha256, one in first.items() if sha256 not in known]


def measure(plan: Plan, home: Home, board: str, judged: dict[str, Judged]) -> None:
    """One run of everything on one board."""
    number = [one.name for one in plan.boards].index(board)
    asked = Round(number=number, effort={board: _effort(plan, board)}, candidates=tuple(different(plan, judged)))
    _measurer(plan, home).measure(asked)


def table(plan: Plan, home: Home, judged: dict[str, Judged]) -> Table:
    """The table of what the finished runs gave. A file that several recipes make stands there for each of them."""
    found: dict[str, dict[str, TableBoard]] = {}  # file -> board -> figures
    opening: dict[str, float] = {}
    for number, board in enumerate(plan.boards):
        store = Store.open(home.database_url)
        rows = [row for row in store.runs() if row.plan_name == f"{NAME}.r{number}" and row.state == "finished"]
        if rows:
            opening[board.name] = _add(found, store, rows[0], board.name)
        store.close()
    model = plan.models[0].name
    recipes = [plan.baseline, *(one.recipe.name for one in candidates(plan))]
    entries = {
        (model, recipe): TableEntry(judged=judged[recipe], boards=found.get(judged[recipe].artifact_sha256 or "", {}))
        for recipe in recipes
    }
    return Table(baseline=plan.baseline, entries=entries, opening_s=opening)


def _add(found: dict[str, dict[str, TableBoard]], store: Store, row: RunRow, board: str) -> float:
    """Add what one run gave; returns how long the board took to open, in seconds."""
    record = assemble(store, row)
    phases = next(one for one in spent(store.notes(row.run_id)) if one.subject == board).seconds
    processes = sum(len(one.trials) + len(one.twin_trials) + 1 for one in record.records)  # one judged the outputs
    even_s, sent_s = phases["measure"] / processes, phases["deploy"] / len(record.records)
    lasted = _lasted(record)
    for cell in summarize(record).cells:
        if cell.record.artifact is not None:
            times = {kind: even_s if cell.record.emulated else lasted[kind] for kind in lasted}
            found.setdefault(cell.record.artifact.sha256, {})[board] = _figures(cell, times, sent_s)
    return round(phases["open"] + phases["provide"], 3)


def _lasted(record: RunRecord) -> dict[TrialKind, float]:
    """How long a process of a kind took, from its beginning to the next one's, in seconds: means of all cells.

    Records tell whole seconds, so a median of them would be one as well.
    """
    trials = sorted((t for one in record.records for t in (*one.trials, *one.twin_trials)), key=lambda t: t.started_at)
    began = [datetime.fromisoformat(trial.started_at).timestamp() for trial in trials]
    found: dict[TrialKind, list[float]] = {}
    for trial, (start, end) in zip(trials, pairwise(began), strict=False):
        found.setdefault(trial.kind, []).append(end - start)
    return {kind: mean(seconds) for kind, seconds in found.items()}


def _figures(cell: CellSummary, times: Mapping[TrialKind, float], sent_s: float) -> TableBoard:
    """A cell as the table has it. What judged its outputs is taken to have lasted as long as what read its memory."""
    memory_s = times[TrialKind.MEMORY]
    if not cell.ok:
        return TableBoard(
            state=cell.record.outcome.value, reason=cell.record.reason, once_s=round(sent_s + memory_s, 3)
        )
    metrics: dict[str, tuple[float, ...]] = {}
    if cell.by_block:
        metrics["instructions" if cell.record.emulated else "latency"] = tuple(
            cell.by_block[block] for block in sorted(cell.by_block)
        )
    if cell.memory is not None and cell.memory.peak_bytes:
        metrics["memory"] = (float(cell.memory.peak_bytes),)
    block_s = times[TrialKind.COUNT if cell.record.emulated else TrialKind.LATENCY]
    once_s = sent_s + 2 * memory_s
    return TableBoard(metrics=metrics, block_s=round(block_s, 3), once_s=round(once_s, 3), memory_s=round(memory_s, 3))


def _effort(plan: Plan, board: str) -> int:
    return PROCESSES if next(one.emulated for one in plan.boards if one.name == board) else BLOCKS


def _measurer(plan: Plan, home: Home) -> BoardMeasurer:
    return BoardMeasurer(plan, home, search_id=NAME, command="measure_search_table.py", progress=Progress(live=False))


if __name__ == "__main__":
    main()
