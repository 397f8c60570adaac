"""What this machine has and lacks for the work that the inventory asks of it. Looks only; installs nothing."""

from __future__ import annotations

import platform
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..targets.board import Board, EmulatedAddress, LocalAddress, SshAddress
from ..targets.errors import InventoryError
from .home import find_home
from .provenance import LIBRARIES, hilbench_version, library_version
from .selection import Boards

LEAST_FREE_BYTES = 3 * 10**9  # image, its copies while boards run, artifacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `remedy` is what to do where it is not ok."""

    what: str
    ok: bool
    found: str
    remedy: str | None = None


def examine(inventory: Path | None) -> list[Finding]:
    """All findings, the plain ones first."""
    boards = Boards(inventory)
    findings = [_python(), _libraries(), _disk(boards)]
    try:
        known = list(boards.inventory.boards.values()) if boards.inventory_path is not None else []
    except InventoryError as error:
        return [*findings, Finding(what="inventory", ok=False, found=str(error), remedy="mend the file")]
    if boards.inventory_path is None:
        found = "none here or in a folder above: boards can be named by address only"
        findings.append(Finding(what="inventory", ok=True, found=found))
    else:
        findings.append(Finding(what="inventory", ok=True, found=f"{boards.inventory_path}, {len(known)} boards"))
    if any(isinstance(board.address, EmulatedAddress) for board in known):
        findings += _emulation()
    return [*findings, *(finding for board in known for finding in _board(board))]


def _python() -> Finding:
    return Finding(what="python", ok=True, found=f"{platform.python_version()}, hilbench {hilbench_version()}")


def _libraries() -> Finding:
    versions = {name: library_version(name) for name in LIBRARIES}
    missing = [name for name, found in versions.items() if found is None]
    remedy = f"pip install {' '.join(missing)}" if missing else None
    shown = ", ".join(f"{name} {found or 'missing'}" for name, found in versions.items())
    return Finding(what="libraries", ok=not missing, found=shown, remedy=remedy)


def _disk(boards: Boards) -> Finding:
    home = find_home(boards.inventory_path).folder
    there = next(folder for folder in (home, *home.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    remedy = None if free >= LEAST_FREE_BYTES else f"free {(LEAST_FREE_BYTES - free) / 1e9:.1f} GB; `hilbench gc` helps"
    return Finding(what="disk", ok=remedy is None, found=f"{free / 1e9:.1f} GB free at {there}", remedy=remedy)


def _emulation() -> list[Finding]:
    from ..targets.emulated.image import find_image
    from ..targets.requirements import image_problem, install_command, install_download_bytes, missing_packages

    packages = missing_packages()
    if packages:
        size = install_download_bytes(packages)
        told = "" if size is None else f" (downloads {size / 1e6:.0f} MB)"
        remedy = shlex.join(install_command(packages)) + told
        return [Finding(what="emulated boards", ok=False, found=f"lacks {', '.join(packages)}", remedy=remedy)]
    image = find_image()
    if image is not None:
        return [Finding(what="emulated boards", ok=True, found=f"QEMU and the image are there ({image.folder})")]
    problem = image_problem()
    if problem is not None:
        remedy = "name a Debian mirror with HILBENCH_DEBIAN_MIRROR if this is not Debian"
        return [Finding(what="emulated boards", ok=False, found=problem, remedy=remedy)]
    return [Finding(what="emulated boards", ok=True, found="QEMU is there; the image is built at the first use")]


def _board(board: Board) -> list[Finding]:
    """What a board of the inventory needs on this machine; boards themselves are looked at by `board check`."""
    what = f"board {board.name}"
    match board.address:
        case LocalAddress():
            version = library_version("onnxruntime")
            return [
                Finding(what=what, ok=version is not None, found=f"this machine, onnxruntime {version or 'missing'}")
            ]
        case SshAddress(key_file=key) if key is not None and not Path(key).expanduser().is_file():
            found = f"its key file {key} does not exist"
            return [Finding(what=what, ok=False, found=found, remedy="name another `key`, or use the SSH agent")]
        case SshAddress(host=host):
            return [Finding(what=what, ok=True, found=f"{host}; `hilbench board check {board.name}` looks at it")]
        case EmulatedAddress(cpu=cpu):
            return [Finding(what=what, ok=True, found=f"emulated, {cpu}")]
