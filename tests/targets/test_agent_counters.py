"""Hardware events: what is counted whole is given, all else has a reason."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hilbench.harness.collect import trial_from_event
from hilbench.targets.agent.perf_event import refusal
from hilbench.targets.agent.pmu import NAMES, EventGroup, count_groups, unavailable, whole_count

from .agent_jobs import cell, job, of_kind, run_job, stored


@pytest.mark.parametrize(
    ("after", "count"),
    [((150, 30, 30), 50), ((150, 30, 20), None), ((100, 30, 10), None), ((100, 10, 10), None)],
)
def test_event_counted_part_of_the_time_is_not_scaled_up(after: tuple[int, int, int], count: int | None) -> None:
    assert whole_count((100, 10, 10), after) == count


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "this account may not count events (kernel.perf_event_paranoid is 4)"),
        (errno.ENOENT, "this processor's PMU does not give it"),
        (errno.ENOSYS, "the kernel has no performance events"),
        (errno.EMFILE, "the kernel refuses to count it: Too many open files"),
    ],
)
def test_refusal_of_the_kernel_is_a_reason(tmp_path: Path, number: int, says: str) -> None:
    paranoid = tmp_path / "paranoid"
    paranoid.write_text("4\n")
    assert refusal(OSError(number, os.strerror(number)), paranoid) == says


class Group:
    """Events of which the PMU has counters for some only."""

    def __init__(self, counts: dict[str, int], *lost: str, **refused: str) -> None:
        self.counts, self.names, self.refused = counts, (*counts, *lost), refused

    def count(self, run: Callable[[], None]) -> dict[str, int]:
        run()
        return self.counts


def as_groups(*groups: Group) -> list[EventGroup]:
    return cast("list[EventGroup]", list(groups))


def test_event_that_its_group_had_no_counter_for_is_counted_alone() -> None:
    passes: list[int] = []
    group, alone = Group({"instructions": 7}, "cycles"), [Group({"instructions": 8}), Group({"cycles": 9})]
    counted = count_groups(as_groups(group)[0], as_groups(*alone), lambda: passes.append(1))
    assert counted == {"instructions": 7, "cycles": 9}
    assert len(passes) == 2


def test_reason_is_that_of_the_last_try() -> None:
    group = Group({"instructions": 7}, "branch_misses", cycles="the group is full", cache_misses="no")
    alone = [Group({"cycles": 4}), Group({}, cache_misses="no such event"), Group({}, "branch_misses")]
    reasons = unavailable(NAMES, {"instructions": 7, "cycles": 4}, as_groups(group, *alone))
    assert reasons == {
        "cache_misses": "no such event",
        "branch_misses": "the PMU counted it only part of the time, as it has too few free counters",
    }


@pytest.mark.parametrize("threads", [1, 2])
def test_counters_are_counts_or_reasons_on_this_machine(tmp_path: Path, threads: int) -> None:
    once = {"check": False, "memory": False, "counters": True, "threads": threads}
    events = run_job(tmp_path, job(cell("a", tmp_path, **once), blocks=0, iterations=50))
    (event,) = of_kind(events, "trial", kind="counters")
    counters: dict[str, Any] = event["counters"]
    assert counters["iterations"] == 50
    for name in NAMES:
        assert (counters[name] is None) == (name in counters["unavailable"])
        assert counters[name] is None or counters[name] > 50
    trial = trial_from_event(event)
    assert trial.counters is not None
    assert stored(trial).counters == trial.counters
