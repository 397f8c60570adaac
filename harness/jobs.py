"""What the jobs of the queue do: compress a run's candidates, then measure it on one board. The last one concludes it.

Nothing here knows the engine. Whatever happens ends a job in one of three ways: it is over, it comes back later, or the
run was cancelled; an error never leaves a run without its end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..compression.errors import CompressionError
from ..targets.board import Board
from ..targets.errors import BoardHeldError, TargetError
from ..targets.open import machine_of, shares_this_machine
from .boardjob import RunContext
from .campaign import Campaign, make_candidates
from .candidates import Prepared
from .errorclass import error_class, is_transient
from .errors import HarnessError, Interrupted, StoreError
from .home import Home
from .job import COMPRESS, MEASURE, Follow, Job, Perform
from .log import about
from .notify import Event, end_event
from .progress import Say
from .queuestore import QueueStore, Submission
from .runlock import one_of_several
from .running import CANCELLED, CLOSED, JobProgress, Running, Ticket
from .standin import measure_any
from .submitted import is_cancelled, note_ended, recall

RETRY_SETTING = "HILBENCH_RETRY_DELAY_S"
RETRIES, FIRST_RETRY_S, RETRY_FACTOR = 3, 30.0, 4
HELD_S = (10.0, 60.0)  # a board that somebody has is asked again when its lease ends, at least so often
NOT_MINE_S = 30.0
OUTSIDE_HOURS = "outside its hours"
_KEPT = 4  # campaigns whose data stay in memory

Foreseen = (HarnessError, TargetError, CompressionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What the jobs of a worker share. `serves` says why this worker leaves a board to others, None if it does not.

    `opening` is when a board's hours begin (seconds since 1970), None where they hold now.
    """

    home: Home
    store: QueueStore
    name: str
    host: str
    say: Say
    running: Running
    serves: Callable[[str], str | None] = lambda _board: None
    opening: Callable[[Board], float | None] = lambda _board: None
    tell: Callable[[Event], None] = lambda _: None
    known: dict[str, tuple[Campaign, Prepared]] = field(default_factory=dict[str, "tuple[Campaign, Prepared]"])
    making: dict[str, threading.Lock] = field(default_factory=dict[str, threading.Lock])


def performers(shop: Shop) -> dict[str, Perform]:
    """The functions of the kinds of jobs."""
    return {
        COMPRESS: lambda job: _performed(shop, job, _compress),
        MEASURE: lambda job: _performed(shop, job, _measure),
    }


def partition_of(board: Board, host: str) -> str:
    """Boards of one partition are one machine: their jobs take turns."""
    return f"this machine: {host}" if shares_this_machine(board) else machine_of(board)


def retry_delay_s(tries: int) -> float:
    """How long after the failure number `tries` (from 1) a job comes back."""
    return float(os.environ.get(RETRY_SETTING) or FIRST_RETRY_S) * RETRY_FACTOR ** (tries - 1)


_Work = Callable[[Shop, Job, Submission, Ticket], Sequence[Follow]]


def _performed(shop: Shop, job: Job, work: _Work) -> Sequence[Follow]:
    submission = shop.store.submission(job.run_id)
    if submission is None or submission.facts["round"] != job.round:
        return []  # an earlier round's, after a retry: its work is the new round's
    with about(run=job.run_id, board=job.board), shop.running.ticket(job) as ticket:
        try:
            if is_cancelled(shop.store, job.run_id, job.round):
                return _over(shop, job, submission)
            return work(shop, job, submission, ticket)
        except Interrupted:
            return _stopped(shop, job, submission, ticket)
        except StoreError:
            raise  # nothing can be noted: the engine asks again when the database is back
        except Foreseen as error:
            return _failed(shop, job, submission, error)
        except Exception as error:  # noqa: BLE001  a mistake of ours must end the job, not the run
            return _failed(shop, job, submission, error)


def _compress(shop: Shop, job: Job, submission: Submission, ticket: Ticket) -> Sequence[Follow]:
    shop.store.set_state(job.run_id, "running", ended=False)
    campaign, _ = _prepared(shop, job, submission, ticket)
    boards = [board for board in campaign.plan.boards if board.name in submission.boards]
    return [
        Follow(
            job=Job(
                kind=MEASURE,
                run_id=job.run_id,
                rank=job.rank,
                board=board.name,
                partition=partition_of(board, submission.facts["host"]),
                round=job.round,
            )
        )
        for board in boards
    ]


