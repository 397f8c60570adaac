"""`run PLAN`: compress, deploy, measure, report. `run_plan` reads like the list in `docs/architecture.md`."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..reports.record import Outcome, RunRecord
from ..targets.board import Board
from ..targets.open import shares_this_machine
from ..targets.quiet import machine_time
from .assemble import assemble
from .boardrun import RunContext, measure_board
from .candidates import Prepared, Source, datasets, prepare, read_sources
from .errors import Interrupted
from .home import Home
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


def run_plan(plan: Plan, home: Home, *, new: bool, command: str, progress: Progress) -> RunResult:
    """Run a plan to its end, or go on with its newest unfinished run unless `new`."""
    sources = read_sources(plan, cache=home.artifacts)
    cells = expand(plan, {name: source.model.format for name, source in sources.items()})
    store = Store.open(home.database)
    with ExitStack() as stack:
        origin = {**provenance(command), "data": datasets(sources)}
        run = _begin(store, plan, cells, origin, new=new, progress=progress, hold=_holder(home, stack))
        return _carry_out(run, store, plan, sources, cells, home, progress)


def _holder(home: Home, stack: ExitStack) -> Callable[[str], None]:
    """A function that takes the lock of a run until the stack ends."""
    return lambda run_id: stack.enter_context(only_one(home.lock(run_id), run_id))


def _carry_out(
    run: RunRow,
    store: Store,
    plan: Plan,
    sources: Mapping[str, Source],
    cells: Sequence[Cell],
    home: Home,
    progress: Progress,
) -> RunResult:
    cancel = threading.Event()
    try:
        with machine_time(alone=False, progress=progress.say):
            prepared = prepare(plan, sources, cache=home.artifacts, progress=progress)
        _store_candidates(store, run.run_id, cells, prepared)
        context = RunContext(
            run_id=run.run_id,
            plan=plan,
            store=store,
            home=home,
            prepared=prepared,
            progress=progress,
            cancel=cancel,
        )
        _measure_all(context, cells)
        state = "finished" if _complete(store, run) else "incomplete"
    except (KeyboardInterrupt, Interrupted):
        state = "interrupted"
    store.set_state(run.run_id, state, ended=True)
    record = assemble(store, store.run(run.run_id))
    report = write_report(record, home.report(run.run_id))
    return RunResult(record=record, report=report, exit_code=_exit_code(record))


def _begin(
    store: Store,
    plan: Plan,
    cells: Sequence[Cell],
    origin: Mapping[str, Any],
    *,
    new: bool,
    progress: Progress,
    hold: Callable[[str], None],
) -> RunRow:
    unfinished = None if new else store.unfinished(plan.hash)
    if unfinished is not None:
        hold(unfinished.run_id)
        store.set_state(unfinished.run_id, "running", ended=False)
        progress.say(f"going on with run {unfinished.run_id}")
        return unfinished
    started = datetime.now(UTC)
    row = RunRow(
        run_id=f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        plan_name=plan.name,
        plan_hash=plan.hash,
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
            "provenance": origin,
        },
    )
    hold(row.run_id)
    store.add_run(row, [(cell.cell_id, cell.board.name, _cell_facts(cell)) for cell in cells])
    for cell in cells:
        if cell.skip is not None:
            _note_failed(store, row.run_id, cell.cell_id, Outcome.UNSUPPORTED, cell.skip)
    progress.say(f"run {row.run_id}: {counted(len(cells), 'cell')} on {counted(len(plan.boards), 'board')}")
    return row


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
    """Boards elsewhere and emulated ones side by side; then those that are this machine, one at a time."""
    by_board: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_board[cell.board.name].append(cell)
    boards = context.plan.boards
    side_by_side = [board for board in boards if not shares_this_machine(board)]
    alone = [board for board in boards if shares_this_machine(board)]
    for group in (side_by_side, *([board] for board in alone)):
        _measure_group(context, group, by_board)


def _measure_group(context: RunContext, boards: Sequence[Board], cells: Mapping[str, Sequence[Cell]]) -> None:
    """One thread a board. Ctrl-C asks all to stop at their next gap and waits for them."""
    failures: list[BaseException] = []

    def work(board: Board) -> None:
        try:
            measure_board(context, board, cells[board.name])
        except BaseException as error:  # noqa: BLE001  carried over to the main thread, which raises it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(board,), name=board.name) for board in boards]
    for thread in threads:
        thread.start()
    try:
        _join(threads)
    except KeyboardInterrupt:
        context.progress.say("stopping; what was measured is kept")
        context.cancel.set()
        _join(threads)
        raise
    for failure in failures:
        raise failure


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(timeout=3600)  # a wait with a limit can be interrupted by Ctrl-C; it ends with the thread


def _complete(store: Store, run: RunRow) -> bool:
    """Whether nothing is left that another `run` could measure: no cell waits for a board that was lost."""
    running = assemble(store, run)
    failed = {note.subject for note in store.notes(run.run_id, "failed")}
    waiting = [r for r in running.records if r.outcome is Outcome.ERROR and r.cell_id not in failed]
    return not waiting


def _exit_code(record: RunRecord) -> int:
    """0 all cells have an answer, 3 some failed, 4 no board gave anything, 130 interrupted."""
    if record.state == "interrupted":
        return 130
    outcomes = [r.outcome for r in record.records]
    if all(outcome in (Outcome.OK, Outcome.UNSUPPORTED) for outcome in outcomes) and Outcome.OK in outcomes:
        return 0
    measured = any(r.trials for r in record.records)
    lost_only = not measured and record.state == "incomplete"
    return 4 if lost_only else 3
