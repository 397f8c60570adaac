"""Which bytes a cell ran: the hash of its model file, taken between processes and once for each state of the file."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


def model_sha256(path: str) -> str | None:
    """The sha256 of the file as it lies there now; None where it cannot be read."""
    try:
        found = Path(path).stat()
        return _sha256(path, found.st_mtime_ns, found.st_size)
    except OSError:
        return None


@functools.lru_cache(maxsize=256)
def _sha256(path: str, _mtime_ns: int, _bytes: int) -> str:
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):  # boards have Python 3.10 too, whose hashlib reads no files
            found.update(piece)
    return found.hexdigest()
