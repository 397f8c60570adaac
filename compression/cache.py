"""Files kept by content: what was made once is not made again, and nothing half-written is ever found."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .foreign import disk_error

# Part of every key: raise it whenever this package makes other files of the same inputs.
RULES = 2
_LIBRARIES = ("hilbench", "onnx", "onnxruntime", "numpy")


def library_versions() -> dict[str, str]:
    """Return the versions of all that has a say in an artifact's bytes."""
    return {name: installed_version(name) or "unknown" for name in _LIBRARIES}


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, None if there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def content_key(**parts: Any) -> str:
    """Return the SHA-256 of plain data, in a form that does not hang on the order of keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power loss.

    Raises CompressionError where the disk refuses; then no file is left behind.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # mkstemp lets nobody else read
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise disk_error(f"Writing {path.name} into {path.parent}", error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_whole(path: Path, sha256: str) -> bytes | None:
    """Return a kept file's bytes; None if it is gone or is no longer what was written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(f"Reading {path}", error) from error
    return data if sha256_of(data) == sha256 else None


def read_json(path: Path) -> Mapping[str, Any] | None:
    """Return a kept JSON object, None if it is absent or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise disk_error(f"Reading {path}", error) from error
    return found if isinstance(found, dict) else None
