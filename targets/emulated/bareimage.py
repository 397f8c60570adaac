"""Build the image of a bare board: another root disk beside the kernel of the ordinary image."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..board import Arch, SshAddress
from . import bare, recipe, rootfs
from .apt import GuestApt, archive_keyring, host_mirror
from .image import Image, Progress, build_once, ensure_image, write_manifest
from .keys import make_key
from .machine import Machine


def ensure_bare_image(suite: str, progress: Progress) -> Image:
    """The image of a bare board with this Debian suite (`bookworm`, `trixie`); built when the cache lacks it.

    Raises EmulatorError.
    """
    base = ensure_image(progress)

    def fill(folder: Path, scratch: Path, downloads: Path, progress: Progress) -> None:
        _fill(suite, base, folder, scratch, downloads, progress)

    return build_once(bare.image_name(suite), fill, progress)


def bare_address(machine: Machine) -> SshAddress:
    """How a running bare board is reached: as any board by SSH, with its host key pinned."""
    return SshAddress(
        host="127.0.0.1",
        port=machine.port,
        user=bare.USER,
        key_file=str(machine.image.key_file),
        host_key=machine.image.host_key,
    )


def _fill(suite: str, base: Image, folder: Path, scratch: Path, downloads: Path, progress: Progress) -> None:
    """Build all files of an image in `folder`; the manifest comes last."""
    progress(f"bare board: downloading Debian {suite} for arm64")
    place = downloads if suite == recipe.SUITE else downloads / suite
    apt = GuestApt(place, suite=suite, arch=Arch.ARM64, mirror=host_mirror(), keyring=archive_keyring())
    apt.update()
    packages = apt.closure(bare.PACKAGES)
    debs = apt.download(packages)

    progress("bare board: building the disk")
    shutil.copyfile(base.kernel, folder / "kernel")
    shutil.copyfile(base.initrd, folder / "initrd")
    authorized_key = make_key(folder / "key", "hilbench controller")
    host_key = make_key(scratch / "host_key", "bare board")
    root = scratch / "root"
    rootfs.unpack_packages(debs, root, recipe.ARM64.trimmed)
    _complete(root, suite, authorized_key=authorized_key, host_key=(scratch / "host_key").read_bytes())
    python = rootfs.python_for_guest(bare.SUITES[suite])
    if python is not None:
        rootfs.compile_python(root, python, [f"usr/lib/python{bare.SUITES[suite]}"])
    rootfs.make_disk(root, folder / "disk.ext4")
    write_manifest(
        folder,
        name=bare.image_name(suite),
        arch=Arch.ARM64,
        packages=packages,
        wheels={},
        kernel_abi=base.kernel_abi,
        host_key=" ".join(host_key.split()[:2]),
        bytecode=python is not None,
    )


def _complete(root: Path, suite: str, *, authorized_key: str, host_key: bytes) -> None:
    """Write what no package brings: the init, the accounts, the keys and the folders to mount on."""
    home = Path("home") / bare.USER
    for name in ("dev", "proc", "sys", "run", "tmp", "mnt", "var/tmp", "root", "etc/ssh", home / ".ssh"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, mode in (("root", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777), (home / ".ssh", 0o700)):
        (root / name).chmod(mode)
    for name, text in bare.files().items():
        (root / name).write_text(text)
    (root / "init").write_text(bare.init_script(suite))
    (root / "init").chmod(0o755)
    (root / "etc/shadow").chmod(0o600)
    rootfs.write_secret(root / home / ".ssh/authorized_keys", authorized_key.encode() + b"\n")
    rootfs.write_secret(root / bare.HOST_KEY_FILE, host_key)
