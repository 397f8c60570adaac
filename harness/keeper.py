"""What a worker does beside its jobs, every few seconds: it says that it lives, stops what is to stop, takes over."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..targets.errors import TargetError
from .errors import HarnessError, QueueError, StoreError
from .job import COMPRESS, Listed
from .jobs import Shop
from .liveness import beat_s, dead_s
from .occupancy import occupancy
from .queueport import Engine
from .queuestore import WorkerRow
from .running import CANCELLED, CLOSED
from .store import now
from .submitted import is_cancelled, plan_of

KEPT_DAYS = 30  # for which the queue remembers jobs that ended


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What a worker is told: its name, the boards that it keeps to (none = all), and whether it ends when idle.

    With `metrics_port` it tells Prometheus of itself and of the boards of the inventory.
    """

    name: str
    boards: tuple[str, ...] = ()
    once: bool = False
    metrics_port: int | None = None
    inventory_boards: tuple[str, ...] = ()


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
