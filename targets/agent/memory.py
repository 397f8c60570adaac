"""The memory process: peaks of resident memory by phase, in a process that is not timed.

Interface: writing 5 to /proc/self/clear_refs resets the peak (Linux 4.0, CONFIG_PROC_PAGE_MONITOR); the peak is VmHWM
of /proc/self/status. The split is taken from /proc/self/smaps_rollup (Linux 4.14): anonymous pages, and the rest of the
resident set, which is file-backed or shared memory. Both are proc_pid_status(5) and proc_pid_smaps(5).
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from .phase import enter_phase
from .tasks import Task, feeds, first_inference, guarded, load, read_inputs

_PROC = Path("/proc/self")
_RESET_PEAK = "5"


class PeakMemory:
    """The peak of this process since the last reset. `resets` says whether the kernel lets us reset it."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc
        self.resets = self._reset()
        self._highest_bytes = 0

    def phase_bytes(self) -> int | None:
        """The peak of the phase that ends now; begins the next.

        Without a reset the kernel gives one peak for the whole life: a phase that stayed below an earlier one cannot
        be told, and is None.
        """
        peak_bytes = _kib_field(self._proc / "status", "VmHWM")
        if peak_bytes is None:
            return None
        if self.resets:
            self._reset()
            return peak_bytes
        risen = peak_bytes > self._highest_bytes
        self._highest_bytes = max(self._highest_bytes, peak_bytes)
        return peak_bytes if risen else None

    def _reset(self) -> bool:
        try:
            (self._proc / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
        except OSError:
            return False
        return True


def measure_memory(task: Task, module: ModuleType) -> dict[str, Any]:
    """Peaks of load, first inference and `iterations` more; `baseline` has runtime and inputs, but no model.

    Returns `memory` with the fields of MemoryPhases (absolute bytes; None = not available) and `used`.
    """
    path = str(task.cell["timing"])
    arrays = read_inputs(path)
    peak = PeakMemory()
    baseline_bytes = peak.phase_bytes()
    model = load(task, module)
    load_bytes = peak.phase_bytes()
    samples = feeds(arrays, model, path)
    guarded(first_inference(model, samples[0]), "in its first inference")
    first_bytes = peak.phase_bytes()
    enter_phase("steady")
    for index in range(task.iterations):
        guarded(model.bind(samples[index % len(samples)]), "in its steady inferences")
    steady_bytes = peak.phase_bytes()
    anon_bytes, file_bytes = resident_split(_PROC)
    memory = {
        "baseline_bytes": baseline_bytes,
        "load_peak_bytes": load_bytes,
        "first_peak_bytes": first_bytes,
        "steady_peak_bytes": steady_bytes,
        "anon_bytes": anon_bytes,
        "file_bytes": file_bytes,
        "method": "clear_refs" if peak.resets else "VmHWM without reset",
    }
    return {"memory": memory, "used": model.used()}


def resident_split(proc: Path) -> tuple[int | None, int | None]:
    """Resident anonymous and file-backed bytes now.

    Of the resident set and not of the proportional one, which would halve what a forked child shares with its parent.
    """
    rss_bytes = _kib_field(proc / "smaps_rollup", "Rss")
    anon_bytes = _kib_field(proc / "smaps_rollup", "Anonymous")
    if rss_bytes is None or anon_bytes is None:
        return None, None
    return anon_bytes, rss_bytes - anon_bytes


def _kib_field(path: Path, name: str) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None