def _measure(shop: Shop, job: Job, submission: Submission, ticket: Ticket) -> Sequence[Follow]:
    reason = _not_mine(shop, job, submission)
    if reason is not None:
        return _later(shop, job.again(), reason, NOT_MINE_S)
    campaign, prepared = _prepared(shop, job, submission, ticket)
    board = next(board for board in campaign.plan.boards if board.name == job.board)
    opens = shop.opening(board)
    if opens is not None:
        return _later(shop, job.again(), OUTSIDE_HOURS, opens - time.time())
    ticket.closes = lambda: shop.opening(board) is not None
    run = shop.store.run(job.run_id)
    context = RunContext(
        run_id=job.run_id,
        plan=campaign.plan,
        blocks=run.facts["blocks"],
        store=shop.store,
        home=shop.home,
        prepared=prepared,
        progress=JobProgress(shop.say, ticket, may_stop=False),
        cancel=ticket.stop,
        tell=shop.tell,
        lease_wait_s=0.0,
    )
    with one_of_several(shop.home.lock(job.run_id), job.run_id, f"worker {shop.name}"):
        error = measure_any(context, board, [cell for cell in campaign.cells if cell.board == board])
    if ticket.stop.is_set():
        raise Interrupted("stopped")
    if isinstance(error, BoardHeldError):
        left_s = HELD_S[1] if error.remaining_s is None else float(error.remaining_s)
        return _later(shop, job.again(), str(error).partition(";")[0], max(HELD_S[0], min(left_s, HELD_S[1])))
    return _over(shop, job, submission) if error is None else _failed(shop, job, submission, error)


def _prepared(shop: Shop, job: Job, submission: Submission, ticket: Ticket) -> tuple[Campaign, Prepared]:
    """The candidates of a run; made once a worker, and from the cache where another one made them on this machine."""
    with shop.making.setdefault(job.run_id, threading.Lock()):
        known = shop.known.get(job.run_id)
        if known is None:
            campaign = recall(submission, shop.home, shop.store.run(job.run_id).plan_hash)
            progress = JobProgress(shop.say, ticket, may_stop=True)
            known = (campaign, make_candidates(shop.store, campaign, job.run_id, shop.home, progress))
            shop.known[job.run_id] = known
            for old in list(shop.known)[:-_KEPT]:
                shop.known.pop(old, None)
        return known


def _not_mine(shop: Shop, job: Job, submission: Submission) -> str | None:
    """Why another worker must do it; None if this one may."""
    here = submission.facts["host"]
    if job.board in submission.facts["this_machine"] and shop.host != here:
        return f"it is {here} itself: only a worker there can measure on it"
    return shop.serves(str(job.board))


def _later(shop: Shop, job: Job, reason: str, delay_s: float) -> Sequence[Follow]:
    """Back into the queue, so that no job waits in the place of another one; why is kept for `queue`."""
    moment = time.time() + max(0.0, delay_s)
    shop.store.add_note(job.run_id, str(job.board), "waits", {"reason": reason, "until": moment})
    shop.say(f"{job.run_id}: {job.board}: waits: {reason}")
    return [Follow(job=job, not_before=moment)]


def _stopped(shop: Shop, job: Job, submission: Submission, ticket: Ticket) -> Sequence[Follow]:
    """What was measured is stored. The rest waits for its hours, or for the next worker, unless it was cancelled."""
    if ticket.why == CANCELLED:
        return _over(shop, job, submission)
    if ticket.why == CLOSED and job.board is not None:
        return _later(shop, job.again(), OUTSIDE_HOURS, 0.0)  # whoever starts it next finds when they open
    shop.say(f"{job.run_id}: {job.board or 'compression'}: stopped; it goes on when a worker runs")
    return [Follow(job=job.again())]


def _failed(shop: Shop, job: Job, submission: Submission, error: Exception) -> Sequence[Follow]:
    """Again after a while if that may help, not more than a few times; else it is over, and says why."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if is_transient(error) and job.tries < RETRIES:
        delay_s = retry_delay_s(job.tries + 1)
        return _later(shop, job.again(failed=True), f"try {job.tries + 2} of {RETRIES + 1} after: {reason}", delay_s)
    for board in [job.board] if job.board is not None else submission.boards:
        shop.store.add_note(job.run_id, board, "lost", {"reason": reason, "class": error_class(error)})
    shop.say(f"{job.run_id}: {job.board or 'compression'}: given up: {reason}")
    return _over(shop, job, submission)


def _over(shop: Shop, job: Job, submission: Submission) -> Sequence[Follow]:
    boards = submission.boards if job.board is None else (job.board,)
    result = note_ended(shop.store, shop.home, submission, boards)
    if result is not None:
        shop.known.pop(job.run_id, None)
        shop.say(f"{job.run_id}: {result.record.state}; report: {result.report}")
        shop.tell(end_event(result.record, result.exit_code, result.report))
    return []
