"""Where a run comes from: what must be known to repeat it."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

LIBRARIES = ("onnx", "onnxruntime", "numpy", "paramiko", "pandas")


def hilbench_version() -> str:
    """The installed version."""
    return version("hilbench")


def provenance(command: str) -> dict[str, Any]:
    """Versions and the command of the controller."""
    return {
        "command": command,
        "python": platform.python_version(),
        "libraries": {name: library_version(name) for name in LIBRARIES},
        "controller": {"kernel": platform.release(), "arch": platform.machine(), "system": sys.platform},
    }


def library_version(name: str) -> str | None:
    """The version of an installed library, None if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def digest(data: Mapping[str, Any]) -> str:
    """sha256 of plain data, independent of key order."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
