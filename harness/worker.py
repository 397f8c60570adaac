"""A worker: runs jobs until it is told to end, says that it lives, and takes over what dead workers left."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..targets.emulated.host import host_dir
from ..targets.errors import TargetError
from .engine import Engine
from .errors import HarnessError, PlanError, QueueError, StoreError
from .home import Home
from .hours import opening
from .job import COMPRESS, Listed
from .jobs import Shop, performers
from .liveness import beat_s, dead_s
from .occupancy import occupancy
from .progress import Say
from .provenance import digest
from .queuestore import QueueStore, WorkerRow
from .running import CANCELLED, CLOSED, Running
from .store import now
from .submitted import is_cancelled, plan_of

_LONGEST_GAP_S = 900.0  # how long the jobs under way are waited for when the worker is to end
_LOOK_S = 1.0
KEPT_DAYS = 30  # for which the queue remembers jobs that ended

Submit = Callable[[str, Mapping[str, Any]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What a worker is told: its name, the boards that it keeps to (none = all), and whether it ends when idle."""

    name: str
    boards: tuple[str, ...] = ()
    once: bool = False


def run_worker(told: WorkerPlan, home: Home, store: QueueStore, engine: Engine, *, tick: Submit, say: Say) -> int:
    """Run jobs until SIGTERM, SIGINT, or with `once` until nothing waits; the number of jobs.

    The first signal lets jobs end at their next gap; what is left of them stays in the queue. A second one ends at
    once: the jobs go on when a worker of this name starts, or when another one takes them over. Raises PlanError where
    a worker of this name runs already.
    """
    running, stop = Running(), threading.Event()
    shop = Shop(
        home=home,
        store=store,
        name=told.name,
        host=socket.gethostname(),
        say=say,
        running=running,
        serves=lambda board: None if not told.boards or board in told.boards else f"worker {told.name} keeps to others",
        opening=lambda board: opening(board.hours, time.time()),
    )
    with only_of_its_name(told.name, home, store):
        keeper = Keeper(told, shop, engine)
        keeper.beat()
        worker = engine.worker(told.name, performers(shop), tick)
        with _signals(stop, say), keeper.working():
            say(f"worker {told.name}: ready")
            _until_told(stop, engine if told.once else None, running)
            running.stop_all()
            worker.stop(wait_s=_LONGEST_GAP_S)
        store.forget_worker(told.name)
    return running.finished


def _until_told(stop: threading.Event, once: Engine | None, running: Running) -> None:
    """Wait for a signal; with an engine also until there is nothing to do now, at two looks one after the other."""
    idle = 0
    while not stop.wait(_LOOK_S):
        if once is None:
            continue
        due = [one for one in once.list() if one.state == "waiting"]
        idle = 0 if due or running.tickets() else idle + 1
        if idle >= 2:
            return


@contextmanager
def _signals(stop: threading.Event, say: Say) -> Generator[None]:
    def told(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)  # what was measured is stored; the engine knows which jobs were under way
        stop.set()
        say("stopping at the next gap; what was measured is kept, and what is left stays in the queue")

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def only_of_its_name(name: str, home: Home, store: QueueStore) -> Generator[None]:
    """Two workers of one name would take each other's jobs for their own. Raises PlanError where there is another."""
    path = host_dir() / f"worker-{digest({'name': name, 'queue': home.queue_url})[:16]}.lock"
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PlanError(f"a worker named {name} runs here already; --name gives this one another name") from error
        _refuse_elsewhere(name, store)
        yield


def _opened(path: Path) -> Any:
    try:
        return path.open("a")
    except OSError as error:
        raise QueueError(f"the lock of the worker's name, {path}, cannot be opened: {error.strerror}") from error


def _refuse_elsewhere(name: str, store: QueueStore) -> None:
    """A worker of that name on another host shows by its beats that it lives; no clock is compared."""
    known = _row(store, name)
    if known is None or known.host == socket.gethostname():
        return  # the lock of this host has told already
    time.sleep(2.5 * beat_s())
    later = _row(store, name)
    if later is not None and later.beats != known.beats:
        raise PlanError(f"a worker named {name} runs on {later.host}; --name gives this one another name")


