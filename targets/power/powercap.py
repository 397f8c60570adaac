"""The energy counter of a processor's package (Intel RAPL and its kin) in /sys/class/powercap: E5, rare on ARM.

    meters:
      - {kind: powercap}

Interface: Documentation/power/powercap/powercap.rst of Linux: `energy_uj` counts up and starts again at
`max_energy_range_uj`; since Linux 5.10 only root may read it. Memory, disks, network and power supply are not in it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from .channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from .meter import MeterError

_STALE_AFTER_S = 1.0
_ASSUMED = Accuracy(gain=0.1, offset_w=0.5, resolution=61e-6, source="not stated by the maker: 10 % and 0.5 W assumed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A package's counter; `wrap_j` is where it starts again."""

    name: str
    path: str
    wrap_j: float


def listing_command(sysfs: str = "/sys") -> str:
    """The command that prints all zones as `path:value` lines; counters that this account may not read are left out."""
    files = "*/name */max_energy_range_uj */energy_uj"
    return f"cd {shlex.quote(sysfs)}/class/powercap 2>/dev/null && grep -s . {files} /dev/null; :"


def parse_listing(text: str, sysfs: str = "/sys") -> list[Zone]:
    """The packages of a listing. Raises MeterError where there are some that this account may not read.

    Parts of a package (core, uncore, dram) are in it already; a second interface to it (mmio) is the same counter.
    """
    zones: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        match = re.match(r"([^/]+:\d+)/([^:/]+):(.*)$", line)
        if match is not None and "mmio" not in match[1] and match[1].count(":") == 1:
            zones.setdefault(match[1], {})[match[2]] = match[3].strip()
    packages = {zone: files for zone, files in zones.items() if files.get("name", "").startswith("package")}
    readable = [
        Zone(
            name=files["name"],
            path=f"{sysfs}/class/powercap/{zone}/energy_uj",
            wrap_j=int(files["max_energy_range_uj"]) / 1e6,
        )
        for zone, files in sorted(packages.items())
        if "energy_uj" in files and "max_energy_range_uj" in files
    ]
    if packages and not readable:
        raise MeterError("the energy counter of this board's processor may be read by root only")
    return readable


def choose_zone(zones: Sequence[Zone], wanted: str | None) -> Zone:
    """The package that was asked for, or the only one. Raises MeterError with the names to choose from."""
    if not zones:
        raise MeterError("no energy counter in /sys/class/powercap of this board")
    names = ", ".join(zone.name for zone in zones)
    found = [zone for zone in zones if wanted in (None, zone.name)]
    if not found:
        raise MeterError(f'this board has no energy counter "{wanted}"; it has {names}')
    if len(found) > 1:
        raise MeterError(f"this board has several processors: name one of {names}")
    return found[0]


def channel_of(zone: Zone, poll_s: float, accuracy: Accuracy | None = None) -> Channel:
    """What the counter's readings are."""
    return Channel(
        meter="powercap",
        site=zone.name,
        sampling=Sampling.ACCUMULATING,
        accuracy=accuracy or _ASSUMED,
        clock=ClockDomain.BOARD,
        scope=Scope.PACKAGE,
        meter_class=MeterClass.E5,
        interval_s=poll_s,
        stale_after_s=max(_STALE_AFTER_S, 20 * poll_s),
        wrap=zone.wrap_j,
    )


def source_of(zone: Zone) -> dict[str, object]:
    """The counter as the on-board sampler reads it."""
    return {"kind": "files", "channels": [{"paths": [zone.path], "factor": 1e-6}]}
