"""What the images of emulated boards are made of: data only, with the hash that names an image.

The guest is always Debian 12, whatever the host is: tflite-runtime has wheels up to Python 3.11 only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ..board import Arch
from ..errors import EmulatorError
from . import guest

SUITE = "bookworm"
PYTHON = "3.11"
GLIBC = (2, 36)
INITRD_SHELL_PACKAGE = "busybox-static"
DISK_BYTES = 2 * 1024**3
# Raise it when the code that builds an image writes something else from the same data.
LAYOUT = 1

PACKAGES = ("base-files", "busybox", "dropbear-bin", "libstdc++6", "netbase", "openssh-sftp-server", "python3")

# Dependencies that only maintainer scripts, logins by password or an interactive user would need.
UNUSED_DEPENDENCIES = frozenset(
    (
        *("adduser", "debconf", "dpkg", "mawk", "media-types", "passwd", "tar", "readline-common"),
        *("libaudit-common", "libaudit1", "libcap-ng0", "libdb5.3", "libnsl2", "libpam-modules", "libpam-modules-bin"),
        *("libpam0g", "libsemanage-common", "libsemanage2", "libsepol2", "libtirpc-common", "libtirpc3"),
        *("openssh-client", "libcbor0.8", "libedit2", "libfido2-1", "libgssapi-krb5-2", "libk5crypto3"),
        *("libkeyutils1", "libkrb5-3", "libkrb5support0", "libcom-err2", "libudev1", "libacl1"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One wheel for the guest: name and version for pip, the content that must come back."""

    name: str
    version: str
    sha256: str


_NUMPY_2 = Wheel(
    name="numpy", version="2.4.6", sha256="0ab0a9c4ffb1a6d95ef519fe4247dba8eb6b18ad93999f76b7f657039acabd47"
)
# tflite-runtime was compiled against numpy 1: with numpy 2 it fails when a model is opened.
_NUMPY_1 = Wheel(
    name="numpy", version="1.26.4", sha256="7ab55401287bfec946ced39700c053796e7cc0e3acbef09993a9ad2adba6ca6e"
)
_ONNXRUNTIME = Wheel(
    name="onnxruntime", version="1.32.0", sha256="2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c"
)
_LITERT = Wheel(
    name="ai-edge-litert", version="2.3.0", sha256="853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae"
)
_TFLITE = Wheel(
    name="tflite-runtime", version="2.14.0", sha256="ce9fa5d770a9725c746dcbf6f59f3178233b3759f09982e8b2db8d2234c333b0"
)

_TFLITE_32 = Wheel(
    name="tflite-runtime", version="2.14.0", sha256="c4e66a74165b18089c86788400af19fa551768ac782d231a9beae2f6434f7949"
)

# What a program imports of each runtime.
RUNTIME_MODULES = {
    "onnxruntime": "onnxruntime",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}


