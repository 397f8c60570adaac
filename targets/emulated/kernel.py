"""The guest's kernel and its initial RAM disk, taken out of Debian's packages."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import EmulatorError
from .guest import INITRD_INIT, INITRD_MODULES
from .programs import pipe_programs


@dataclass(frozen=True, slots=True, kw_only=True)
class CpioEntry:
    """One file or folder (`data` None) of a RAM disk."""

    name: str
    data: bytes | None = None
    mode: int = 0o755


def take_kernel(kernel_deb: Path, shell_deb: Path, scratch: Path, *, kernel: Path, initrd: Path) -> None:
    """Write `kernel` (an arm64 Image, uncompressed, or an armhf zImage) and `initrd` out of the two packages."""
    doing = "unpacking the kernel of the emulated board"
    tree = scratch / "kernel"
    tree.mkdir()
    for deb, patterns in (
        (kernel_deb, ["./boot/vmlinuz-*", *(f"*/{name}.ko" for name in INITRD_MODULES)]),
        (shell_deb, ["*/bin/busybox"]),
    ):
        pipe_programs(
            ["dpkg-deb", "--fsys-tarfile", str(deb)],
            ["tar", "-x", "-C", str(tree), "--no-same-owner", "--wildcards", *patterns],
            doing=doing,
        )
    images = sorted(tree.glob("boot/vmlinuz-*"))
    if len(images) != 1:
        raise EmulatorError(f"{doing}: the package {kernel_deb.name} holds {len(images)} kernels")
    shutil.copyfile(images[0], kernel)
    initrd.write_bytes(newc(initrd_entries(tree)))


def initrd_entries(tree: Path) -> list[CpioEntry]:
    """What the RAM disk holds: a static busybox, the modules that reach the disk and the network, an init."""
    folders = ("bin", "dev", "mnt", "modules")
    return [
        *(CpioEntry(name=name) for name in folders),
        CpioEntry(name="bin/busybox", data=_only(tree, "busybox").read_bytes()),
        *(
            CpioEntry(name=f"modules/{name}.ko", data=_only(tree, f"{name}.ko").read_bytes(), mode=0o644)
            for name in INITRD_MODULES
        ),
        CpioEntry(name="init", data=INITRD_INIT.encode()),
    ]


def newc(entries: Iterable[CpioEntry]) -> bytes:
    """A cpio archive in the `newc` format of the kernel's initramfs-buffer-format.rst; all owned by root, time 0."""
    archive = bytearray()
    for inode, entry in enumerate([*entries, CpioEntry(name="TRAILER!!!", data=b"", mode=0)], start=1):
        kind = 0o040000 if entry.data is None else 0o100000
        data = entry.data or b""
        name = entry.name.encode() + b"\0"
        fields = (inode, kind | entry.mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % value for value in fields)
        archive += _padded(header + name) + _padded(data)
    return bytes(archive)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _only(tree: Path, name: str) -> Path:
    found = sorted(path for path in tree.rglob(name) if path.is_file())
    if not found:
        raise EmulatorError(f"unpacking the kernel of the emulated board: the packages hold no {name}")
    return found[0]
