"""What a worker does now, and the asking of it to stop at its next gap."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .errors import Interrupted
from .job import Job
from .progress import Progress, Say
from .queuestore import RunningJob
from .store import now

CANCELLED, CLOSED, STOPPING = "cancelled", "closed", "stopping"


@dataclass(slots=True, eq=False)
class Ticket:
    """One job under way. `why` says why it is to stop; the first reason counts."""

    job: Job
    since: str
    stop: threading.Event = field(default_factory=threading.Event)
    why: str | None = None
    done: int | None = None
    of: int | None = None
    closes: Callable[[], bool] = lambda: False

    def ask_to_stop(self, why: str) -> None:
        """Stop at the next gap."""
        if self.why is None:
            self.why = why
        self.stop.set()


class Running:
    """The jobs of this worker, from all its threads. Once it is stopping, whatever begins is asked to stop at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: list[Ticket] = []
        self._stopping = False
        self.finished = 0

    @contextmanager
    def ticket(self, job: Job) -> Generator[Ticket]:
        """Be listed as long as the block lasts."""
        ticket = Ticket(job=job, since=now())
        with self._lock:
            self._tickets.append(ticket)
            if self._stopping:
                ticket.ask_to_stop(STOPPING)
        try:
            yield ticket
        finally:
            with self._lock:
                self._tickets.remove(ticket)
                self.finished += 1

    def tickets(self) -> list[Ticket]:
        """What is under way."""
        with self._lock:
            return list(self._tickets)

    def stop_all(self) -> None:
        """The worker is to end."""
        with self._lock:
            self._stopping = True
            for ticket in self._tickets:
                ticket.ask_to_stop(STOPPING)

    def jobs(self) -> tuple[RunningJob, ...]:
        """What others are told."""
        return tuple(
            RunningJob(run_id=t.job.run_id, board=t.job.board, since=t.since, done=t.done, of=t.of)
            for t in self.tickets()
        )


class JobProgress(Progress):
    """The progress of one job: lines go to the worker's output, the count of processes to its ticket.

    With `may_stop` a line is also a place to stop at: compression has no gaps of its own.
    """

    def __init__(self, say: Say, ticket: Ticket, *, may_stop: bool) -> None:
        super().__init__(quiet=True, live=False)
        self._say, self._ticket, self._may_stop = say, ticket, may_stop

    def say(self, line: str) -> None:
        """One line about what happens now. Raises Interrupted where the job is to stop and may."""
        self._say(f"{self._ticket.job.run_id}: {line}")
        if self._may_stop and self._ticket.stop.is_set():
            raise Interrupted("stopped")

    def bar(self, subject: str, done: int, of: int) -> None:
        """`done` of `of` processes of a board are through."""
        self._ticket.done, self._ticket.of = done, of
        super().bar(subject, done, of)
