"""Wheels for a board, found by the controller: pip's own settings hold, files are kept by content.

Layout of the cache: `<sha256>/<file name>.whl`. A wheel's file name says what it fits (PyPA's specification of binary
distribution names), so a cached one is found without a network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .board import Arch
from .errors import NoWheelError, TargetError
from .pins import PythonVersion, arch_words
from .transfer import megabytes

Say = Callable[[str], None]

# Not for running: what a wheel brings for tests, compilers and type checkers.
UNNEEDED_FOLDER = "/tests/"
UNNEEDED_SUFFIXES = (".h", ".a", ".pyi", ".f90")

_DOWNLOAD_TIMEOUT_S = 1800.0
_NEWEST_GLIBC = (2, 60)
_LEAST_GLIBC_MINOR = 5  # manylinux1
_MACHINE = {Arch.ARM64: "aarch64", Arch.ARMHF: "armv7l", Arch.X86_64: "x86_64"}
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # glibc minor -> name before PEP 600
_NO_ANSWER = re.compile(r"Retrying \(|NewConnectionError|name resolution|ConnectTimeout|ProxyError|SSLError")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelTarget:
    """What a wheel must fit: CPython of this version on this architecture with this glibc, (2, 36) for 2.36."""

    arch: Arch
    python: PythonVersion
    glibc: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelName:
    """What a wheel's file name says."""

    name: str
    version: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]


def platform_tags(arch: Arch, glibc: tuple[int, int]) -> tuple[str, ...]:
    """All manylinux tags that a glibc allows, newest first: PEP 600. pip takes tags literally and widens none."""
    tags: list[str] = []
    for minor in range(glibc[1], _LEAST_GLIBC_MINOR - 1, -1):
        tags.append(f"manylinux_{glibc[0]}_{minor}_{_MACHINE[arch]}")
        if minor in _OLD_NAMES:
            tags.append(f"{_OLD_NAMES[minor]}_{_MACHINE[arch]}")
    return tuple(tags)


def parse_wheel_name(file_name: str) -> WheelName | None:
    """The parts of a wheel's file name, the project's name in its normal form; None where it is no such name."""
    parts = file_name.removesuffix(".whl").split("-")
    if not file_name.endswith(".whl") or len(parts) not in (5, 6):
        return None
    pythons, abis, platforms = (tuple(part.split(".")) for part in parts[-3:])
    return WheelName(
        name=re.sub(r"[-_.]+", "-", parts[0]).lower(),
        version=parts[1],
        pythons=pythons,
        abis=abis,
        platforms=platforms,
    )


def fits(wheel: WheelName, target: WheelTarget) -> bool:
    """Whether a board can use a wheel."""
    if not {"any", *platform_tags(target.arch, target.glibc)} & set(wheel.platforms):
        return False
    own = f"cp{target.python[0]}{target.python[1]}"
    if own in wheel.abis or ("none" in wheel.abis and {own, "py3"} & set(wheel.pythons)):
        return True
    stable = [tag for tag in wheel.pythons if re.fullmatch(r"cp3\d+", tag)]
    return "abi3" in wheel.abis and any(int(tag[3:]) <= target.python[1] for tag in stable)


def needed(name: str) -> bool:
    """Whether a wheel's file is for running: tests, headers and static libraries are not."""
    return UNNEEDED_FOLDER not in name and not name.endswith(UNNEEDED_SUFFIXES)


def unpacked_bytes(wheel: Path) -> int:
    """How much disk the needed files of a wheel take."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(entry.file_size for entry in archive.infolist() if needed(entry.filename))


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find_wheel(cache: Path, name: str, version: str, target: WheelTarget, *, say: Say) -> tuple[str, Path]:
    """(sha256, file) of the wheel of a release that fits a board: from the cache, else downloaded into it.

    Raises NoWheelError where none is published that fits, TargetError where the index does not answer.
    """
    found = _cached(cache, name, version, target)
    if found is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as scratch:
            file = _download_fitting(name, version, target, Path(scratch))
            say(f"downloaded {file.name}, {megabytes(file.stat().st_size)}")
            return _keep(cache, file)
    except OSError as error:
        raise TargetError(f"{cache}: the wheel of {name} cannot be kept: {error.strerror}") from error


def download_wheel(
    requirement: str, *, python: PythonVersion, platforms: Sequence[str], folder: Path, doing: str
) -> Path:
    """The one wheel that pip finds for a requirement. Raises NoWheelError, or TargetError with pip's last words."""
    version = f"{python[0]}.{python[1]}"
    abi = "cp" + version.replace(".", "")
    argv = [
        *(*_pip(doing), "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"),
        *("--python-version", version, "--implementation", "cp", "--abi", abi, "--abi", "abi3", "--abi", "none"),
        *(word for tag in platforms for word in ("--platform", tag)),
        *("-d", str(folder), requirement),
    ]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{doing}: pip did not end well: {error}") from error
    files = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(files) != 1:
        raise _pip_refusal(doing, done.stderr)
    return files[0]


