"""The agent as one file: a zip application whose bytes depend on its sources alone."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

from .agent.failures import TOO_OLD

_SOURCES = Path(__file__).parent / "agent"
_PACKAGE = "hilbench_agent"
_SHEBANG = b"#!/usr/bin/env python3\n"
# Looked at before anything is imported, so that an old interpreter says this and not where it stumbled.
_ENTRY = f"""import sys

if sys.version_info < (3, 10):
    sys.exit("{TOO_OLD}3.10 or newer on the board; this one is %d.%d" % sys.version_info[:2])

from {_PACKAGE}.__main__ import main

sys.exit(main(sys.argv[1:]))
"""
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the zip format's first date


@cache
def build_agent() -> tuple[bytes, str]:
    """The agent's bytes (a .pyz that `python3` runs) and their sha256.

    Files are stored uncompressed: a compressor's output differs between its versions, and boards start faster.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _ENTRY.encode())
        for source in sorted(_SOURCES.glob("*.py")):
            _add(archive, f"{_PACKAGE}/{source.name}", source.read_bytes())
    data = _SHEBANG + buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EARLIEST)
    entry.create_system = 3  # Unix, wherever it is built
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
