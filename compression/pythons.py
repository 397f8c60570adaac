"""Find a Python of a wanted version on this machine, for environments that the controller's own Python cannot hold."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import CompressionError, UnsupportedRecipeError
from .program import run_program

_PROBE = "import sys, venv, ensurepip; print('python %d.%d' % sys.version_info[:2])"
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """An interpreter and its version, as `3.12`."""

    path: Path
    version: str


def find_python(versions: Sequence[str], *, what: str) -> Python:
    """Return a Python of one of the `versions` (`("3.12", "3.13")`, best first) that can make environments.

    Looks at the running one, on PATH, in pyenv and asks uv, in this order. `what` begins the sentence of the
    UnsupportedRecipeError that is raised where there is none.
    """
    for version in versions:
        for candidate in _candidates(version):
            if _is(candidate, version):
                return Python(path=candidate, version=version)
    wanted = " or ".join(versions)
    raise UnsupportedRecipeError(
        f"{what} needs Python {wanted} (looked on PATH, in pyenv and with uv): install one, for example "
        f"`uv python install {versions[0]}`."
    )


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield Path(on_path)
    yield from _pyenv(version)
    yield from _uv(version)


def _pyenv(version: str) -> Iterator[Path]:
    """The interpreters themselves, as the shims on PATH refuse versions that are not switched on."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [path for path in root.glob(f"versions/{version}.*/bin/python3") if _patch(path) is not None]
    yield from sorted(found, key=lambda path: _patch(path) or 0, reverse=True)


def _patch(python: Path) -> int | None:
    found = re.fullmatch(r"\d+\.\d+\.(\d+)", python.parents[1].name)
    return None if found is None else int(found.group(1))


def _uv(version: str) -> Iterator[Path]:
    beside = Path(sys.executable).with_name("uv")  # the set-up installs it there where no other Python is found
    uv = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv is None:
        return
    try:
        answer = run_program([uv, "python", "find", "--no-project", version], doing="Asking uv", timeout_s=_TIMEOUT_S)
    except CompressionError:
        return
    if answer.code == 0 and answer.last_line.startswith("/"):
        yield Path(answer.last_line)


def _is(python: Path, version: str) -> bool:
    """Whether the file is a Python of that version which can make environments; a shim may be neither."""
    try:
        answer = run_program([python, "-I", "-c", _PROBE], doing="Looking for a Python", timeout_s=_TIMEOUT_S)
    except CompressionError:
        return False
    return answer.code == 0 and answer.last_line == f"python {version}"
