"""The board's state around a process: load, temperature, frequency, throttling. What cannot be read is None."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

_CPUFREQ = "sys/devices/system/cpu/cpu[0-9]*/cpufreq"
_PI_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


def read_state(root: Path = Path("/")) -> dict[str, Any]:
    """Read the state from /proc and /sys below `root`.

    Keys: `loadavg` (1, 5 and 15 min), `runnable` (threads), `steal_ticks` and `oom_kills` (since boot),
    `available_bytes`, `temperature_c` {zone: °C}, `cpu_freq_khz` [per cpu], `governor` [per cpu], `pi_throttled` (the
    firmware's bits: 0-3 now, 16-19 since boot), `thermal_throttles` (events since boot, all cpus). None = not known.
    """
    load = _text(root / "proc/loadavg")
    return {
        "loadavg": [float(part) for part in load.split()[:3]] if load else None,
        "runnable": int(load.split()[3].partition("/")[0]) if load else None,
        "steal_ticks": _steal_ticks(root),
        "oom_kills": read_oom_kills(root),
        "available_bytes": _available_bytes(root),
        "temperature_c": _temperatures(root),
        "cpu_freq_khz": _per_cpu(root, "scaling_cur_freq", number=True),
        "governor": _per_cpu(root, "scaling_governor", number=False),
        "pi_throttled": _pi_throttled(root),
        "thermal_throttles": _thermal_throttles(root),
    }


def read_oom_kills(root: Path = Path("/")) -> int | None:
    """Processes ended by the out-of-memory killer since boot (`oom_kill` of /proc/vmstat, Linux 4.13)."""
    return _field(root / "proc/vmstat", r"^oom_kill (\d+)$")


def board_now() -> str:
    """The board's own UTC time, ISO 8601; only for people: boards without a clock chip are wrong."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _text(path: Path) -> str | None:
    # Sensors go away or refuse (EIO, ENODATA) while they are read: that is a missing value, not an error.
    try:
        return path.read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None


def _field(path: Path, pattern: str) -> int | None:
    found = re.search(pattern, _text(path) or "", re.MULTILINE)
    return int(found.group(1)) if found else None


def _steal_ticks(root: Path) -> int | None:
    return _field(root / "proc/stat", r"^cpu +(?:\d+ +){7}(\d+)")


def _available_bytes(root: Path) -> int | None:
    kib = _field(root / "proc/meminfo", r"^MemAvailable: +(\d+) kB$")
    return None if kib is None else kib * 1024


def _temperatures(root: Path) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone[0-9]*")):
        value = _text(zone / "temp")
        if value and re.fullmatch(r"-?\d+", value):
            found[f"{zone.name}:{_text(zone / 'type') or 'unknown'}"] = int(value) / 1000
    return found or None


def _per_cpu(root: Path, name: str, *, number: bool) -> list[int] | list[str] | None:
    texts = [text for folder in sorted(root.glob(_CPUFREQ), key=_cpu_number) if (text := _text(folder / name))]
    if not texts:
        return None
    return [int(text) for text in texts if text.isdigit()] if number else texts


def _cpu_number(folder: Path) -> int:
    return int(folder.parent.name[len("cpu") :])


def _pi_throttled(root: Path) -> int | None:
    text = _text(root / _PI_THROTTLED)
    try:
        return int(text, 16) if text else None
    except ValueError:
        return None


def _thermal_throttles(root: Path) -> int | None:
    paths = list(root.glob("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count"))
    counts = [int(text) for path in paths if (text := _text(path)) and text.isdigit()]
    return sum(counts) if counts else None
