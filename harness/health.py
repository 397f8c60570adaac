"""Whether a board is fit for a job: what it says of itself now, judged. `ready.py` asks and acts.

Facts have the names and the units of `targets/vitals.py`. What a board does not tell is None and is not judged: a board
without a thermal sensor is not at 0 °C. Whether its runtimes can be used is asked where they are provided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..targets.cachelimit import CacheFile
from ..targets.transfer import megabytes

Facts = Mapping[str, Any]

# Beside what is sent: the agent, its journal, and the board's own logs.
SPARE_DISK_BYTES = 32_000_000
# An interpreter with its runtime, and a model beside what the runtime makes of it.
SPARE_MEMORY_BYTES = 64_000_000
MODEL_COPIES = 2
# Most boards slow themselves down from 80 to 85 °C; at 95 °C before any work their cooling is broken.
HOT_C = 80.0
CRITICAL_C = 95.0
_SENSOR_RANGE_C = (-40.0, 150.0)  # outside of it a sensor is broken or absent
# Others use the board heavily: half of its cores over the last minute, and still now.
BUSY_SHARE = 0.5
CLOCK_OFF_S = 300.0


class Action(StrEnum):
    """What a problem asks for.

    `note`: it is told, and the job goes on. `wait`: it may pass by itself; the job waits for a bounded time and then
    goes on, and that is told. `skip`: not this job now, through no fault of the board. `refuse`: not this job now, and
    it counts as a failure of the board.
    """

    NOTE = "note"
    WAIT = "wait"
    SKIP = "skip"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: what (`disk`, `memory`, `temperature`, `load`, `clock`), what to do, one sentence."""

    what: str
    action: Action
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a job needs of a board beyond the spare room. `timed` is False where only instructions are counted.

    `removable_bytes` lie in the board's cache and make room when files are sent.
    """

    sent_bytes: int = 0
    removable_bytes: int = 0
    model_bytes: int = 0
    timed: bool = True


def needs_of(cache: Sequence[CacheFile], files: Mapping[str, Path], *, model_bytes: int, timed: bool) -> Needs:
    """What a job needs that takes `files` (sha256 -> path here) to a board with this cache. Looks at their sizes."""
    names = {f"{sha256}{path.suffix}": path for sha256, path in files.items()}
    there = {file.name: file.size_bytes for file in cache}
    sizes = {name: path.stat().st_size if path.exists() else 0 for name, path in names.items()}
    return Needs(
        sent_bytes=sum(size for name, size in sizes.items() if there.get(name) != size),
        removable_bytes=sum(file.size_bytes for file in cache if file.removable and file.name not in names),
        model_bytes=model_bytes,
        timed=timed,
    )


def problems(board: str, facts: Facts, needs: Needs, *, clock_s: float) -> tuple[Problem, ...]:
    """Everything that is wrong with a board for a job. `clock_s` is this machine's clock when the board was asked."""
    found = (
        _disk(board, facts.get("workdir_free_bytes"), needs),
        _memory(board, (facts.get("memory") or {}).get("available_bytes"), needs.model_bytes),
        _temperature(board, facts.get("temperatures_c")) if needs.timed else None,
        _load(board, facts) if needs.timed else None,
        _clock(board, facts.get("clock_s"), clock_s),
    )
    return tuple(problem for problem in found if problem is not None)


def _disk(board: str, free_bytes: int | None, needs: Needs) -> Problem | None:
    needed = needs.sent_bytes + SPARE_DISK_BYTES
    if free_bytes is None or free_bytes + needs.removable_bytes >= needed:
        return None
    sent = f"{megabytes(needs.sent_bytes)} to send and " if needs.sent_bytes else ""
    sentence = (
        f"{board} has {megabytes(free_bytes)} of free disk where hilbench works and needs {megabytes(needed)} "
        f"({sent}{megabytes(SPARE_DISK_BYTES)} to spare); `hilbench board clean {board}` removes what is ours there"
    )
    return Problem(what="disk", action=Action.REFUSE, sentence=sentence)


def _memory(board: str, available_bytes: int | None, model_bytes: int) -> Problem | None:
    needed = SPARE_MEMORY_BYTES + MODEL_COPIES * model_bytes
    if available_bytes is None or available_bytes >= needed:
        return None
    sentence = (
        f"{board} has {megabytes(available_bytes)} of memory available and needs {megabytes(needed)} "
        f"({MODEL_COPIES} times the largest model and {megabytes(SPARE_MEMORY_BYTES)}); end what else runs there"
    )
    return Problem(what="memory", action=Action.SKIP, sentence=sentence)


def _temperature(board: str, zones: Mapping[str, float] | None) -> Problem | None:
    low, high = _SENSOR_RANGE_C
    honest = {name: value for name, value in (zones or {}).items() if low < value < high}
    if not honest:
        return None
    zone, hottest_c = max(honest.items(), key=lambda item: item[1])
    if hottest_c < HOT_C:
        return None
    sentence = f"{board} is at {hottest_c:.0f} °C ({zone}) before any work; boards slow down from {HOT_C:.0f} °C"
    if hottest_c < CRITICAL_C:
        return Problem(what="temperature", action=Action.WAIT, sentence=sentence)
    return Problem(what="temperature", action=Action.REFUSE, sentence=f"{sentence}: look at its cooling")


def _load(board: str, facts: Facts) -> Problem | None:
    """Only where both say so: the average over a minute still holds what we did there ourselves just now."""
    load, running, cores = facts.get("load"), facts.get("running"), facts.get("cores")
    if not load or running is None or not cores:
        return None
    others = running - 1  # one is the shell that looked
    if load[0] < BUSY_SHARE * cores or others < max(1.0, BUSY_SHARE * cores):
        return None
    sentence = (
        f"{board} is used by others: {others} of their threads run on {cores} cores, "
        f"and the load over the last minute was {load[0]:.1f}"
    )
    return Problem(what="load", action=Action.WAIT, sentence=sentence)


def _clock(board: str, board_s: float | None, here_s: float) -> Problem | None:
    if board_s is None or abs(board_s - here_s) < CLOCK_OFF_S:
        return None
    off_s = board_s - here_s
    direction = "ahead" if off_s > 0 else "behind"
    sentence = (
        f"the clock of {board} is {_long(abs(off_s))} {direction}; nothing here depends on it, as leases and "
        "measurements use the board's uptime"
    )
    return Problem(what="clock", action=Action.NOTE, sentence=sentence)


def _long(duration_s: float) -> str:
    for unit, seconds in (("years", 365.25 * 86400), ("days", 86400.0), ("hours", 3600.0)):
        if duration_s >= 2 * seconds:
            return f"{duration_s / seconds:.0f} {unit}"
    return f"{duration_s / 60:.0f} minutes"
