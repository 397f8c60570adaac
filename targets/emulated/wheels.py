"""The inference runtimes of the guest: wheels fetched by pip, checked against the recipe, unpacked on the host.

pip's own settings hold, so a company's index serves as well as the public one: the content must be the pinned one.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..board import Arch
from ..errors import EmulatorError, TargetError
from ..wheels import download_wheel, needed, platform_tags, sha256_of
from . import guest, recipe
from .recipe import Wheel

_STORE = "opt/hilbench/wheels"


def fetch_wheels(wheels: Iterable[Wheel], arch: Arch, folder: Path) -> dict[Wheel, Path]:
    """Files of an architecture's wheels in `folder`; those that are not there yet are downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {sha256_of(file): file for file in sorted(folder.glob("*.whl"))}
    return {wheel: there.get(wheel.sha256) or _download(wheel, arch, folder) for wheel in dict.fromkeys(wheels)}


def unpack_runtimes(runtimes: Mapping[str, tuple[Wheel, ...]], files: Mapping[Wheel, Path], root: Path) -> None:
    """Unpack every wheel once into `root` and give each runtime a folder of links to the ones it consists of."""
    for wheel in dict.fromkeys(wheel for wheels in runtimes.values() for wheel in wheels):
        target = root / _STORE / f"{wheel.name}-{wheel.version}"
        with zipfile.ZipFile(files[wheel]) as archive:
            archive.extractall(target, [name for name in archive.namelist() if needed(name)])
    for runtime, wheels in runtimes.items():
        site = root / guest.RUNTIMES_DIR.lstrip("/") / runtime
        site.mkdir(parents=True)
        for wheel in wheels:
            for entry in sorted((root / _STORE / f"{wheel.name}-{wheel.version}").iterdir()):
                (site / entry.name).symlink_to(f"/{_STORE}/{wheel.name}-{wheel.version}/{entry.name}")


def _download(wheel: Wheel, arch: Arch, folder: Path) -> Path:
    doing = f"downloading {wheel.name} {wheel.version} for the emulated board"
    major, minor = recipe.PYTHON.split(".")
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as scratch:
        try:
            file = download_wheel(
                f"{wheel.name}=={wheel.version}",
                python=(int(major), int(minor)),
                platforms=platform_tags(arch, recipe.GLIBC),
                folder=Path(scratch),
                doing=doing,
            )
        except TargetError as error:
            raise EmulatorError(str(error)) from error
        if sha256_of(file) != wheel.sha256:
            raise EmulatorError(f"{doing}: the index serves another file than the one that was measured")
        return file.replace(folder / file.name)
