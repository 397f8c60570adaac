"""A job of the queue: plain data that the engine keeps, and what a worker is asked to do with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

COMPRESS, MEASURE = "compress", "measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to do. `number` counts how often it was put into the queue, `tries` its failures so far.

    `partition` names the machine: of the jobs of one partition the engine lets one run at a time. `rank` is the order,
    lower first.
    """

    kind: str
    run_id: str
    rank: int
    board: str | None = None
    partition: str | None = None
    round: int = 1
    number: int = 1
    tries: int = 0

    @property
    def job_id(self) -> str:
        """The same job has the same id: to put it in twice is to put it in once."""
        subject = f":{self.board}" if self.board else ""
        return f"{self.kind}:{self.run_id}{subject}:{self.round}.{self.number}"

    def again(self, *, failed: bool = False) -> Job:
        """The same, to be put into the queue once more."""
        return replace(self, number=self.number + 1, tries=self.tries + failed)

    def to_plain(self) -> dict[str, Any]:
        """For the engine's database."""
        return asdict(self)


def job_from_plain(plain: Mapping[str, Any]) -> Job:
    """The job as `to_plain` wrote it; keys that this version does not know are left out."""
    return Job(**{key: value for key, value in plain.items() if key in Job.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """A job to put into the queue, not to be started before a moment (seconds since 1970) if one is given."""

    job: Job
    not_before: float | None = None


Perform = Callable[[Job], Sequence[Follow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A job that is in the queue. `state`: `running`, `waiting` or `delayed` (until `not_before`)."""

    job: Job
    state: str
    worker: str | None
    since: float
    not_before: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A plan that is submitted by the clock. `what` is plain data for the one who submits."""

    name: str
    cron: str
    zone: str
    what: Mapping[str, Any]
    last_tick: str | None = None
