"""Candidates made on this machine and measured on boards: each round of a search is an ordinary run.

So leases, pairing in blocks, the A/A control, resuming and boards side by side are those of `hilbench run`. A round is
found again by its name and the hash of its plan: one that finished is read, one that did not is gone on with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...compression.recipe import Recipe, step_parameters
from ...reports.drop import accuracy_drop
from ...reports.record import Accuracy, Outcome, RunRecord
from ...reports.summary import CellSummary, RunSummary, summarize
from ...reports.verdict import LEAST_PROCESSES, log_ratios
from ...targets.quiet import machine_time
from ..answers import unpacked
from ..assemble import assemble
from ..campaign import ready
from ..candidates import Candidate as Made
from ..candidates import prepare
from ..errors import HarnessError, Interrupted
from ..home import Home
from ..phases import spent
from ..plan import Plan, expand
from ..progress import Progress, Say
from ..run import run_plan
from ..sources import Sources, formats, read_sources
from ..store import Store
from .measurer import OK, Candidate, Figure, Judged, OnBoard, Round, RoundResult, with_ratio


class BoardsLostError(HarnessError):
    """A board cannot be used any further; what was measured is kept."""

    exit_code = 4


class BoardMeasurer:
    """Makes candidates here and measures them on the plan's boards. `search_id` names its runs."""

    def __init__(self, plan: Plan, home: Home, *, search_id: str, command: str, progress: Progress) -> None:
        self._plan, self._home, self._search_id = plan, home, search_id
        self._command, self._progress = command, progress
        self._sources: Sources | None = None
        self._baselines: dict[str, Accuracy | None] = {}

    def judge(self, candidate: Candidate) -> Judged:
        """Make a candidate and judge it on this machine; both are cached by content."""
        made, unsupported = self._made(candidate.model, candidate.recipe)
        if made.artifact is None:
            return Judged(failed=f"{made.outcome}: {made.reason}")
        accuracy = _accuracy(made)
        drop = accuracy_drop(accuracy, self._baseline(candidate.model))
        return Judged(
            artifact_sha256=made.artifact.sha256,
            artifact_bytes=made.artifact.bytes,
            accuracy=None if accuracy is None else accuracy.host,
            drop=None if drop is None else drop.value,
            drop_low=None if drop is None else drop.low,
            drop_high=None if drop is None else drop.high,
            costs=made.artifact.costs,
            unsupported=unsupported,
        )

    def measure(self, asked: Round) -> RoundResult:
        """One run for each model of the round, beside that model's baseline."""
        found: dict[tuple[int, str], OnBoard] = {}
        baselines: dict[tuple[str, str], tuple[Figure, ...]] = {}
        for model in dict.fromkeys(candidate.model for candidate in asked.candidates):
            mine = [candidate for candidate in asked.candidates if candidate.model == model]
            plan = self._round_plan(asked, model, [candidate.recipe for candidate in mine])
            record = self._finished(plan) or self._run(plan)
            summary, seconds = summarize(record), self._board_time_s(record.run_id)
            for cell in summary.cells:
                board = cell.record.board
                if cell.record.recipe == self._plan.baseline and cell.ok:
                    baselines[model, board] = _figures(cell, summary)
                for candidate in mine:
                    if candidate.recipe.name == cell.record.recipe:
                        share_s = seconds.get(board, 0.0) / len(mine)
                        found[candidate.number, board] = OnBoard(
                            state=OK if cell.ok else cell.record.outcome.value,
                            reason=cell.record.reason,
                            figures=_figures(cell, summary) if cell.ok else (),
                            effort=asked.effort[board],
                            run_id=record.run_id,
                            board_time_s=round(share_s, 3),
                        )
        return RoundResult(found=found, baselines=baselines)

    def _made(self, model: str, recipe: Recipe) -> tuple[Made, Mapping[str, str]]:
        """A candidate, and the boards that cannot run it with the reason."""
        if self._sources is None:
            self._sources = read_sources(self._plan, cache=self._home.artifacts)
        alone = replace(self._plan, models=_only(self._plan, model), recipes=(recipe,), search=None)
        sources = {model: self._sources[model]}
        cells = expand(alone, formats(sources))
        with machine_time(alone=False, progress=self._progress.say):
            prepared = prepare(alone, sources, cache=self._home.artifacts, progress=_Steps(self._progress))
        return prepared.candidate(cells[0]), {cell.board.name: cell.skip for cell in cells if cell.skip is not None}

    def _baseline(self, model: str) -> Accuracy | None:
        if model not in self._baselines:
            recipe = next(one for one in self._plan.recipes if one.name == self._plan.baseline)
            self._baselines[model] = _accuracy(self._made(model, recipe)[0])
        return self._baselines[model]

    def _round_plan(self, asked: Round, model: str, recipes: Sequence[Recipe]) -> Plan:
        """The plan of a round: quick, without verdicts, and nothing measured that a search does not look at."""
        plan = self._plan
        place = "" if len(plan.models) == 1 else f".{[one.name for one in plan.models].index(model)}"
        name = f"{self._search_id}.r{asked.number}{place}"
        boards = tuple(board for board in plan.boards if board.name in asked.effort)
        timed = next((asked.effort[board.name] for board in boards if not board.emulated), None)
        counted = next((asked.effort[board.name] for board in boards if board.emulated), None)
        known = [recipe.name for recipe in plan.recipes]
        added = tuple(recipe for recipe in recipes if recipe.name not in known)
        memory = plan.measuring.memory_processes if asked.memory else 0
        asks: dict[str, Any] = {"blocks": timed, "processes": counted}
        left_out = {"search", "blocks", "processes", "sustained", "stop_at_width_pct"}
        source: dict[str, Any] = {key: value for key, value in plan.source.items() if key not in left_out}
        source |= {key: value for key, value in asks.items() if value is not None}
        if not asked.memory:
            source["memory_processes"] = memory
        source |= {
            "name": name,
            "models": {model: plan.source["models"][model]},
            "recipes": [*plan.source.get("recipes", [plan.baseline]), *map(recipe_entry, added)],
            "boards": [board.name for board in boards],
            "shortlist": [plan.baseline],
            "operators": False,
            "counters": False,
        }
        return replace(
            plan,
            name=name,
            source=source,
            models=_only(plan, model),
            recipes=(*plan.recipes, *added),
            boards=boards,
            shortlist=(plan.baseline,),
            measuring=replace(
                plan.measuring, operators=False, counters=False, sustained=False, memory_processes=memory
            ),
            stop_at_width_pct=None,
            pools={},
            search=None,
            control=asked.control,
            **asks,
        )

    def _finished(self, plan: Plan) -> RunRecord | None:
        if self._home.keeps_database and not self._home.database.exists():
            return None
        store = Store.open(self._home.database_url)
        try:
            rows = [row for row in store.runs() if row.plan_name == plan.name and row.state == "finished"]
            if not rows or rows[0].plan_hash != ready(plan, self._home, command="").plan_hash:
                return None
            return assemble(store, rows[0])
        finally:
            store.close()

    def _run(self, plan: Plan) -> RunRecord:
        record = run_plan(plan, self._home, new=False, command=self._command, progress=self._progress).record
        if record.state == "interrupted":
            raise Interrupted("stopped; what was measured is kept")
        if record.state != "finished":
            lost = sorted({one.board for one in record.records if one.outcome is Outcome.ERROR})
            raise BoardsLostError(f"{' and '.join(lost)} cannot be used any further; `{self._command}` goes on later")
        return record

    def _board_time_s(self, run_id: str) -> dict[str, float]:
        """How long each board was occupied by a run, waiting for others apart."""
        store = Store.open(self._home.database_url)
        try:
            return {one.subject: one.total_s - one.seconds.get("wait", 0.0) for one in spent(store.notes(run_id))}
        finally:
            store.close()


