"""The durable queue, behind a few plain functions: the only file that knows DBOS.

Jobs wait in a database of their own (an SQLite file, or a schema in PostgreSQL) and are started in the order of their
rank, one at a time in each partition, however many workers there are. A job may run again after a crash: what it does
must be repeatable. docs/decisions/0010-queue.md says why it is this engine and which of its ways are worked around.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .databaseurl import driver_url, shown
from .errors import NoSuchRunError, PlanError, QueueError, StoreError
from .job import COMPRESS, MEASURE, Follow, Job, Listed, Perform, Schedule, job_from_plain

if TYPE_CHECKING:
    from dbos import DBOSClient
    from dbos._sys_db import WorkflowStatus

# Pinned: by default it is a hash of the code, and jobs that were queued before an upgrade would wait for ever.
APPLICATION, VERSION = "hilbench", "v1"
SCHEMA = "hilbench_queue"
POLL_S = 1.0
MACHINES_AT_ONCE = 64  # boards that one worker measures side by side
_QUEUES = {COMPRESS: "compress", MEASURE: "boards"}
_WORKFLOWS = {kind: f"{kind}.{VERSION}" for kind in _QUEUES}
_TICK = f"tick.{VERSION}"
_STATES = {"PENDING": "running", "ENQUEUED": "waiting", "DELAYED": "delayed"}
_UNUSED_POLL_S = 2.0  # of a part that nothing here uses; the end of a worker waits for it
_FORGET_AT_ONCE = 1_000
_LOG_BYTES = 2_000_000
_FOREIGN = ("dbos", "sqlalchemy", "psycopg", "sqlite3")
_LOGGER = logging.getLogger("dbos")
DATABASE_RETRY_S = 5
_RECOVERIES = 1_000  # a worker that is started anew each night must not use a job up

Tick = Callable[[str, Mapping[str, Any]], object]


class Engine(Protocol):
    """What the harness asks of a durable queue. All but `worker` may be called by any process."""

    def submit(self, follow: Follow) -> None:
        """Put a job in; a second time with the same id it does nothing. Its rank must be at least 1."""
        ...

    def cancel(self, jobs: Sequence[Job]) -> None:
        """Take waiting jobs out."""
        ...

    def list(self) -> Sequence[Listed]:
        """All jobs that wait or run, in the order in which they come up."""
        ...

    def take_over(self, jobs: Sequence[Job]) -> None:
        """Let others run what a dead worker had begun, within the limits of its queue."""
        ...

    def forget(self, *, ended_before: datetime) -> int:
        """Drop jobs that ended long ago; how many. What they measured is in the store."""
        ...

    def add_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule. Raises PlanError where the name is taken or the words are wrong."""
        ...

    def schedules(self) -> Sequence[Schedule]:
        """All schedules by name."""
        ...

    def remove_schedule(self, name: str) -> None:
        """Forget a schedule. Raises PlanError where there is none."""
        ...

    def worker(self, name: str, perform: Mapping[str, Perform], tick: Tick, *, poll_s: float = POLL_S) -> Worker:
        """Begin to run jobs in this process, as the worker of that name; one a process."""
        ...

    def close(self) -> None:
        """Give the database's connections back."""
        ...


class Worker(Protocol):
    """A worker at work."""

    def stop(self, *, wait_s: float) -> None:
        """Start nothing more, and wait for what runs."""
        ...


def open_engine(url: str, *, log: Path, patient: bool = False) -> Engine:
    """The queue in a database, made if needed. `patient`: wait for a database that is away instead of failing.

    Raises QueueError where it cannot be opened.
    """
    _log_to(log)
    url = driver_url(url)
    with _explained(url):
        if url.startswith("sqlite:///"):
            _make_file(Path(url.removeprefix("sqlite:///")))
        return _Dbos(url, patient=patient)


