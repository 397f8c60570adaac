"""What a process is doing, left in a small file so that its death can be explained.

A file and not a message: writing to the page cache wakes nobody, so nothing else runs while the process is timed.
Workers run in the job's folder, so the file is `phase` there.
"""

from __future__ import annotations

import os
from pathlib import Path

PHASE = "phase"
_BYTES = 32
_CLAUSES = {
    "import": "while it imported the runtime",
    "inputs": "while it read its inputs",
    "load": "while it loaded the model",
    "first": "in its first inference",
    "warmup": "while it warmed up",
    "steady": "in its steady inferences",
    "program": "while its program ran",
    "answer": "while it wrote its answer",
}


def enter_phase(name: str) -> None:
    """Note that this process, which runs in the job's folder, is now in phase `name`."""
    fd = os.open(PHASE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(fd, name.ljust(_BYTES).encode("ascii"), 0)
    finally:
        os.close(fd)


def phase_clause(path: Path) -> str:
    """The last phase as a clause ("while it loaded the model"); "before it began" where none was noted."""
    try:
        name = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        name = ""
    return _CLAUSES.get(name, "before it began")
