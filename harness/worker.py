"""A worker: runs jobs until it is told to end, says that it lives, and takes over what dead workers left."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..targets.emulated.host import host_dir
from .errors import PlanError, QueueError
from .home import Home
from .hours import opening
from .jobs import Shop, performers
from .keeper import Keeper, WorkerPlan
from .liveness import beat_s
from .notify import Event
from .progress import Say
from .provenance import digest
from .queueport import Engine, Tick
from .queuestore import QueueStore, WorkerRow
from .running import Running

_LONGEST_GAP_S = 900.0  # how long the jobs under way are waited for when the worker is to end
_LOOK_S = 1.0


def run_worker(
    told: WorkerPlan,
    home: Home,
    store: QueueStore,
    engine: Engine,
    *,
    tick: Tick,
    say: Say,
    tell: Callable[[Event], None] = lambda _: None,
) -> int:
    """Run jobs until SIGTERM, SIGINT, or with `once` until nothing waits; the number of jobs.

    The first signal lets jobs end at their next gap; what is left of them stays in the queue. A second one ends at
    once: the jobs go on when a worker of this name starts, or when another one takes them over. `tell` hears of runs
    that end and of boards that are put into quarantine. Raises PlanError where a worker of this name runs already.
    """
    running, stop = Running(), threading.Event()
    shop = Shop(
        home=home,
        store=store,
        name=told.name,
        host=socket.gethostname(),
        say=say,
        running=running,
        tell=tell,
        serves=lambda board: None if not told.boards or board in told.boards else f"worker {told.name} keeps to others",
        opening=lambda board: opening(board.hours, time.time()),
    )
    with only_of_its_name(told.name, home, store):
        keeper = Keeper(told, shop, engine)
        keeper.beat()
        worker = engine.worker(told.name, performers(shop), tick)
        with _signals(stop), keeper.working(), _metrics(told, shop, engine):
            say(f"worker {told.name}: ready")
            _until_told(stop, engine if told.once else None, running)
            if stop.is_set():
                say("stopping at the next gap; what was measured is kept, and what is left stays in the queue")
            running.stop_all()
            worker.stop(wait_s=_LONGEST_GAP_S)
        store.forget_worker(told.name)
    return running.finished


@contextmanager
def _metrics(told: WorkerPlan, shop: Shop, engine: Engine) -> Generator[None]:
    """Answer Prometheus while the block runs, if a port was named."""
    if told.metrics_port is None:
        yield
        return
    from .metrics import serve_metrics
    from .workermetrics import snapshots

    taken = snapshots(told.name, told.inventory_boards, shop.store, engine, shop.running)
    with serve_metrics(told.metrics_port, taken) as port:
        shop.say(f"metrics: http://127.0.0.1:{port}/metrics")
        yield


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
def _signals(stop: threading.Event) -> Generator[None]:
    def told(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)  # what was measured is stored; the engine knows which jobs were under way
        stop.set()  # nothing is said here: this may have come in the middle of a line

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
