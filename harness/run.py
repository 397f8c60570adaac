"""`run PLAN`: compress, deploy, measure, report. `run_plan` reads like the list in `docs/architecture.md`."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..reports.pick import choices
from ..reports.record import Outcome, RunRecord
from ..reports.summary import summarize
from ..targets.board import Board
from ..targets.open import machine_of, shares_this_machine
from ..targets.quiet import machine_time
from .assemble import assemble
from .blocks import planned_blocks
from .boardjob import RunContext
from .boardrun import measure_board
from .candidates import Prepared, Source, datasets, plan_hash, prepare, read_sources
from .errors import Interrupted
from .home import Home
from .phases import Spent, phase, spent
from .plan import Cell, Plan, expand
from .progress import Progress, counted
from .provenance import hilbench_version, provenance
from .reporting import write_report
from .runlock import only_one
from .store import RunRow, Store, now


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run came to."""

    record: RunRecord
    report: Path
    exit_code: int
    times: tuple[Spent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Campaign:
    """A plan made ready: its data read, its cells named, its blocks counted. `origin` is what repeats it."""

    plan: Plan
    plan_hash: str
    sources: Mapping[str, Source]
    cells: tuple[Cell, ...]
    blocks: Mapping[str, int]
    origin: Mapping[str, Any]


def run_plan(plan: Plan, home: Home, *, new: bool, command: str, progress: Progress) -> RunResult:
    """Run a plan to its end, or go on with its newest unfinished run unless `new`."""
    sources = read_sources(plan, cache=home.artifacts)
    cells = expand(plan, {name: source.model.format for name, source in sources.items()})
    campaign = _Campaign(
        plan=plan,
        plan_hash=plan_hash(plan, sources),
        sources=sources,
        cells=cells,
        blocks=planned_blocks(plan, cells),
        origin={**provenance(command), "data": datasets(sources)},
    )
    store = Store.open(home.database)
    unfinished = None if new else store.unfinished(campaign.plan_hash)
    run_id = unfinished.run_id if unfinished is not None else _new_id()
    with only_one(home.lock(run_id), run_id):
        if unfinished is None:
            _begin(store, campaign, run_id, progress)
        else:
            store.set_state(run_id, "running", ended=False)
            progress.say(f"going on with run {run_id}")
        return _carry_out(store, store.run(run_id), campaign, home, progress)


def _carry_out(store: Store, run: RunRow, campaign: _Campaign, home: Home, progress: Progress) -> RunResult:
    try:
        with machine_time(alone=False, progress=progress.say), phase(store, run.run_id, "compress"):
            prepared = prepare(campaign.plan, campaign.sources, cache=home.artifacts, progress=progress)
        _store_candidates(store, run.run_id, campaign.cells, prepared)
        context = RunContext(
            run_id=run.run_id,
            plan=campaign.plan,
            blocks=run.facts["blocks"],
            store=store,
            home=home,
            prepared=prepared,
            progress=progress,
            cancel=threading.Event(),
        )
        _measure_all(context, campaign.cells)
        state = "finished" if _complete(store, run) else "incomplete"
    except (KeyboardInterrupt, Interrupted):
        state = "interrupted"
    store.set_state(run.run_id, state, ended=True)
    with phase(store, run.run_id, "report"):
        record = assemble(store, store.run(run.run_id))
        report = write_report(record, home.report(run.run_id))
    times = tuple(spent(store.notes(run.run_id)))
    return RunResult(record=record, report=report, exit_code=_exit_code(record), times=times)


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _begin(store: Store, campaign: _Campaign, run_id: str, progress: Progress) -> None:
    """Store the run and its cells; what cannot run has its reason from the start."""
    plan, cells = campaign.plan, campaign.cells
    row = RunRow(
        run_id=run_id,
        plan_name=plan.name,
        plan_hash=campaign.plan_hash,
        seed=plan.seed,
        protocol=plan.protocol,
        state="running",
        started_at=now(),
        ended_at=None,
        facts={
            "plan": plan.source,
            "hilbench": hilbench_version(),
            "baseline": plan.baseline,
            "budget": plan.budget,
            "shortlist": plan.shortlist,
            "blocks": campaign.blocks,
            "provenance": campaign.origin,
        },
    )
    store.add_run(row, [(cell.cell_id, cell.board.name, _cell_facts(cell)) for cell in cells])
    for cell in cells:
        if cell.skip is not None:
            _note_failed(store, run_id, cell.cell_id, Outcome.UNSUPPORTED, cell.skip)
    progress.say(f"run {run_id}: {counted(len(cells), 'cell')} on {counted(len(plan.boards), 'board')}")


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
    }


