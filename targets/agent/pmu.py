"""The counters process: hardware events of whole inferences, in a pass of its own that is never timed.

All events of a pass are one group: the kernel counts them together or not at all, so they describe the same
instructions. An event that was not counted all the time (the PMU has too few counters, or something else uses one) is
counted again alone; what even then was counted only part of the time is not given, as a scaled figure is a guess.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

from .phase import enter_phase
from .tasks import Task, feeds, first_inference, guarded, load, read_inputs

NAMES = ("instructions", "cycles", "cache_misses", "branch_misses")
_ENABLE, _DISABLE, _GROUP = 0x2400, 0x2401, 1  # PERF_EVENT_IOC_*, PERF_IOC_FLAG_GROUP
_READ = struct.Struct("=QQQ")  # count, time enabled, time running
_EMULATED = "an emulated processor has no caches, pipeline or predictor to count"
_PARTLY = "the PMU counted it only part of the time, as it has too few free counters"

Pass = Callable[[], None]


def measure_counters(task: Task, module: ModuleType) -> dict[str, Any]:
    """Count `iterations` inferences after the warm-up, user mode, all threads.

    Returns `counters` with the fields of Counters (totals over the iterations; None = `unavailable` says why), `used`.
    """
    path = str(task.cell["timing"])
    arrays = read_inputs(path)
    wanted = NAMES[:1] if task.emulated else NAMES
    group = EventGroup(wanted, inherit=int(task.cell["threads"]) > 1)
    alone = [EventGroup((name,), inherit=group.inherit) for name in wanted] if len(wanted) > 1 else []
    model = load(task, module)
    samples = feeds(arrays, model, path)
    guarded(first_inference(model, samples[0]), "in its first inference")

    def run(number: int) -> None:
        for index in range(number):
            model.bind(samples[index % len(samples)])()

    enter_phase("warmup")
    guarded(lambda: run(task.warmup_iterations), "while it warmed up")
    enter_phase("steady")
    counted = guarded(lambda: count_groups(group, alone, lambda: run(task.iterations)), "in its steady inferences")
    reasons = unavailable(wanted, counted, [group, *alone])
    counters = {"iterations": task.iterations, **{name: counted.get(name) for name in NAMES}, "unavailable": reasons}
    return {"counters": counters, "used": model.used()}


def unavailable(wanted: Sequence[str], counted: Mapping[str, int], groups: Sequence[EventGroup]) -> dict[str, str]:
    """Why each event that was not counted was not. A refusal in a group may be the group's; what counts is the last."""
    reasons: dict[str, str] = {}
    for name in NAMES:
        if name not in wanted:
            reasons[name] = _EMULATED
        elif name not in counted:
            last = next(group for group in reversed(groups) if name in group.names or name in group.refused)
            reasons[name] = last.refused.get(name, _PARTLY)
    return reasons


def count_groups(group: EventGroup, alone: Sequence[EventGroup], run: Pass) -> dict[str, int]:
    """Count a group in one pass, then each event that it did not count all the time in a pass of its own."""
    counted = group.count(run)
    for single in alone:
        if set(single.names) - set(counted):
            counted |= single.count(run)
    return counted


class EventGroup:
    """Open events that run together. `names` are those that opened, `refused` says why the others did not."""

    def __init__(self, names: Sequence[str], *, inherit: bool) -> None:
        from .perf_event import WITH_TIMES, open_event, refusal

        self.inherit = inherit
        self.refused: dict[str, str] = {}
        self._fds: dict[str, int] = {}
        for name in names:
            leader = next(iter(self._fds.values()), None)
            try:
                fd = open_event(name, inherit=inherit, read_format=WITH_TIMES, leader=leader, disabled=leader is None)
            except OSError as error:
                self.refused[name] = refusal(error)
            else:
                self._fds[name] = fd
        self.names = tuple(self._fds)

    def count(self, run: Pass) -> dict[str, int]:
        """The counts over one pass, of the events that were counted all the time of it."""
        if not self._fds:
            return {}
        before = {name: _read(fd) for name, fd in self._fds.items()}
        self._control(_ENABLE)
        try:
            run()
        finally:
            self._control(_DISABLE)
        after = {name: _read(fd) for name, fd in self._fds.items()}
        return {name: count for name in self._fds if (count := whole_count(before[name], after[name])) is not None}

    def _control(self, request: int) -> None:
        import fcntl

        with suppress(OSError):
            fcntl.ioctl(next(iter(self._fds.values())), request, _GROUP)


def whole_count(before: tuple[int, int, int], after: tuple[int, int, int]) -> int | None:
    """The events between two reads (count, time enabled, time running); None unless they were counted all the time."""
    count, enabled, running = (later - earlier for earlier, later in zip(before, after, strict=True))
    return count if enabled > 0 and running == enabled else None


def _read(fd: int) -> tuple[int, int, int]:
    count, enabled, running = _READ.unpack(os.read(fd, _READ.size))
    return count, enabled, running