class _Dbos:
    def __init__(self, url: str, *, patient: bool) -> None:
        from dbos import DBOS, DBOSClient

        self._url = url
        DBOS.migrate(url, schema=SCHEMA)
        self._client: DBOSClient = DBOSClient(
            system_database_url=url,
            dbos_system_schema=SCHEMA,
            application_name=APPLICATION,
            retry_connection_errors=patient,
        )

    def submit(self, follow: Follow) -> None:
        job = follow.job
        assert job.rank >= 1, "a rank of 0 goes before all others"
        delay_s = None if follow.not_before is None else follow.not_before - time.time()
        options: dict[str, Any] = {
            "workflow_name": _WORKFLOWS[job.kind],
            "queue_name": _QUEUES[job.kind],
            "workflow_id": job.job_id,
            "app_version": VERSION,
            "priority": job.rank,
        }
        if job.kind == MEASURE:
            options["queue_partition_key"] = job.partition or job.board
        delayed = delay_s is not None and delay_s > 0
        if delayed:
            options["delay_seconds"] = delay_s
        with _explained(self._url):
            self._client.enqueue(options, job.to_plain())  # pyright: ignore[reportArgumentType]
            if delayed and follow.not_before is not None:
                # Exactly, so that all that wait for one moment come up at once, and rank decides between them.
                self._client.set_workflow_delay(job.job_id, delay_until_epoch_ms=int(follow.not_before * 1000))

    def cancel(self, jobs: Sequence[Job]) -> None:
        if jobs:
            with _explained(self._url):
                self._client.cancel_workflows([job.job_id for job in jobs])

    def list(self) -> Sequence[Listed]:
        with _explained(self._url):
            found = self._client.list_workflows(
                status=[*_STATES], name=[*_WORKFLOWS.values()], load_output=False, application_name=APPLICATION
            )
        jobs = [_listed(status) for status in found]
        return sorted(jobs, key=lambda one: (one.job.rank, one.since, one.job.job_id))

    def take_over(self, jobs: Sequence[Job]) -> None:
        with _explained(self._url):
            for job in jobs:
                # Without its queue's name it would go to an internal one, and the partition's limit would not hold it.
                self._client.resume_workflow(job.job_id, queue_name=_QUEUES[job.kind])

    def forget(self, *, ended_before: datetime) -> int:
        with _explained(self._url):
            found = self._client.list_workflows(
                status=["SUCCESS", "ERROR", "CANCELLED"],
                completed_before=ended_before.isoformat(),
                limit=_FORGET_AT_ONCE,
                load_input=False,
                load_output=False,
                application_name=APPLICATION,
            )
            if found:
                self._client.delete_workflows([status.workflow_id for status in found])
        return len(found)

    def add_schedule(self, schedule: Schedule) -> None:
        refuse_bad_cron(schedule.cron, schedule.zone)
        self._add_schedule(schedule)

    def _add_schedule(self, schedule: Schedule) -> None:
        """As it is, the seconds that the engine's cron knows included."""
        if any(known.name == schedule.name for known in self.schedules()):
            raise PlanError(f'there is a schedule "{schedule.name}" already; --name gives this one another name')
        with _explained(self._url):
            self._client.create_schedule(
                schedule_name=schedule.name,
                workflow_name=_TICK,
                schedule=schedule.cron,
                context={**schedule.what, "schedule": schedule.name},
                cron_timezone=schedule.zone,
                automatic_backfill=False,
            )

    def schedules(self) -> Sequence[Schedule]:
        with _explained(self._url):
            found = self._client.list_schedules(application_name=APPLICATION)
        return [
            Schedule(
                name=one["schedule_name"],
                cron=one["schedule"],
                zone=one.get("cron_timezone") or "UTC",
                what=one["context"],
                last_tick=one.get("last_fired_at"),
            )
            for one in sorted(found, key=lambda one: one["schedule_name"])
        ]

    def remove_schedule(self, name: str) -> None:
        known = [schedule.name for schedule in self.schedules()]
        if name not in known:
            raise PlanError(f'there is no schedule "{name}"; there is: {", ".join(known) or "none"}')
        with _explained(self._url):
            self._client.delete_schedule(name)

    def close(self) -> None:
        self._client.destroy()

    def worker(self, name: str, perform: Mapping[str, Perform], tick: Tick, *, poll_s: float = POLL_S) -> Worker:
        from dbos import DBOS

        with _explained(self._url):
            DBOS(
                config={
                    "name": APPLICATION,
                    "system_database_url": self._url,
                    "dbos_system_schema": SCHEMA,
                    "executor_id": name,
                    "application_version": VERSION,
                    "enable_otlp": False,
                    "notification_listener_polling_interval_sec": _UNUSED_POLL_S,
                    "log_level": "INFO",
                }
            )
            for kind, workflow in _WORKFLOWS.items():
                DBOS.workflow(name=workflow, max_recovery_attempts=_RECOVERIES)(self._body(perform[kind]))
            DBOS.workflow(name=_TICK, max_recovery_attempts=_RECOVERIES)(_tick_body(tick))
            DBOS.listen_queues([*_QUEUES.values()])
            self._client.register_queue(_QUEUES[COMPRESS], worker_concurrency=1, polling_interval_sec=poll_s)
            self._client.register_queue(
                _QUEUES[MEASURE],
                partition_concurrency=1,
                worker_concurrency=MACHINES_AT_ONCE,
                polling_interval_sec=poll_s,
            )
            DBOS.launch()
        return _DbosWorker()

    def _body(self, perform: Perform) -> Callable[[dict[str, Any]], None]:
        def body(plain: dict[str, Any]) -> None:
            job = job_from_plain(plain)
            while True:
                try:
                    for follow in perform(job):
                        self.submit(follow)
                    return
                except NoSuchRunError:
                    _LOGGER.exception("job %s is dropped: its run is not in the store", job.job_id)
                    return
                except (StoreError, QueueError):
                    # An error here would end the job for good; what it does can be repeated when the database is back.
                    _LOGGER.exception("job %s is begun again in %d s", job.job_id, DATABASE_RETRY_S)
                    time.sleep(DATABASE_RETRY_S)

        return body


