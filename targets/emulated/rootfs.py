"""The guest's root file system: packages unpacked on the host, trimmed, completed and made into an ext4 disk.

Nothing of the guest's architecture is executed: no maintainer script, no chroot, no loop mount. So it works without
root too: then the files belong to the builder first, and the finished disk is told that root owns them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import EmulatorError
from . import guest, recipe
from .programs import pipe_programs, run_program
from .recipe import GuestRecipe

_TAR = (
    *("tar", "-x", "--no-same-owner", "--keep-directory-symlink", "--warning=no-timestamp"),
    # Debian 12 is a system with a merged /usr, but its packages still carry files for /bin, /sbin and /lib.
    r"--transform=s,^\./\(bin\|sbin\|lib\)/,./usr/\1/,",
)
_FIRST_INODE = 11  # ext4 keeps 1 to 10 for itself


def unpack_packages(debs: Sequence[Path], root: Path, trimmed: Sequence[str]) -> None:
    """Unpack the packages into `root`, a folder that does not exist yet, without what matches `trimmed`."""
    tar = [*_TAR, *(f"--exclude={pattern}" for pattern in trimmed)]
    for name in ("bin", "sbin", "lib"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for deb in debs:
        pipe_programs(
            ["dpkg-deb", "--fsys-tarfile", str(deb)],
            [*tar, "-C", str(root)],
            doing=f"unpacking {deb.name} for the emulated board",
        )


def complete(root: Path, made: GuestRecipe, *, authorized_key: str, host_key: bytes) -> None:
    """Write what no package brings: the init, accounts, keys, links and the folders to mount on."""
    for folder in ("dev", "proc", "sys", "run", "tmp", "mnt", "var/tmp", "etc/dropbear", "root/.ssh"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    workdir = root / guest.WORKDIR.lstrip("/")
    workdir.mkdir(parents=True)
    for folder, mode in (("root", 0o700), ("root/.ssh", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777)):
        (root / folder).chmod(mode)
    workdir.chmod(0o1777)
    for name, text in guest.FILES.items():
        (root / name).write_text(text)
    (root / "etc/shadow").chmod(0o600)
    (root / "init").write_text(guest.init_script(recipe.PYTHON, made.runtime_modules))
    (root / "init").chmod(0o755)
    for name, target in made.links.items():
        (root / name).symlink_to(target)
    write_secret(root / "root/.ssh/authorized_keys", authorized_key.encode() + b"\n")
    write_secret(root / "etc/dropbear/dropbear_ed25519_host_key", host_key)


def python_for_guest(version: str = recipe.PYTHON) -> str | None:
    """A host interpreter that writes the guest's bytecode, which only the same minor version of Python does."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return sys.executable
    found = shutil.which(f"python{version}")
    try:  # a version manager's launcher is there for versions that are not
        return found and run_program([found, "-c", "print(end=__import__('sys').executable)"], doing="asking Python")
    except EmulatorError:
        return None


def compile_python(root: Path, python: str, folders: Sequence[str]) -> None:
    """Compile the standard library and the runtimes to bytecode, as their maintainer scripts would have done.

    The bytecode is not checked against its source's time stamp: neither ever changes on a restored board.
    """
    command = [
        *(python, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"),
        *("-x", "/(tests?|lib2to3)/", "-s", str(root), "-p", "/", *(str(root / folder) for folder in folders)),
    ]
    try:
        run_program([*command, "-j", "0"], doing="compiling Python for the emulated board")
    except EmulatorError:  # a container whose /dev/shm is closed allows no worker processes
        run_program(command, doing="compiling Python for the emulated board")


def make_disk(root: Path, disk: Path) -> None:
    """Make `disk`, a sparse raw ext4 file, of the tree. Every file belongs to root in it.

    Without a journal: a board is never repaired, it is restored. Inode tables are written now, not by a thread of the
    guest's kernel while something is measured.
    """
    doing = "making the disk of the emulated board"
    with disk.open("wb") as file:
        file.truncate(recipe.DISK_BYTES)
    run_program(
        [
            *("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-L", "hilbench"),
            *("-E", "root_owner=0:0,lazy_itable_init=0", "-d", str(root), str(disk)),
        ],
        doing=doing,
    )
    if os.geteuid() != 0:
        give_to_root(disk, inodes=sum(len(folders) + len(files) for _, folders, files in os.walk(root)), doing=doing)


def give_to_root(disk: Path, *, inodes: int, doing: str) -> None:
    """Set owner and group of all inodes to root: mkfs took them from the files of an ordinary account."""
    last = _FIRST_INODE + inodes + 1
    commands = [f"sif <{inode}> {field} 0" for inode in range(_FIRST_INODE, last + 1) for field in ("uid", "gid")]
    run_program(["debugfs", "-w", "-f", "-", str(disk)], stdin="\n".join(commands) + "\n", doing=doing)


def write_secret(file: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    file.write_bytes(data)
    file.chmod(0o600)
