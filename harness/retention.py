"""What of finished runs may shrink: the controller's copies of journals. Their figures stay in the store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from .errors import HarnessError
from .home import Home

SUFFIX = ".zst"
_LEVEL = 10
_CHUNK_BYTES = 1 << 20


def old_journals(home: Home, finished: Collection[str], before: float) -> list[Path]:
    """Copies of journals of finished runs that were last written before a moment (seconds since 1970).

    Those of unfinished runs are left alone: a run that goes on reads them again.
    """
    found = sorted(home.folder.glob("runs/*/*.journal.jsonl"))
    return [path for path in found if path.parent.name in finished and path.stat().st_mtime < before]


def compress_journal(path: Path) -> int:
    """Put the compressed journal in its place, once it was read back; returns how many bytes that freed.

    Raises HarnessError where it cannot be written; the journal then stays as it was.
    """
    import zstandard

    target = path.with_name(path.name + SUFFIX)
    part = target.with_name(f".{target.name}.part")
    before = path.stat()
    try:
        with path.open("rb") as source, part.open("wb") as file:
            zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).copy_stream(source, file)
            file.flush()
            os.fsync(file.fileno())
        if _sha256(path) != _decompressed_sha256(part):
            raise HarnessError(f"{path} was not compressed: what was written is not what it holds")
        os.utime(part, (before.st_atime, before.st_mtime))
        part.replace(target)
        path.unlink()
    except OSError as error:
        raise HarnessError(f"{path} cannot be compressed: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return before.st_size - target.stat().st_size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _decompressed_sha256(path: Path) -> str:
    import zstandard

    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in zstandard.ZstdDecompressor().read_to_iter(file, write_size=_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()
