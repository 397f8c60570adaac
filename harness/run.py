"""`run PLAN`: compress, deploy, measure, report. `run_plan` reads like the list in `docs/architecture.md`."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from ..reports.language import Language
from ..targets.board import Board
from ..targets.open import machine_of, shares_this_machine
from .boardjob import RunContext
from .campaign import Campaign, RunResult, begin, conclude, end_state, make_candidates, new_id, ready
from .errors import Interrupted
from .home import Home
from .log import about
from .notify import Event, end_event
from .plan import Cell, Plan
from .progress import Progress
from .runlock import only_one
from .standin import measure_any
from .store import RunRow, Store

QUEUED_STATES = ("queued", "running")


def run_plan(
    plan: Plan,
    home: Home,
    *,
    new: bool,
    command: str,
    progress: Progress,
    tell: Callable[[Event], None] = lambda _: None,
    language: Language = Language.ENGLISH,
) -> RunResult:
    """Run a plan to its end, or go on with its newest unfinished run unless `new`. A run of the queue is left to it.

    `tell` hears of its end, and of boards that are put into quarantine. The report is written in `language`.
    """
    campaign = ready(plan, home, command=command)
    store = Store.open(home.database_url, say=progress.say)
    unfinished = None if new else store.unfinished(campaign.plan_hash)
    if unfinished is not None and unfinished.state in QUEUED_STATES and store.notes(unfinished.run_id, "submitted"):
        progress.say(f"run {unfinished.run_id} of this plan is the queue's: this is another one")
        unfinished = None
    run_id = unfinished.run_id if unfinished is not None else new_id()
    with about(run=run_id), only_one(home.lock(run_id), run_id):
        if unfinished is None:
            begin(store, campaign, run_id, progress)
        else:
            store.set_state(run_id, "running", ended=False)
            progress.say(f"going on with run {run_id}")
        result = _carry_out(store, store.run(run_id), campaign, home, progress, tell, language)
        tell(end_event(result.record, result.exit_code, result.report))
        return result


def _carry_out(
    store: Store,
    run: RunRow,
    campaign: Campaign,
    home: Home,
    progress: Progress,
    tell: Callable[[Event], None],
    language: Language,
) -> RunResult:
    try:
        context = RunContext(
            run_id=run.run_id,
            plan=campaign.plan,
            blocks=run.facts["blocks"],
            store=store,
            home=home,
            prepared=make_candidates(store, campaign, run.run_id, home, progress),
            progress=progress,
            cancel=threading.Event(),
            tell=tell,
        )
        _measure_all(context, campaign.cells)
        state = end_state(store, run)
    except (KeyboardInterrupt, Interrupted):
        state = "interrupted"
    return conclude(store, home, run.run_id, state, language)


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
                measure_any(context, board, cells[board.name])
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
