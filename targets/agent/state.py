"""The board's state around a process: load, temperature, frequency, throttling, swap. What cannot be read is None."""

from __future__ import annotations

import os
import re
import resource
import time
from pathlib import Path
from typing import Any

_CPUFREQ = "sys/devices/system/cpu/cpu[0-9]*/cpufreq"
_PI_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


def read_state(root: Path = Path("/")) -> dict[str, Any]:
    """Read the state from /proc and /sys below `root`.

    Keys: `loadavg` (1, 5 and 15 min), `runnable` (threads), `steal_ticks`, `busy_ticks` (of all processors) and
    `oom_kills` (since boot), `available_bytes`, `swap_used_bytes`, `swapped_pages` (in and out since boot),
    `temperature_c` {zone: °C}, per processor `cpu_freq_khz`, `cpu_freq_min_khz`, `cpu_freq_max_khz` (the limits set)
    and `governor`, `boost` (0 or 1), `online` (such as `0-3`), `cooling` {device: state, above 0 = it holds something
    back}, `pi_throttled` (the firmware's bits: 0-3 now, 16-19 since boot), `thermal_throttles` (events since boot, all
    cpus), `over_current_events` {counter: events since boot} and `power_mode` of a Jetson. None = not known.

    `clock` is when this was read (`monotonic_ns`), how much processor time the agent and its ended processes had used
    (`own_cpu_ns`), and `ticks_per_s`.
    """
    load = _text(root / "proc/loadavg")
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "loadavg": [float(part) for part in load.split()[:3]] if load else None,
        "runnable": int(load.split()[3].partition("/")[0]) if load else None,
        "steal_ticks": _steal_ticks(root),
        "busy_ticks": _busy_ticks(root),
        "oom_kills": read_oom_kills(root),
        "available_bytes": _available_bytes(root),
        "swap_used_bytes": _swap_used_bytes(root),
        "swapped_pages": _sum_of(root / "proc/vmstat", "pswpin", "pswpout"),
        "temperature_c": temperatures(root),
        "cpu_freq_khz": _per_cpu(root, "scaling_cur_freq", number=True),
        "cpu_freq_min_khz": _per_cpu(root, "scaling_min_freq", number=True),
        "cpu_freq_max_khz": _per_cpu(root, "scaling_max_freq", number=True),
        "governor": _per_cpu(root, "scaling_governor", number=False),
        "boost": _number(root / "sys/devices/system/cpu/cpufreq/boost"),
        "online": _text(root / "sys/devices/system/cpu/online"),
        "cooling": _cooling(root),
        "pi_throttled": _pi_throttled(root),
        "thermal_throttles": _thermal_throttles(root),
        "over_current_events": _over_current_events(root),
        "power_mode": _power_mode(root),
        "clock": {
            "monotonic_ns": time.monotonic_ns(),
            "own_cpu_ns": sum(round(1e9 * (one.ru_utime + one.ru_stime)) for one in usage),
            "ticks_per_s": os.sysconf("SC_CLK_TCK"),
        },
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


def _busy_ticks(root: Path) -> int | None:
    """user, nice, system, irq and softirq of all processors; idle, iowait and steal are nobody's work."""
    found = re.search(r"^cpu +(\d+) (\d+) (\d+) \d+ \d+ (\d+) (\d+)", _text(root / "proc/stat") or "", re.MULTILINE)
    return None if found is None else sum(int(part) for part in found.groups())


def _swap_used_bytes(root: Path) -> int | None:
    kib = [_field(root / "proc/meminfo", rf"^{name}: +(\d+) kB$") for name in ("SwapTotal", "SwapFree")]
    return None if kib[0] is None or kib[1] is None else (kib[0] - kib[1]) * 1024


def _sum_of(path: Path, *names: str) -> int | None:
    found = [_field(path, rf"^{name} (\d+)$") for name in names]
    return sum(one for one in found if one is not None) if None not in found else None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.isdigit() else None


def _cooling(root: Path) -> dict[str, int] | None:
    """Cooling devices that hold a clock back, as thermal governors use them; fans are left out, they cost no speed."""
    found: dict[str, int] = {}
    for device in sorted(root.glob("sys/class/thermal/cooling_device[0-9]*")):
        kind, state = _text(device / "type") or "unknown", _number(device / "cur_state")
        if state is not None and "fan" not in kind.lower():
            found[f"{device.name}:{kind}"] = state
    return found or None


def _over_current_events(root: Path) -> dict[str, int] | None:
    """NVIDIA Jetson's counters of over-current throttling, one for each limit (hwmon `oc*_event_cnt`)."""
    paths = sorted(root.glob("sys/class/hwmon/hwmon[0-9]*/oc[0-9]*_event_cnt"))
    found = {path.name: count for path in paths if (count := _number(path)) is not None}
    return found or None


def _power_mode(root: Path) -> str | None:
    """The mode that nvpmodel has set on a Jetson, which decides about clocks and cores."""
    text = _text(root / "var/lib/nvpmodel/status") or ""
    found = re.search(r"pmode:(\S+)", text)
    return None if found is None else found.group(1)


def _available_bytes(root: Path) -> int | None:
    kib = _field(root / "proc/meminfo", r"^MemAvailable: +(\d+) kB$")
    return None if kib is None else kib * 1024


def temperatures(root: Path) -> dict[str, float] | None:
    """Every thermal zone in °C by `zone:type`; None where the board has none that can be read."""
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
