"""The memory process: peaks of resident memory by phase, in a process that is not timed.

Interface: writing 5 to /proc/self/clear_refs resets the peak (Linux 4.0, CONFIG_PROC_PAGE_MONITOR); the peak is VmHWM
of /proc/self/status. The split is taken from /proc/self/smaps_rollup (Linux 4.14): anonymous pages, and the rest of the
resident set, which is file-backed or shared memory. Both are proc_pid_status(5) and proc_pid_smaps(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from .cgroup import PeakGroup
from .phase import enter_phase
from .tasks import Task, feeds, first_inference, guarded, load, read_inputs

_PROC = Path("/proc/self")
_RESET_PEAK = "5"

Split = dict[str, "int | None"]


class PeakMemory:
    """The peak of this process since the last reset. `resets` says whether the kernel lets us reset it."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc
        self.refused: str | None = None
        self.resets = self._reset()
        self._highest_bytes = 0

    def phase_bytes(self) -> int | None:
        """The peak of the phase that ends now.

        Without a reset the kernel gives one peak for the whole life: a phase that stayed below an earlier one cannot
        be told, and is None.
        """
        peak_bytes = _kib_field(self._proc / "status", "VmHWM")
        if peak_bytes is None:
            return None
        if self.resets:
            return peak_bytes
        risen = peak_bytes > self._highest_bytes
        self._highest_bytes = max(self._highest_bytes, peak_bytes)
        return peak_bytes if risen else None

    def phase_begins(self) -> None:
        """Begin the next phase, whose peak counts from here."""
        if self.resets:
            self._reset()

    def _reset(self) -> bool:
        try:
            (self._proc / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
        except OSError as error:
            self.refused = error.strerror or "refused"
            return False
        return True


def measure_memory(task: Task, module: ModuleType) -> dict[str, Any]:
    """Peaks of load, first inference and `iterations` more; `baseline` has runtime and inputs, but no model.

    Returns `memory` with the fields of MemoryPhases (absolute bytes; None = not available) and `used`. The split is
    read after each phase's peak, so that reading it belongs to no phase.
    """
    path, runtime_bytes = str(task.cell["timing"]), _kib_field(_PROC / "status", "VmRSS")
    arrays = read_inputs(path)
    peak, splits, group = PeakMemory(), dict[str, Split](), PeakGroup()

    def phase_ends(name: str) -> int | None:
        peak_bytes = peak.phase_bytes()
        splits[name] = resident_split(_PROC)
        peak.phase_begins()
        return peak_bytes

    baseline_bytes = phase_ends("baseline")
    group.enter()
    try:
        model = load(task, module)
        load_bytes = phase_ends("load")
        samples = feeds(arrays, model, path)
        guarded(first_inference(model, samples[0]), "in its first inference")
        first_bytes = phase_ends("first")
        enter_phase("steady")
        for index in range(task.iterations):
            guarded(model.bind(samples[index % len(samples)]), "in its steady inferences")
        steady_bytes = phase_ends("steady")
        cgroup_bytes = group.peak_bytes()
    finally:
        group.leave()
    used = model.used()
    memory = {
        "runtime_bytes": runtime_bytes,
        "baseline_bytes": baseline_bytes,
        "load_peak_bytes": load_bytes,
        "first_peak_bytes": first_bytes,
        "steady_peak_bytes": steady_bytes,
        **splits["steady"],
        "cgroup_peak_bytes": cgroup_bytes,
        "splits": splits,
        "model_bytes": _size(str(task.cell["model"])),
        "model_mapped": is_mapped(_PROC, str(task.cell["model"])),
        "settings": {**used.get("memory_settings", {}), "malloc_arena_max": os.environ.get("MALLOC_ARENA_MAX")},
        "method": "clear_refs" if peak.resets else "VmHWM without reset",
    }
    return {"memory": {**memory, "unavailable": _unavailable(memory, peak, group)}, "used": used}


def resident_split(proc: Path) -> Split:
    """Resident memory now, by kind: the fields of MemoryPhases from `anon_bytes` on, None without a smaps_rollup.

    `anon_bytes` and `file_bytes` are of the resident set and not of the proportional one, which would halve what a
    forked child shares with its parent; `pss_bytes` is the proportional one.
    """
    rollup = _kib_fields(proc / "smaps_rollup")
    rss_bytes, anon_bytes = rollup.get("Rss"), rollup.get("Anonymous")
    private = (rollup.get("Private_Clean"), rollup.get("Private_Dirty"))
    return {
        "anon_bytes": anon_bytes,
        "file_bytes": None if rss_bytes is None or anon_bytes is None else rss_bytes - anon_bytes,
        "pss_bytes": rollup.get("Pss"),
        "private_bytes": None if private[0] is None or private[1] is None else private[0] + private[1],
        "swap_bytes": rollup.get("Swap"),
    }


def is_mapped(proc: Path, model: str) -> bool | None:
    """Whether the model's file is mapped into this process: then its weights are file-backed; None = cannot be told."""
    try:
        maps = (proc / "maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return any(line.endswith(f" {os.path.realpath(model)}") for line in maps.splitlines())


def _unavailable(memory: Mapping[str, Any], peak: PeakMemory, group: PeakGroup) -> dict[str, str]:
    """Why what is None could not be had."""
    reasons: dict[str, str] = {}
    if not peak.resets:
        why = f"the kernel does not let this account reset the peak ({peak.refused}): a phase below an earlier peak"
        for name in ("load_peak_bytes", "first_peak_bytes", "steady_peak_bytes"):
            if memory[name] is None:
                reasons[name] = f"{why} cannot be told"
    if memory["pss_bytes"] is None:
        why = "the kernel gives no /proc/self/smaps_rollup, which came with Linux 4.14"
        reasons |= {name: why for name in memory["splits"]["steady"] if memory[name] is None}
    if memory["cgroup_peak_bytes"] is None:
        reasons["cgroup_peak_bytes"] = group.reason or "memory.peak could not be read"
    missing = (name for name, value in memory.items() if value is None and name not in reasons)
    return {**reasons, **dict.fromkeys(missing, "it could not be read on this board")}


def _size(model: str) -> int | None:
    try:
        return Path(model).stat().st_size
    except OSError:
        return None


def _kib_fields(path: Path) -> dict[str, int]:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def _kib_field(path: Path, name: str) -> int | None:
    return _kib_fields(path).get(name)
