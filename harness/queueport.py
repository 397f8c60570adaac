"""What the harness asks of a durable queue, whichever engine keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from .job import Follow, Job, Listed, Perform, Schedule

POLL_S = 1.0
Tick = Callable[[str, Mapping[str, Any]], object]
"""Called with the moment of a schedule's tick and with what the schedule keeps."""


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