class _DbosWorker:
    def stop(self, *, wait_s: float) -> None:
        from dbos import DBOS

        DBOS.destroy(workflow_completion_timeout_sec=max(1, int(wait_s)))


def _tick_body(tick: Tick) -> Callable[[datetime, dict[str, Any]], None]:
    def body(at: datetime, what: dict[str, Any]) -> None:
        tick(at.isoformat(timespec="seconds"), what)

    return body


def refuse_bad_cron(cron: str, zone: str) -> None:
    """Raise PlanError for words that are no schedule in a time zone."""
    from zoneinfo import ZoneInfo

    from croniter import croniter

    if len(cron.split()) != 5 or not croniter.is_valid(cron):
        raise PlanError(
            f'"{cron}" is no schedule: five fields are allowed, "minute hour day-of-month month day-of-week", such as '
            '"0 2 * * *" (each night at 2) or "30 18 * * mon-fri"'
        )
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise PlanError(f'"{zone}" is no time zone: UTC or a name such as Europe/Berlin') from error


def next_tick(schedule: Schedule, after: datetime) -> datetime:
    """When a schedule comes up next."""
    from zoneinfo import ZoneInfo

    from croniter import croniter

    return croniter(schedule.cron, after.astimezone(ZoneInfo(schedule.zone))).get_next(datetime)


def _listed(status: WorkflowStatus) -> Listed:
    assert status.input is not None
    due_ms = status.delay_until_epoch_ms
    state = _STATES[status.status]
    began_ms = status.dequeued_at if state == "running" else status.created_at
    return Listed(
        job=job_from_plain(status.input["args"][0]),
        state=state,
        worker=status.executor_id if state == "running" else None,
        since=(began_ms or status.created_at or 0) / 1000,
        not_before=due_ms / 1000 if state == "delayed" and due_ms is not None else None,
    )


def _make_file(path: Path) -> None:
    """An SQLite file whose journal is written ahead: eight times as fast, and readers do not block."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QueueError(f"cannot make the state folder {path.parent}: {error.strerror}") from error
    connection = sqlite3.connect(path, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _log_to(path: Path) -> None:
    """The engine's own words go to a file, never before the user's eyes."""
    if _LOGGER.handlers:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _LOGGER.addHandler(handler)
    _LOGGER.propagate = False


@contextmanager
def _explained(url: str) -> Generator[None]:
    """Turn the errors of the engine and of what is below it into one sentence without the password."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _FOREIGN:
            raise
        cause = getattr(error, "orig", None) or error
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise QueueError(f"the queue in {shown(url)} failed: {lines[0]}") from error
