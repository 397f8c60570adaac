"""The kernel's own `i2c-stub`, `ina2xx` and `ina3221` for the emulated board, built of Debian's packages at test time.

No stock Debian kernel for arm64 has them. Compiler, headers and source are Debian 12's, as the guest's kernel is. The
host's apt fetches them as it does the guest's packages, and they are only unpacked: nothing is installed, whatever the
host is. Neither the source (GPL) nor what is built of it is kept in or shipped with hilbench.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hilbench.targets.emulated.apt import GuestApt, archive_keyring, host_mirror
from hilbench.targets.emulated.image import image_cache
from hilbench.targets.emulated.programs import pipe_programs, run_program
from hilbench.targets.emulated.recipe import SUITE
from hilbench.targets.errors import EmulatorError

KERNEL = "6.1"
BUILD_ARCH = "amd64"
SOURCES = ("drivers/i2c/i2c-stub.c", "drivers/hwmon/ina2xx.c", "drivers/hwmon/ina3221.c")
SHIPPED = ("i2c-smbus", "i2c-dev")  # modules that the kernel's package has
BUILT = ("i2c-stub", "ina2xx", "ina3221")
_COMPILER = (
    *("binutils-aarch64-linux-gnu", "cpp-12-aarch64-linux-gnu", "gcc-12-aarch64-linux-gnu", "make", "libbinutils"),
    *("libisl23", "libmpc3", "libmpfr6", "libgmp10", "libzstd1", "zlib1g", "libjansson4", "libelf1", "libctf0"),
    f"linux-kbuild-{KERNEL}",
)


def build_modules(kernel_abi: str, scratch: Path) -> list[Path]:
    """The modules for a kernel, such as `6.1.0-50-arm64`, in the order in which they are to be loaded.

    Raises EmulatorError. Takes some 200 MB of downloads, which the cache of images keeps, and about half a minute.
    """
    arch = run_program(["dpkg", "--print-architecture"], doing="looking up this machine's architecture").strip()
    if arch != BUILD_ARCH:
        raise EmulatorError(f"the sensors' modules are built on {BUILD_ARCH} hosts only, this one is {arch}")
    version = kernel_abi.removesuffix("-arm64")
    headers = (f"linux-headers-{kernel_abi}", f"linux-headers-{version}-common")
    tools = _download(BUILD_ARCH, _COMPILER)
    try:
        *header_debs, source_deb, kernel_deb = _download(
            "arm64", [*headers, f"linux-source-{KERNEL}", f"linux-image-{kernel_abi}"]
        )
    except EmulatorError as error:
        hint = f"if Debian has a newer kernel by now, delete the images in {image_cache()}: they are built anew"
        raise EmulatorError(f"{error}; {hint}") from error
    tree, build = scratch / "tree", scratch / "build"
    build.mkdir(parents=True)
    for deb in (*tools, *header_debs):
        run_program(["dpkg-deb", "-x", str(deb), str(tree)], doing=f"unpacking {deb.name}")
    _take_sources(source_deb, build)
    _make(tree, build, kernel_abi)
    return [*_take_shipped(kernel_deb, scratch / "kernel"), *(build / f"{name}.ko" for name in BUILT)]


def _download(arch: str, names: Sequence[str]) -> list[Path]:
    folder = image_cache() / "downloads" / "rail" / arch
    apt = GuestApt(folder, suite=SUITE, arch=arch, mirror=host_mirror(), keyring=archive_keyring())
    apt.update()
    return apt.download([apt.version_of(name) for name in names])


def _make(tree: Path, build: Path, kernel_abi: str) -> None:
    headers = tree / "usr/src" / f"linux-headers-{kernel_abi}"
    common = tree / "usr/src" / f"linux-headers-{kernel_abi.removesuffix('-arm64')}-common"
    # The packaged one names an absolute path of an installed package.
    (headers / "Makefile").write_text(f"include {common}/Makefile\n")
    (build / "Makefile").write_text(f"obj-m := {' '.join(f'{name}.o' for name in BUILT)}\n")
    libraries = os.pathsep.join(str(tree / folder / "x86_64-linux-gnu") for folder in ("usr/lib", "lib"))
    run_program(
        [
            *("env", f"PATH={tree / 'usr/bin'}:{os.environ['PATH']}", f"LD_LIBRARY_PATH={libraries}"),
            *("make", "-C", str(headers), f"M={build}", "ARCH=arm64", "modules"),
            *(f"DEB_BUILD_ARCH={BUILD_ARCH}", "DEB_HOST_ARCH=arm64", "DEB_HOST_GNU_TYPE=aarch64-linux-gnu"),
            *("CROSS_COMPILE=aarch64-linux-gnu-", "CC=aarch64-linux-gnu-gcc-12"),
        ],
        doing="building the kernel's modules for the power rail",
    )


def _take_sources(source_deb: Path, build: Path) -> None:
    """Three files out of the kernel's source: an archive in an archive, read no further than needed."""
    wanted: set[str] = set(SOURCES)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(source_deb)], stdout=subprocess.PIPE) as outer:
        assert outer.stdout is not None
        with tarfile.open(fileobj=outer.stdout, mode="r|") as package:
            inner = next(package.extractfile(member) for member in package if member.name.endswith(".tar.xz"))
            assert inner is not None
            _take_members(inner, wanted, build)
        outer.kill()
    if wanted:
        raise EmulatorError(f"{source_deb.name} holds no {', '.join(sorted(wanted))}")


def _take_members(archive: IO[bytes], wanted: set[str], build: Path) -> None:
    with tarfile.open(fileobj=archive, mode="r|xz") as source:
        for member in source:
            name = member.name.partition("/")[2]
            if name in wanted:
                content = source.extractfile(member)
                assert content is not None
                (build / Path(name).name).write_bytes(content.read())
                wanted.discard(name)
                if not wanted:
                    return


def _take_shipped(kernel_deb: Path, folder: Path) -> list[Path]:
    folder.mkdir()
    pipe_programs(
        ["dpkg-deb", "--fsys-tarfile", str(kernel_deb)],
        ["tar", "-x", "-C", str(folder), "--wildcards", *(f"*/{name}.ko" for name in SHIPPED)],
        doing="unpacking the kernel's I2C modules",
    )
    return [next(folder.rglob(f"{name}.ko")) for name in SHIPPED]