def _trimmed(triplet: str) -> tuple[str, ...]:
    """Not unpacked: documentation, translations, and the parts of Python that need a display or a C compiler."""
    return (
        *("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/lintian", "./usr/share/bug"),
        *("./usr/share/info", "./usr/share/doc-base", "./usr/share/applications", "./usr/share/pixmaps"),
        *("./usr/share/initramfs-tools", f"./usr/lib/{triplet}/gconv", "./usr/lib/python3.11/pydoc_data"),
        *("./usr/lib/python3.11/lib2to3", "./usr/lib/python3.11/idlelib", "./usr/lib/python3.11/ensurepip"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestRecipe:
    """The image of one architecture.

    Args:
        arch: Debian's name of it.
        kernel_meta_package: the package that depends on Debian's newest kernel.
        runtimes: one folder each below guest.RUNTIMES_DIR, to be put on PYTHONPATH. Only what importing and running
            needs: the rest of what these wheels declare serves their converters and tools.
        trimmed: what is not unpacked, as patterns of paths.
        packages: Debian's, beside what they depend on.
        unused: of that, what only maintainer scripts, logins by password or an interactive user would need.
        links: symbolic links (path, target) that a maintainer script would have made.
        python_folders: what is compiled to bytecode.
    """

    arch: Arch
    kernel_meta_package: str
    runtimes: Mapping[str, tuple[Wheel, ...]]
    trimmed: tuple[str, ...]
    packages: tuple[str, ...] = PACKAGES
    unused: frozenset[str] = UNUSED_DEPENDENCIES
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    python_folders: tuple[str, ...] = (f"usr/lib/python{PYTHON}", "opt/hilbench/wheels")

    @property
    def runtime_modules(self) -> dict[str, str]:
        """What a program imports of each runtime."""
        return {name: RUNTIME_MODULES[name] for name in RUNTIME_MODULES if name in self.runtimes}


ARM64 = GuestRecipe(
    arch=Arch.ARM64,
    kernel_meta_package="linux-image-arm64",
    runtimes={
        "onnxruntime": (_ONNXRUNTIME, _NUMPY_2),
        "ai-edge-litert": (_LITERT, _NUMPY_2),
        "tflite-runtime": (_TFLITE, _NUMPY_1),
    },
    trimmed=_trimmed("aarch64-linux-gnu"),
)

# For 32-bit ARM nobody publishes a wheel of numpy, onnxruntime or ai-edge-litert; Debian's numpy is 1.24. Its BLAS and
# LAPACK lie in folders of their own, until Debian's alternatives choose among several.
_LIB_32 = "usr/lib/arm-linux-gnueabihf"
ARMHF = GuestRecipe(
    arch=Arch.ARMHF,
    kernel_meta_package="linux-image-armmp",
    runtimes={"tflite-runtime": (_TFLITE_32,)},
    trimmed=(*_trimmed("arm-linux-gnueabihf"), "./usr/lib/python3/dist-packages/numpy/*/tests"),
    packages=(*PACKAGES, "python3-numpy"),
    unused=UNUSED_DEPENDENCIES | {"python3-pkg-resources"},
    links={
        f"{_LIB_32}/libblas.so.3": "blas/libblas.so.3",
        f"{_LIB_32}/liblapack.so.3": "lapack/liblapack.so.3",
    },
    python_folders=(f"usr/lib/python{PYTHON}", "usr/lib/python3/dist-packages", "opt/hilbench/wheels"),
)

RECIPES = {recipe.arch: recipe for recipe in (ARM64, ARMHF)}


def recipe_for(arch: Arch) -> GuestRecipe:
    """The recipe of an architecture. Raises EmulatorError where there is no such emulated board."""
    if arch not in RECIPES:
        raise EmulatorError(f"an emulated board has arch {' or '.join(RECIPES)}, not {arch}")
    return RECIPES[arch]


def recipe_hash(recipe: GuestRecipe) -> str:
    """The first 16 hex digits of the SHA-256 over all that decides what an image is.

    Debian's package versions are not in it: they follow the stable archive, and the image's manifest records them.
    """
    unused = sorted(recipe.unused)
    words: dict[str, object] = {
        "layout": LAYOUT,
        "suite": SUITE,
        "arch": recipe.arch,
        "packages": [recipe.packages, unused, recipe.kernel_meta_package, INITRD_SHELL_PACKAGE],
        "runtimes": {name: [asdict(wheel) for wheel in wheels] for name, wheels in recipe.runtimes.items()},
        "trimmed": recipe.trimmed,
        "disk_bytes": DISK_BYTES,
        "guest": [
            guest.init_script(PYTHON, recipe.runtime_modules),
            guest.INITRD_INIT,
            guest.FILES,
            guest.RUNTIMES_DIR,
            guest.WORKDIR,
        ],
    }
    if recipe.links:  # left out where there are none: images that were built before there were any keep their names
        words["links"] = dict(recipe.links)
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]