class _Steps(Progress):
    """Passes on how far a long step is. What became of a candidate the search says itself."""

    def __init__(self, to: Progress) -> None:
        super().__init__(quiet=True, live=False)
        self._to = to

    def about(self, subject: str) -> Say:
        """A function that says lines about one subject."""
        return self._to.about(subject)


def _only(plan: Plan, model: str) -> tuple[Any, ...]:
    return tuple(one for one in plan.models if one.name == model)


def recipe_entry(recipe: Recipe) -> str | dict[str, Any]:
    """A recipe as a plan writes it."""
    if not recipe.steps:
        return recipe.name
    steps = [step_parameters(step) for step in recipe.steps]
    return {"name": recipe.name, "steps": [{one.pop("kind"): one} for one in steps]}


def _accuracy(made: Made) -> Accuracy | None:
    """The accuracy on this machine, by the first runtime that could tell it."""
    known = [facts for facts in made.hosts.values() if facts is not None and facts["host"] is not None]
    if not known:
        return None
    values = dict(known[0])
    values["host_right"] = unpacked(known[0].get("host_right"))
    return Accuracy(**values)


def _figures(cell: CellSummary, summary: RunSummary) -> tuple[Figure, ...]:
    """All that a search may look at of one cell, each with its ratio to the baseline of the same run."""
    base = next((one for one in summary.cells if one.record.cell_id == cell.baseline_cell), None)
    own, theirs = _plain(cell), {} if base is None else {figure.metric: figure for figure in _plain(base)}
    found: list[Figure] = []
    for figure in own:
        if figure.metric in ("latency", "instructions"):
            paired = log_ratios(cell.by_block, base.by_block) if base is not None else []
        else:
            other = theirs.get(figure.metric)
            paired = [] if other is None else [math.log(figure.value / other.value)]
        found.append(with_ratio(figure, paired))
    if cell.drop is not None:
        drop = cell.drop
        found.append(Figure(metric="drop", value=drop.value, ci_low=drop.low, ci_high=drop.high))
    return tuple(found)


def _plain(cell: CellSummary) -> list[Figure]:
    """The figures without ratios; what was not measured is left out."""
    found: list[Figure] = []
    if (time := cell.latency) is not None:
        found.append(
            Figure(
                metric="latency",
                value=time.median_ns,
                ci_low=time.ci_low_ns,
                ci_high=time.ci_high_ns,
                blocks=time.blocks,
            )
        )
        if time.p95_ns is not None:
            found.append(Figure(metric="p95", value=time.p95_ns, blocks=time.blocks))
    if (count := cell.instructions) is not None:
        several = list(count.process_medians.values()) if count.processes >= LEAST_PROCESSES else []
        low, high = min(several, default=None), max(several, default=None)
        found.append(
            Figure(metric="instructions", value=count.median, ci_low=low, ci_high=high, blocks=count.processes)
        )
    if cell.memory is not None and cell.memory.peak_bytes:
        found.append(Figure(metric="memory", value=float(cell.memory.peak_bytes), blocks=1))
    if cell.energy is not None and cell.energy.total_j is not None and cell.energy.total_j > 0:
        found.append(Figure(metric="energy", value=cell.energy.total_j, blocks=cell.energy.blocks))
    return found