def _download_fitting(name: str, version: str, target: WheelTarget, folder: Path) -> Path:
    requirement = f"{name}=={version}"
    doing = f"downloading {name} {version} for Python {_dotted(target.python)} on {arch_words(target.arch)}"
    try:
        tags = platform_tags(target.arch, target.glibc)
        return download_wheel(requirement, python=target.python, platforms=tags, folder=folder, doing=doing)
    except NoWheelError as error:
        raise _why_none_fits(name, version, target, folder, doing) from error


def _why_none_fits(name: str, version: str, target: WheelTarget, folder: Path, doing: str) -> NoWheelError:
    """Asks once more without regard to glibc: is the board's too old, or is there no wheel at all?"""
    where = f"Python {_dotted(target.python)} on {arch_words(target.arch)}"
    remedy = "name another `version:` in the inventory, or with `python:` an interpreter on the board that has it"
    try:
        tags = platform_tags(target.arch, _NEWEST_GLIBC)
        other = download_wheel(f"{name}=={version}", python=target.python, platforms=tags, folder=folder, doing=doing)
    except NoWheelError:
        return NoWheelError(f"no wheel of {name} {version} is published for {where}: {remedy}")
    named = parse_wheel_name(other.name)
    glibc = least_glibc(named.platforms if named else ())
    least = f"glibc {_dotted(glibc)} or newer" if glibc else "another C library"
    return NoWheelError(
        f"the wheel of {name} {version} needs {least}, and the board has glibc {_dotted(target.glibc)}: {remedy}"
    )


def least_glibc(platforms: Sequence[str]) -> tuple[int, int] | None:
    """The oldest glibc that one of a wheel's platform tags allows; None where no tag says it."""
    old = {name: (2, minor) for minor, name in _OLD_NAMES.items()}
    found: list[tuple[int, int]] = []
    for tag in platforms:
        if match := re.match(r"manylinux_(\d+)_(\d+)_", tag):
            found.append((int(match[1]), int(match[2])))
        elif (name := tag.split("_")[0]) in old:
            found.append(old[name])
    return min(found, default=None)


def _cached(cache: Path, name: str, version: str, target: WheelTarget) -> tuple[str, Path] | None:
    """A wheel of the cache whose bytes are still those of its folder's name; a damaged one is dropped."""
    for file in sorted(cache.glob("[0-9a-f]*/*.whl")):  # not what another thread downloads right now
        wheel = parse_wheel_name(file.name)
        if wheel is None or (wheel.name, wheel.version) != (name, version) or not fits(wheel, target):
            continue
        if sha256_of(file) == file.parent.name:
            return file.parent.name, file
        file.unlink()
    return None


def _keep(cache: Path, file: Path) -> tuple[str, Path]:
    sha256 = sha256_of(file)
    target = cache / sha256 / file.name
    target.parent.mkdir(exist_ok=True)
    return sha256, file.replace(target)


def _pip(doing: str) -> list[str]:
    """pip of this environment, else the system's: environments made by uv have none of their own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    system_pip = shutil.which("pip3")
    if system_pip is None:
        raise TargetError(f"{doing}: pip is not installed on this machine")
    return [system_pip]


def _pip_refusal(doing: str, stderr: str) -> TargetError:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if _NO_ANSWER.search(stderr):
        return TargetError(
            f"{doing}: the package index does not answer; where this machine has no internet, name a folder that has "
            "the wheel by pip's own PIP_FIND_LINKS"
        )
    if "No matching distribution" in stderr:
        return NoWheelError(f"{doing}: no wheel fits")
    last = next((line for line in lines if line.startswith("ERROR:")), (lines or ["it said nothing"])[-1])
    return TargetError(f"{doing}: pip failed: {last}")


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
