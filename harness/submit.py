"""Giving runs to the queue and taking them back: submit, cancel, retry. What the verbs of these names do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..reports.record import Outcome
from ..targets.claim import this_person
from .assemble import assemble
from .campaign import begin, new_id, ready
from .errors import PlanError
from .home import Home
from .job import COMPRESS, Follow, Job
from .liveness import lives
from .plan import load_plan
from .progress import Progress, Say, counted
from .queueport import Engine
from .queuestore import QueueStore, Submission
from .runlock import only_one
from .selection import Boards
from .store import MOVED, NewNote, Note, RunRow
from .submitted import IN_QUEUE, fixed_words, is_cancelled, note_ended, submission_facts

_LAST_RUNS = 200  # among them a schedule's last one is looked for
_RETRIED = (Outcome.ERROR, Outcome.TIMEOUT, Outcome.INVALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be submitted. `boards` stand in for the plan's own; `schedule` and `tick`: who asks, and when."""

    plan: Path
    boards: tuple[str, ...]
    priority: str
    new: bool
    inventory: Path | None
    command: str
    person: str = ""
    schedule: str | None = None
    tick: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A run that is in the queue now. `already`: it was there before."""

    run_id: str
    submission: Submission
    already: bool


def submit_plan(wanted: Wanted, home: Home, store: QueueStore, engine: Engine, *, say: Say) -> Submitted:
    """Check a plan fully and give it to the queue; its unfinished run goes on unless `new`.

    Raises PlanError, ModelError, InventoryError for what is wrong, or where another process works on the run.
    """
    known = Boards(wanted.inventory, near=wanted.plan)
    words = wanted.boards or None
    plan = load_plan(wanted.plan, known, boards=words)
    campaign = ready(plan, home, command=wanted.command, person=wanted.person or None)
    for remark in plan.remarks:
        say(remark)
    facts = submission_facts(campaign, fixed_words(plan, known, words), known, command=wanted.command)
    unfinished = None if wanted.new else store.unfinished(campaign.plan_hash)
    earlier = None if unfinished is None else store.submission(unfinished.run_id)
    if unfinished is not None and earlier is not None and unfinished.state in IN_QUEUE:
        _enqueue(engine, earlier)  # again: should the first try have died between the store and the queue
        return Submitted(run_id=unfinished.run_id, submission=earlier, already=True)
    if unfinished is None:
        run_id = new_id()
        begin(store, campaign, run_id, Progress(quiet=True), state="queued")
        boards = tuple(board.name for board in campaign.plan.boards)
        return _submitted(store, engine, run_id, boards, 1, wanted, facts)
    with only_one(home.lock(unfinished.run_id), unfinished.run_id):
        store.set_state(unfinished.run_id, "queued", ended=False)
    boards = tuple(board.name for board in campaign.plan.boards)
    return _submitted(store, engine, unfinished.run_id, boards, _round(earlier) + 1, wanted, facts)


def cancel_run(name: str, home: Home, store: QueueStore, engine: Engine) -> tuple[RunRow, int]:
    """Take a run out of the queue: what waits at once, what runs at its next gap. (the run, jobs still under way).

    Raises PlanError where the run is not in the queue.
    """
    run = store.run(name)
    submission = _in_queue(run, store)
    round_ = int(submission.facts["round"])
    store.add_note(run.run_id, run.run_id, "cancel", {"round": round_, "person": this_person()})
    alive = {row.name for row in store.workers() if lives(row, time.time())}
    mine = [one for one in engine.list() if one.job.run_id == run.run_id]
    under_way = [one for one in mine if one.state == "running" and one.worker in alive]
    waiting = [one for one in mine if one not in under_way]
    engine.cancel([one.job for one in waiting])
    if not under_way:
        note_ended(store, home, submission, submission.boards)
    else:
        boards = [one.job.board for one in waiting if one.job.board is not None]
        note_ended(store, home, submission, boards)
    return store.run(run.run_id), len(under_way)


def retry_run(name: str, home: Home, store: QueueStore, engine: Engine, *, priority: str | None) -> Submitted | None:
    """Put what failed in a run into the queue again: cells with error, timeout or invalid. None where nothing failed.

    What is finished is not touched. Raises PlanError where the run is in the queue, or was not made from a plan file.
    """
    run = store.run(name)
    earlier = store.submission(run.run_id)
    if run.state in IN_QUEUE and earlier is not None:
        raise PlanError(f"run {run.run_id} is {run.state} in the queue: there is nothing to retry before it has ended")
    failed = [record for record in assemble(store, run).records if record.outcome in _RETRIED]
    if not failed:
        return None
    facts = dict(earlier.facts) if earlier is not None else _facts_of(run)
    with only_one(home.lock(run.run_id), run.run_id):
        boards = tuple(dict.fromkeys(_of_the_plan(record.board, store.notes(run.run_id, MOVED)) for record in failed))
        aside: list[NewNote] = [(record.cell_id, "retried", {"outcome": record.outcome.value}) for record in failed]
        aside += [(board, "retried", {}) for board in boards]
        store.add_notes(run.run_id, aside)
        store.set_state(run.run_id, "queued", ended=False)
    wanted = Wanted(
        plan=Path(facts["plan"]),
        boards=(),
        priority=priority or (earlier.priority if earlier is not None else "normal"),
        new=False,
        inventory=None,
        command=facts["command"],
    )
    return _submitted(store, engine, run.run_id, boards, _round(earlier) + 1, wanted, facts)


def _of_the_plan(board: str, moved: Sequence[Note]) -> str:
    """The board that the plan names for one that has its place."""
    came_from = {str(note.facts["to"]): note.subject for note in moved}
    while board in came_from:
        board = came_from.pop(board)
    return board


def submit_by_schedule(
    at: str, what: Mapping[str, Any], home: Home, store: QueueStore, engine: Engine, *, say: Say
) -> Submitted | None:
    """A tick of a schedule: submit its plan as a new run. None, and said, while its last one is still in the queue.

    A tick whose worker died may come twice; it submits once.
    """
    name = str(what["schedule"])
    for run in store.runs(limit=_LAST_RUNS):
        last = store.submission(run.run_id)
        if last is None or last.facts.get("schedule") != name:
            continue
        if last.facts["tick"] == at:
            return None
        if run.state in IN_QUEUE:
            say(f"schedule {name}: the tick of {at} is skipped, as run {run.run_id} is still {run.state}")
            store.add_note(run.run_id, run.run_id, "tick-skipped", {"at": at, "schedule": name})
            return None
    inventory = what["inventory"]
    wanted = Wanted(
        plan=Path(what["plan"]),
        boards=tuple(what["boards"]),
        priority=what["priority"],
        new=True,
        inventory=None if inventory is None else Path(inventory),
        command=what["command"],
        person=what["person"],
        schedule=name,
        tick=at,
    )
    submitted = submit_plan(wanted, home, store, engine, say=say)
    say(f"schedule {name}: run {submitted.run_id} submitted")
    return submitted


def _submitted(
    store: QueueStore,
    engine: Engine,
    run_id: str,
    boards: Sequence[str],
    round_: int,
    wanted: Wanted,
    facts: Mapping[str, Any],
) -> Submitted:
    person = wanted.person or this_person()
    submission = store.add_submission(
        run_id,
        person=person,
        priority=wanted.priority,
        boards=tuple(boards),
        facts={**facts, "round": round_, "schedule": wanted.schedule, "tick": wanted.tick},
    )
    told = {"person": person, "priority": wanted.priority, "plan": facts["plan"], "schedule": wanted.schedule}
    store.add_note(run_id, run_id, "submitted", told)
    _enqueue(engine, submission)
    return Submitted(run_id=run_id, submission=submission, already=False)


def _enqueue(engine: Engine, submission: Submission) -> None:
    job = Job(kind=COMPRESS, run_id=submission.run_id, rank=submission.rank, round=int(submission.facts["round"]))
    engine.submit(Follow(job=job))


def _in_queue(run: RunRow, store: QueueStore) -> Submission:
    submission = store.submission(run.run_id)
    if submission is None:
        hint = "Ctrl-C stops it where it runs" if run.state == "running" else f"it is {run.state}"
        raise PlanError(f"run {run.run_id} was never in the queue: {hint}")
    if run.state not in IN_QUEUE:
        raise PlanError(f"run {run.run_id} is {run.state}: there is nothing to cancel")
    if is_cancelled(store, run.run_id, int(submission.facts["round"])):
        raise PlanError(f"run {run.run_id} is cancelled already; what is under way stops at its next gap")
    return submission


def _round(earlier: Submission | None) -> int:
    return 0 if earlier is None else int(earlier.facts["round"])


def _facts_of(run: RunRow) -> dict[str, Any]:
    raise PlanError(
        f"run {run.run_id} was made by `hilbench run`: `hilbench run PLAN` measures what is missing of it, and "
        "`hilbench submit PLAN --new` all of it again"
    )


def described(submitted: Submitted) -> str:
    """One line for a person."""
    if submitted.already:
        return f"run {submitted.run_id} of this plan is in the queue already; --new submits another one"
    boards = counted(len(submitted.submission.boards), "board")
    return f"run {submitted.run_id} is in the queue ({submitted.submission.priority} priority, {boards})"
