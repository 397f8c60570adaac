"""What a board's agent gives goes into the store only while this run is known to have the board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..targets.agent.job import Job
from ..targets.errors import TransientTargetError
from ..targets.lease import Lease, LeaseLostError
from .errors import FencedError

Event = Mapping[str, Any]
MARGIN_S = 60.0
PROFILE_EVENTS = ("tuning", "restored")
_MOST_GRACE_S = 30.0


def grace_s(process_timeout_s: float) -> float:
    """The silence that `watch` grants beyond a process's own limit."""
    return min(_MOST_GRACE_S, process_timeout_s / 10)


def window_s(job: Job) -> float:
    """The longest time between two gaps of a job."""
    return job.process_timeout_s + job.gap_s + grace_s(job.process_timeout_s)


def lease_ttl_s(process_timeout_s: float) -> float:
    """How long a lease lasts unless it is renewed: longer than the longest window, so that gaps are enough for it.

    With this margin it is renewed about once a minute, however short the windows are.
    """
    return process_timeout_s + grace_s(process_timeout_s) + MARGIN_S


class Intake:
    """Takes the events of a job in order and stores them once the lease is confirmed.

    A controller that was stopped, or cut off from its board, may come back after its time: then the board is asked
    before anything is stored. Events wait here while it cannot be asked. Without a lease (an emulated board, whose
    machine belongs to this process) nothing has to be confirmed.
    """

    def __init__(
        self, lease: Lease | None, job: Job, store: Callable[[Event], None], say: Callable[[str], None]
    ) -> None:
        self._lease, self._window_s = lease, window_s(job)
        self._store, self._say = store, say
        self._waiting: list[Event] = []
        self._refused = 0

    def take(self, event: Event) -> None:
        """One event of the journal. Raises LeaseLostError: nothing of what waits is stored."""
        if event["event"] in ("trial", "check", "failed", *PROFILE_EVENTS):
            self._waiting.append(event)
        try:
            if self._lease is not None and event["event"] == "gap":
                self._lease.keep(self._window_s)
            self.flush()
        except LeaseLostError:
            self._waiting.clear()
            raise
        except TransientTargetError:
            return  # the watching finds the connection again; what waits is stored then

    def flush(self) -> None:
        """Store what waits. Raises LeaseLostError, and TransientTargetError where the board cannot be asked."""
        if self._lease is not None and self._waiting:
            self._lease.confirm()
        while self._waiting:
            try:
                self._store(self._waiting[0])
            except FencedError as error:
                self._refused += 1
                if self._refused == 1:
                    self._say(f"late results are refused and measured again: {error}")
            self._waiting.pop(0)