def _row(store: QueueStore, name: str) -> WorkerRow | None:
    return next((row for row in store.workers() if row.name == name), None)


@dataclass(slots=True)
class _Seen:
    """The beats of another worker and when they were seen to change, by this process's clock."""

    beats: int
    at: float


@dataclass(slots=True)
class Keeper:
    """Every few seconds: says what this worker does, stops what is to stop, and looks after dead workers."""

    told: WorkerPlan
    shop: Shop
    engine: Engine
    started_at: str = field(default_factory=now)
    beats: int = 0
    seen: dict[str, _Seen] = field(default_factory=dict[str, _Seen])
    forget_at: float = field(default_factory=time.monotonic)
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def working(self) -> Generator[None]:
        """Do it in a thread as long as the block lasts."""
        thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join(timeout=30)

    def _work(self) -> None:
        while not self.over.wait(beat_s()):
            try:
                self.beat()
                self.stop_what_is_to_stop()
                self._take_over()
                self._forget()
            except (StoreError, QueueError) as error:
                self.shop.say(f"worker {self.told.name}: {error}")

    def beat(self) -> None:
        """Say that this worker lives, and what it does."""
        self.beats += 1
        self.shop.store.beat(
            WorkerRow(
                name=self.told.name,
                host=self.shop.host,
                pid=os.getpid(),
                started_at=self.started_at,
                seen_at=now(),
                beats=self.beats,
                boards=self.told.boards,
                jobs=self.shop.running.jobs(),
            )
        )

    def stop_what_is_to_stop(self) -> None:
        """Ask jobs to stop whose run was cancelled, or whose board's hours ended."""
        for ticket in self.shop.running.tickets():
            if is_cancelled(self.shop.store, ticket.job.run_id, ticket.job.round):
                ticket.ask_to_stop(CANCELLED)
            elif ticket.closes():
                ticket.ask_to_stop(CLOSED)

    def _forget(self) -> None:
        """Once a day, as long as there is anything: else the queue's database would grow for ever."""
        if time.monotonic() >= self.forget_at:
            dropped = self.engine.forget(ended_before=datetime.now(UTC) - timedelta(days=KEPT_DAYS))
            self.forget_at = time.monotonic() + (60.0 if dropped else 86400.0)

    def _take_over(self) -> None:
        dead = self._dead()
        if not dead:
            return
        left = [one for one in self.engine.list() if one.state == "running" and one.worker in dead]
        mine = [one for one in left if self._is_free(one)]
        self.engine.take_over([one.job for one in mine])
        for one in mine:
            self.shop.say(f"{one.job.run_id}: {one.job.board or 'compression'}: taken over from {one.worker}")
        for name in dead - {one.worker for one in left if one not in mine}:
            self.shop.store.forget_worker(name)

    def _dead(self) -> set[str]:
        """Others whose beats have not changed for long."""
        moment, dead = time.monotonic(), set[str]()
        for row in self.shop.store.workers():
            if row.name == self.told.name:
                continue
            seen = self.seen.get(row.name)
            if seen is None or seen.beats != row.beats:
                self.seen[row.name] = _Seen(row.beats, moment)
            elif moment - seen.at > dead_s():
                dead.add(row.name)
        return dead

    def _is_free(self, one: Listed) -> bool:
        """Whether a dead worker's lease of a board is over, or is this host's own: only the board knows."""
        submission = self.shop.store.submission(one.job.run_id)
        if one.job.kind == COMPRESS or submission is None:
            return True
        try:
            board = next(board for board in plan_of(submission).boards if board.name == one.job.board)
            holder = occupancy(board)["in use by"]
        except HarnessError:
            return True  # whoever starts the job will say what is wrong
        except TargetError:
            return False  # it cannot be asked now: at the next look
        return holder is None or holder.get("owner") == f"{self.shop.host}:{one.job.run_id}"
