"""What this machine needs for the emulated board, what it lacks, and the one command that installs it.

`hilbench doctor` and `make demo` ask here. Nothing is installed by this file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from .errors import EmulatorError

# Program -> Debian's package. `setpriv` is part of every Debian system and so is `tar`, but a container may lack them.
PROGRAMS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-img": "qemu-utils",
    "mkfs.ext4": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "ssh-keygen": "openssh-client",
    "dpkg-deb": "dpkg",
    "tar": "tar",
    "setpriv": "util-linux",
}
_KEYRING_PACKAGE = "debian-archive-keyring"
_SBIN = ("/usr/sbin", "/sbin")

# What building the arm64 image downloads: index 9 MB, Debian packages 75 MB, wheels 70 MB (Debian 12.15, measured).
IMAGE_DOWNLOAD_BYTES = 154_000_000


def missing_packages() -> list[str]:
    """Debian packages to install before an emulated board can be built and started; empty where all is there."""
    packages = [package for program, package in PROGRAMS.items() if find_program(program) is None]
    if not has_archive_keyring():
        packages.append(_KEYRING_PACKAGE)
    return sorted(set(packages))


def find_program(name: str) -> str | None:
    """Where a program is, also in the folders for administrators that ordinary accounts lack on their PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])
    return shutil.which(name, path=path)


def has_archive_keyring() -> bool:
    """Whether the keys that sign Debian's archive are here."""
    from .emulated.apt import KEYRINGS

    return any(path.is_file() for path in KEYRINGS)


def has_apt() -> bool:
    """Whether this machine is one of Debian's kind: the image is built with its apt."""
    return find_program("apt-get") is not None


def install_command(packages: Sequence[str]) -> list[str]:
    """One apt-get command that installs the packages, with sudo where this account is not root."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    return [*sudo, "apt-get", "install", "-y", "--no-install-recommends", *packages]


def may_install() -> bool:
    """Whether `install_command` would run without asking for a password."""
    if not has_apt():
        return False
    if os.geteuid() == 0:
        return True
    return find_program("sudo") is not None and _answer(["sudo", "-n", "true"]) is not None


def install_download_bytes(packages: Sequence[str]) -> int | None:
    """How much apt would download for the packages and what they depend on; None where its index is not there yet."""
    if not packages:
        return 0
    text = _answer(["apt-get", "install", "--print-uris", "-qq", "-y", "--no-install-recommends", *packages])
    return None if text is None else sum_of_uris(text)


def sum_of_uris(text: str) -> int:
    """The bytes of `apt-get --print-uris`, one line `'uri' file size hash` for each file that is not there yet."""
    return sum(int(match[1]) for match in re.finditer(r"^'[^']*' \S+ (\d+) ", text, re.MULTILINE))


def image_problem() -> str | None:
    """Why the image could not be built here, as one sentence, or None: asks the mirror for Debian 12's signed release.

    For a machine whose `missing_packages()` is empty. An image that is already built needs no mirror.
    """
    from .emulated import recipe
    from .emulated.apt import check_archive
    from .emulated.image import find_image

    if not has_apt():
        return "this machine has no apt: the image of the emulated board is built on Debian or a system derived from it"
    try:
        if find_image() is None:
            check_archive(recipe.SUITE, recipe.ARM64.arch)
    except EmulatorError as error:
        return str(error)
    return None


def _answer(argv: Sequence[str]) -> str | None:
    """What a program prints, or None where it is missing or fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
