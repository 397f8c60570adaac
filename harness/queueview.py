"""What `hilbench queue` shows: what runs, what waits and why, and when it will end. Pure but for the reading of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from .expect import end_by_progress, ends_in_turn, measured_s, usual_s
from .job import COMPRESS, Listed
from .lab import Lab
from .liveness import lives
from .queuestore import RunningJob, Submission, WorkerRow
from .store import RunRow

_EARLIER_RUNS = 5
NO_WORKER = "no worker runs; `hilbench worker` starts one"

Lengths = Callable[[Listed], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the queue. Moments are seconds since 1970; None is not known, or does not apply."""

    run: str
    plan: str
    board: str | None
    state: str
    priority: str
    person: str
    since: float
    why: str | None = None
    worker: str | None = None
    done: int | None = None
    of: int | None = None
    until: float | None = None
    expected_end: float | None = None

    def facts(self) -> dict[str, Any]:
        """For `--json`, moments in UTC."""
        plain = asdict(self)
        return {**plain, **{key: utc(plain[key]) for key in ("since", "until", "expected_end")}}


def utc(moment: float | None) -> str | None:
    """A moment as ISO text."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def look(lab: Lab, at_s: float) -> tuple[list[Entry], list[WorkerRow]]:
    """The queue as it is now, in the order in which it comes up, and the workers that live."""
    listed = lab.engine.list()
    alive = [row for row in lab.store.workers() if lives(row, at_s)]
    runs = {run_id: lab.store.run(run_id) for run_id in {one.job.run_id for one in listed}}
    submissions = {run_id: lab.store.submission(run_id) for run_id in runs}
    reasons = {run_id: _reasons(lab, run_id) for run_id in runs}
    lengths = _lengths(lab, runs)
    entries: list[Entry] = []
    for partition in dict.fromkeys(_partition(one) for one in listed):
        mine = [one for one in listed if _partition(one) == partition]
        entries += _entries(mine, runs, submissions, reasons, alive, lengths, at_s)
    order = {one.job.job_id: number for number, one in enumerate(listed)}
    states = {"running": 0, "lost": 0}
    return sorted(entries, key=lambda e: (states.get(e.state, 1), order.get(_id_of(e, listed), 0))), alive


def _entries(
    listed: Sequence[Listed],
    runs: Mapping[str, RunRow],
    submissions: Mapping[str, Submission | None],
    reasons: Mapping[str, Mapping[str, str]],
    alive: Sequence[WorkerRow],
    lengths: Lengths,
    at_s: float,
) -> list[Entry]:
    """The lines of one partition: what runs there, then what waits behind it."""
    active = [one for one in listed if one.state == "running"]
    waiting = [one for one in listed if one.state != "running"]
    told = {(job.run_id, job.board): job for row in alive for job in row.jobs}
    names = {row.name for row in alive}
    entries: list[Entry] = []
    free_s: float | None = at_s
    for one in active:
        job = told.get((one.job.run_id, one.job.board))
        end = _end(one, job, lengths, at_s)
        free_s = end
        lost = one.worker not in names
        why = f"its worker {one.worker} does not answer: it goes on when that starts again, or another takes it over"
        entries.append(
            _entry(
                one, runs, submissions, state="lost" if lost else "running", why=why if lost else None, job=job, end=end
            )
        )
    ends = ends_in_turn(free_s, [lengths(one) for one in waiting])
    before = active[0] if active else None
    for one, end in zip(waiting, ends, strict=True):
        why = reasons[one.job.run_id].get(str(one.job.board)) if one.state == "delayed" else None
        if why is None:
            why = NO_WORKER if not alive else "starts next" if before is None else f"behind run {before.job.run_id}"
        entries.append(
            _entry(
                one, runs, submissions, state="waiting", why=why, end=end if alive and one.state == "waiting" else None
            )
        )
        before = one if one.state == "waiting" else before
    return entries


def _entry(
    one: Listed,
    runs: Mapping[str, RunRow],
    submissions: Mapping[str, Submission | None],
    *,
    state: str,
    why: str | None,
    job: RunningJob | None = None,
    end: float | None,
) -> Entry:
    submission = submissions[one.job.run_id]
    return Entry(
        run=one.job.run_id,
        plan=runs[one.job.run_id].plan_name,
        board=one.job.board,
        state=state,
        priority="" if submission is None else submission.priority,
        person="" if submission is None else submission.person,
        since=one.since,
        why=why,
        worker=one.worker,
        done=None if job is None else job.done,
        of=None if job is None else job.of,
        until=one.not_before,
        expected_end=end,
    )


def _end(one: Listed, job: RunningJob | None, lengths: Lengths, at_s: float) -> float | None:
    if job is not None:
        by_progress = end_by_progress(datetime.fromisoformat(job.since).timestamp(), at_s, job.done, job.of)
        if by_progress is not None:
            return by_progress
    length_s = lengths(one)
    return None if length_s is None else max(at_s, one.since + length_s)


def _lengths(lab: Lab, runs: Mapping[str, RunRow]) -> Lengths:
    """How long jobs took in earlier runs of the same plan; compression is not foreseen."""
    earlier: dict[str, list[dict[str, float]]] = {}
    for plan_hash in {run.plan_hash for run in runs.values()}:
        known = [run for run in lab.store.runs(limit=200) if run.plan_hash == plan_hash and run.state == "finished"]
        earlier[plan_hash] = [measured_s(lab.store.notes(run.run_id)) for run in known[:_EARLIER_RUNS]]

    def length_s(one: Listed) -> float | None:
        return None if one.job.board is None else usual_s(earlier[runs[one.job.run_id].plan_hash], one.job.board)

    return length_s


def _reasons(lab: Lab, run_id: str) -> dict[str, str]:
    return {note.subject: str(note.facts["reason"]) for note in lab.store.notes(run_id, "waits")}


def _partition(one: Listed) -> str:
    return "compression" if one.job.kind == COMPRESS else str(one.job.partition)


def _id_of(entry: Entry, listed: Sequence[Listed]) -> str:
    return next(one.job.job_id for one in listed if (one.job.run_id, one.job.board) == (entry.run, entry.board))
