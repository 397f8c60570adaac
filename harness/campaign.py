"""The phases of a run, shared by `run` (in its own process) and by the jobs of the queue.

ready -> begin -> make_candidates -> measure (boardrun.py, one board) -> conclude. Each can be repeated after a crash:
what the store holds already is not done again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..reports.language import Language
from ..reports.pick import choices
from ..reports.record import Outcome, RunRecord
from ..reports.summary import summarize
from ..targets.claim import this_person
from ..targets.quiet import machine_time
from .assemble import assemble, standing
from .candidates import Prepared, prepare
from .design import design, foretell
from .home import Home
from .phases import Spent, phase, spent
from .plan import Cell, Plan, expand, stand_in
from .progress import Progress, counted
from .provenance import hilbench_version, provenance
from .reporting import run_before, write_report
from .runtimeplan import LAYOUT
from .sources import Sources, datasets, formats, plan_hash, read_sources
from .store import NewNote, RunRow, Store, now


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run came to."""

    record: RunRecord
    report: Path
    exit_code: int
    times: tuple[Spent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A plan made ready: its data read, its cells named, its blocks counted. `origin` is what repeats it."""

    plan: Plan
    plan_hash: str
    sources: Sources
    cells: tuple[Cell, ...]
    blocks: Mapping[str, int]
    origin: Mapping[str, Any]


def ready(plan: Plan, home: Home, *, command: str, person: str | None = None) -> Campaign:
    """Read what a plan names and expand it. `person` is who asks for it, if not who works here.

    Raises ModelError, a sentence for the first file that is wrong.
    """
    sources = read_sources(plan, cache=home.artifacts)
    cells = expand(plan, formats(sources))
    return Campaign(
        plan=plan,
        plan_hash=plan_hash(plan, sources),
        sources=sources,
        cells=cells,
        blocks=design(plan, cells),
        origin={**provenance(command), "person": person or this_person(), "data": datasets(sources)},
    )


def new_id() -> str:
    """An id for a run: when it began, and something that no other has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def begin(store: Store, campaign: Campaign, run_id: str, progress: Progress, *, state: str = "running") -> None:
    """Store the run and its cells; what cannot run has its reason from the start."""
    plan, cells = campaign.plan, campaign.cells
    row = RunRow(
        run_id=run_id,
        plan_name=plan.name,
        plan_hash=campaign.plan_hash,
        seed=plan.seed,
        protocol=plan.protocol,
        state=state,
        started_at=now(),
        ended_at=None,
        facts={
            "plan": plan.source,
            "hilbench": hilbench_version(),
            "baseline": plan.baseline,
            "stand_in": stand_in(plan),
            "budget": plan.budget,
            "shortlist": plan.shortlist,
            "blocks": campaign.blocks,
            "provenance": campaign.origin,
        },
    )
    store.add_run(row, _rows(cells), notes=_skipped(cells))
    progress.say(f"run {run_id}: {counted(len(cells), 'cell')} on {counted(len(plan.boards), 'board')}")
    for sentence in foretell(store, plan, cells, campaign.blocks):
        progress.say(sentence)


def make_candidates(store: Store, campaign: Campaign, run_id: str, home: Home, progress: Progress) -> Prepared:
    """Compress and judge every candidate, and note each cell's artifact, or why there is none; once per run."""
    with machine_time(alone=False, progress=progress.say), phase(store, run_id, "compress"):
        prepared = prepare(campaign.plan, campaign.sources, cache=home.artifacts, progress=progress)
    _store_candidates(store, run_id, campaign.cells, prepared)
    return prepared


def add_board_cells(store: Store, run_id: str, cells: Sequence[Cell], prepared: Prepared) -> None:
    """Add a board's cells to a run that has begun, with the candidates that they stand for."""
    store.add_cells(run_id, _rows(cells))
    known = standing(store.notes(run_id))
    store.add_notes(run_id, [note for note in _skipped(cells) if note[:2] not in known])
    _store_candidates(store, run_id, cells, prepared)


def end_state(store: Store, run: RunRow) -> str:
    """`finished`, or `incomplete` where a cell still waits for a board that was lost."""
    running = assemble(store, run)
    notes = standing(store.notes(run.run_id))
    waiting = [r for r in running.records if r.outcome is Outcome.ERROR and (r.cell_id, "failed") not in notes]
    return "incomplete" if waiting else "finished"


def conclude(store: Store, home: Home, run_id: str, state: str, language: Language = Language.ENGLISH) -> RunResult:
    """Settle the state of a run that ended and write its report."""
    store.set_state(run_id, state, ended=True)
    with phase(store, run_id, "report"):
        record = assemble(store, store.run(run_id))
        report = write_report(record, home.report(run_id), run_before(store, record), language)
    times = tuple(spent(store.notes(run_id)))
    return RunResult(record=record, report=report, exit_code=exit_code(record), times=times)


def exit_code(record: RunRecord) -> int:
    """130 stopped, 4 no board gave anything, 3 some cells failed, 1 a gate or the budget failed, else 0."""
    if record.state in ("interrupted", "cancelled"):
        return 130
    outcomes = {r.outcome for r in record.records}
    if record.state == "incomplete" and not any(r.trials for r in record.records):
        return 4
    if outcomes & {Outcome.ERROR, Outcome.TIMEOUT} or not outcomes & {Outcome.OK, Outcome.INVALID}:
        return 3
    no_pick = any(choice.chosen is None for choice in choices(summarize(record)))
    return 1 if Outcome.INVALID in outcomes or no_pick else 0


def _rows(cells: Sequence[Cell]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The cells as the store keeps them: id, board, facts."""
    return [(cell.cell_id, cell.board.name, _cell_facts(cell)) for cell in cells]


def _skipped(cells: Sequence[Cell]) -> list[NewNote]:
    """Why cells cannot run, as far as that is known before anything is done."""
    return [_failed(cell.cell_id, Outcome.UNSUPPORTED, cell.skip) for cell in cells if cell.skip is not None]


def _cell_facts(cell: Cell) -> Mapping[str, Any]:
    return {
        "role": cell.board.role.value,
        "emulated": cell.board.emulated,
        "arch": cell.board.arch.value,
        "model": cell.model,
        "recipe": cell.recipe,
        "runtime": cell.runtime,
        "settings": dict(cell.settings),
        "twin": cell.twin,
        "checked": cell.skip is not None or cell.board_runtime.tells_outputs,
    }


def _store_candidates(store: Store, run_id: str, cells: Sequence[Cell], prepared: Prepared) -> None:
    known = standing(store.notes(run_id))
    notes: list[NewNote] = []
    for cell in cells:
        candidate = prepared.candidate(cell)
        if candidate.artifact is None:
            notes.append(_failed(cell.cell_id, candidate.outcome, str(candidate.reason)))
            continue
        if (reason := prepared.lacks_layout(cell, cell.settings.get(LAYOUT))) is not None:
            notes.append(_failed(cell.cell_id, Outcome.UNSUPPORTED, reason))
        notes.append((cell.cell_id, "artifact", asdict(candidate.artifact)))
        host = prepared.host(cell)
        if host is not None:
            notes.append((cell.cell_id, "host", host))
    store.add_notes(run_id, [note for note in notes if note[:2] not in known])


def _failed(cell_id: str, outcome: Outcome, reason: str) -> NewNote:
    return cell_id, "failed", {"outcome": outcome.value, "reason": reason}
