"""What the profile `controlled` sets on a board: one governor, one frequency, no boost, one cluster of processors.

Interface: the kernel's cpufreq policies below /sys/devices/system/cpu/cpufreq (admin-guide/pm/cpufreq). A limit may
never cross the other one, so the writes come in an order in which none does: the upper limit to the hardware's, then
the lower one, then the upper one. `root` stands for `/`, so that a tree of files can stand for a board.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

GOVERNOR = "performance"
_CPUS = "sys/devices/system/cpu"
_SMALLER = 0.9  # processors below this share of the fastest one's capacity or frequency are of another cluster

Write = tuple[str, str]  # path below the root, value


class TuningError(Exception):
    """The profile cannot be had on this board; the message is one clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is written, what must then be read, and what brings back the state before. `cpus` are those measured on."""

    cpus: tuple[int, ...]
    apply: tuple[Write, ...]
    wanted: Mapping[str, str]
    restore: tuple[Write, ...]
    before: Mapping[str, str]


def plan_tuning(root: Path, frequency_khz: int | None) -> Tuning:
    """Work out what `controlled` sets; changes nothing. Raises TuningError where the board cannot be controlled.

    `frequency_khz` None is the highest that the hardware gives without boost.
    """
    policies = sorted((root / _CPUS / "cpufreq").glob("policy[0-9]*"))
    if not policies:
        raise TuningError("the kernel gives no cpufreq policies, so no frequency can be set")
    cpus = fastest_cluster(root)
    mine = [policy for policy in policies if set(_numbers(policy / "affected_cpus")) & set(cpus)]
    apply: list[Write] = []
    restore: list[Write] = []
    wanted: dict[str, str] = {}
    before: dict[str, str] = {}
    boost = root / _CPUS / "cpufreq/boost"
    if boost.exists():
        was = _read(boost)
        apply.append((_below(root, boost), "0"))
        restore.append((_below(root, boost), was))
        before[_below(root, boost)], wanted[_below(root, boost)] = was, "0"
    for policy in mine:
        values, writes = _of_policy(policy, frequency_khz)
        name = _below(root, policy)
        for file, value in values.items():
            before[f"{name}/{file}"], wanted[f"{name}/{file}"] = _read(policy / file), value
        apply += [(f"{name}/{file}", value) for file, value in writes]
        restore += _back(policy, name)
    return Tuning(cpus=cpus, apply=tuple(apply), wanted=wanted, restore=tuple(restore), before=before)


def fastest_cluster(root: Path) -> tuple[int, ...]:
    """The online processors of the fastest kind, by the kernel's cpu_capacity, else by their highest frequency."""
    return clusters(root)[0]


def clusters(root: Path) -> tuple[tuple[int, ...], ...]:
    """The online processors by kind, the fastest kind first; one group where the kernel tells no difference."""
    cpus = _ranges(_read(root / _CPUS / "online", default="")) or tuple(sorted(os.sched_getaffinity(0)))
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        texts = {cpu: _read(root / _CPUS / f"cpu{cpu}" / name, default="") for cpu in cpus}
        if all(text.isdigit() for text in texts.values()):
            return _by_speed({cpu: int(text) for cpu, text in texts.items()})
    return (cpus,)


def _by_speed(speeds: Mapping[int, int]) -> tuple[tuple[int, ...], ...]:
    groups: list[tuple[int, ...]] = []
    left = dict(speeds)
    while left:
        fastest = max(left.values())
        kind = tuple(cpu for cpu, speed in left.items() if speed >= _SMALLER * fastest)
        groups.append(kind)
        left = {cpu: speed for cpu, speed in left.items() if cpu not in kind}
    return tuple(groups)


def write_all(root: Path, writes: Iterable[Write]) -> None:
    """Write the values in order. Raises TuningError at the first that the kernel refuses."""
    for path, value in writes:
        try:
            fd = os.open(root / path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)  # never made: only the kernel has them
            try:
                os.write(fd, value.encode("ascii"))
            finally:
                os.close(fd)
        except OSError as error:
            raise TuningError(f"/{path} cannot be set to {value}: {error.strerror}") from error


def check_permission(root: Path, tuning: Tuning) -> None:
    """Raise TuningError where this account may not set what a tuning sets, before anything is changed."""
    for path in tuning.wanted:
        if not os.access(root / path, os.W_OK):
            raise TuningError(f"this account may not set /{path}")


def check_all(root: Path, wanted: Mapping[str, str]) -> None:
    """Read the values back. Raises TuningError where the board has another one than was written."""
    for path, value in wanted.items():
        found = _read(root / path)
        if found != value:
            raise TuningError(f"/{path} was set to {value}, but reads {found or 'nothing'}")


def _of_policy(policy: Path, frequency_khz: int | None) -> tuple[dict[str, str], list[Write]]:
    governors = _read(policy / "scaling_available_governors").split()
    if GOVERNOR not in governors:
        raise TuningError(f"{policy.name} has no governor {GOVERNOR}; it has {', '.join(governors) or 'none'}")
    lowest, highest = (int(_read(policy / f"cpuinfo_{end}_freq")) for end in ("min", "max"))
    steps = _numbers(policy / "scaling_available_frequencies")
    chosen = max(steps, default=highest) if frequency_khz is None else frequency_khz
    if not lowest <= chosen <= highest:
        raise TuningError(f"{policy.name} cannot run at {chosen} kHz; it can from {lowest} to {highest}")
    if steps and chosen not in steps:
        allowed = ", ".join(str(step) for step in sorted(steps))
        raise TuningError(f"{policy.name} cannot run at {chosen} kHz; it can at {allowed}")
    values = {"scaling_governor": GOVERNOR, "scaling_min_freq": str(chosen), "scaling_max_freq": str(chosen)}
    return values, _ordered(GOVERNOR, str(highest), str(chosen), str(chosen))


def _back(policy: Path, name: str) -> list[Write]:
    governor, low, high = (_read(policy / f"scaling_{what}") for what in ("governor", "min_freq", "max_freq"))
    highest = _read(policy / "cpuinfo_max_freq")
    return [(f"{name}/{file}", value) for file, value in _ordered(governor, highest, low, high)]


def _ordered(governor: str, highest: str, low: str, high: str) -> list[Write]:
    limits = [("scaling_max_freq", highest), ("scaling_min_freq", low), ("scaling_max_freq", high)]
    return [("scaling_governor", governor), *limits]


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _read(path: Path, default: str | None = None) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        if default is not None:
            return default
        raise TuningError(f"{path.name} of {path.parent.name} cannot be read: {error.strerror}") from error


def _numbers(path: Path) -> list[int]:
    return [int(text) for text in _read(path, default="").split() if text.isdigit()]


def _ranges(text: str) -> tuple[int, ...]:
    """`0-2,5` -> 0, 1, 2, 5."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            found += range(int(first), int(last if last.isdigit() else first) + 1)
    return tuple(found)