def _store_candidates(store: Store, run_id: str, cells: Sequence[Cell], prepared: Prepared) -> None:
    """Note each cell's artifact and host accuracy, or why there is none; once per run."""
    known = {(note.subject, note.kind) for note in store.notes(run_id)}
    for cell in cells:
        candidate = prepared.candidate(cell)
        if candidate.artifact is None:
            if (cell.cell_id, "failed") not in known:
                _note_failed(store, run_id, cell.cell_id, candidate.outcome, str(candidate.reason))
            continue
        if (cell.cell_id, "artifact") not in known:
            store.add_note(run_id, cell.cell_id, "artifact", asdict(candidate.artifact))
        if candidate.host is not None and (cell.cell_id, "host") not in known:
            store.add_note(run_id, cell.cell_id, "host", candidate.host)


def _note_failed(store: Store, run_id: str, cell_id: str, outcome: Outcome, reason: str) -> None:
    store.add_note(run_id, cell_id, "failed", {"outcome": outcome.value, "reason": reason})


def _measure_all(context: RunContext, cells: Sequence[Cell]) -> None:
    """Machines elsewhere and emulated boards side by side; then the boards that are this machine, one at a time."""
    by_board: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_board[cell.board.name].append(cell)
    elsewhere: defaultdict[str, list[Board]] = defaultdict(list)
    for board in context.plan.boards:
        if not shares_this_machine(board):
            elsewhere[machine_of(board)].append(board)
    here = [board for board in context.plan.boards if shares_this_machine(board)]
    for machines in (list(elsewhere.values()), [here]):
        _side_by_side(context, machines, by_board)


def _side_by_side(
    context: RunContext, machines: Sequence[Sequence[Board]], cells: Mapping[str, Sequence[Cell]]
) -> None:
    """One thread a machine, its boards one after the other. Ctrl-C asks all to stop at their next gap and waits."""
    failures: list[BaseException] = []
    over = [threading.Event() for _ in machines]

    def work(boards: Sequence[Board], ended: threading.Event) -> None:
        try:
            for board in boards:
                measure_board(context, board, cells[board.name])
        except BaseException as error:  # noqa: BLE001  carried over to the main thread, which raises it
            failures.append(error)
        finally:
            ended.set()

    for boards, ended in zip(machines, over, strict=True):
        threading.Thread(target=work, args=(boards, ended)).start()
    try:
        _wait(over)
    except KeyboardInterrupt:
        context.progress.say("stopping; what was measured is kept")
        context.cancel.set()
        _wait(over)
        raise
    for failure in failures:
        raise failure


def _wait(events: Sequence[threading.Event]) -> None:
    """Wait for all. Never `Thread.join`: interrupted by Ctrl-C, it may take a thread that still works for ended."""
    for event in events:
        while not event.is_set():
            event.wait(timeout=3600)  # with a limit, as only such a wait can be interrupted


def _complete(store: Store, run: RunRow) -> bool:
    """Whether nothing is left that another `run` could measure: no cell waits for a board that was lost."""
    running = assemble(store, run)
    failed = {note.subject for note in store.notes(run.run_id, "failed")}
    waiting = [r for r in running.records if r.outcome is Outcome.ERROR and r.cell_id not in failed]
    return not waiting


def _exit_code(record: RunRecord) -> int:
    """130 interrupted, 4 no board gave anything, 3 some cells failed, 1 a gate or the budget failed, else 0."""
    if record.state == "interrupted":
        return 130
    outcomes = {r.outcome for r in record.records}
    if record.state == "incomplete" and not any(r.trials for r in record.records):
        return 4
    if outcomes & {Outcome.ERROR, Outcome.TIMEOUT} or not outcomes & {Outcome.OK, Outcome.INVALID}:
        return 3
    no_pick = any(choice.chosen is None for choice in choices(summarize(record)))
    return 1 if Outcome.INVALID in outcomes or no_pick else 0
