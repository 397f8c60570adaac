"""What an image of the emulated board is made of: data only, with the hash that names the image.

The guest is always Debian 12 on arm64, whatever the host is: tflite-runtime has wheels up to Python 3.11 only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from . import guest

SUITE = "bookworm"
ARCH = "arm64"
PYTHON = "3.11"
KERNEL_META_PACKAGE = "linux-image-arm64"
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

# One folder per runtime below guest.RUNTIMES_DIR, to be put on PYTHONPATH. Only what importing and running needs:
# the rest of what these wheels declare serves their converters and tools.
RUNTIMES: dict[str, tuple[Wheel, ...]] = {
    "onnxruntime": (_ONNXRUNTIME, _NUMPY_2),
    "ai-edge-litert": (_LITERT, _NUMPY_2),
    "tflite-runtime": (_TFLITE, _NUMPY_1),
}

# What a program imports of each runtime.
RUNTIME_MODULES = {
    "onnxruntime": "onnxruntime",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}

# pip takes tags literally and widens none.
WHEEL_PLATFORMS = tuple(
    f"manylinux{version}_aarch64" for version in ("_2_34", "_2_31", "_2_28", "_2_27", "_2_17", "2014")
)

# Not unpacked: documentation, translations, and the parts of Python that need a display or another C compiler.
TRIMMED = (
    *("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/lintian", "./usr/share/bug"),
    *("./usr/share/info", "./usr/share/doc-base", "./usr/share/applications", "./usr/share/pixmaps"),
    *("./usr/share/initramfs-tools", "./usr/lib/aarch64-linux-gnu/gconv", "./usr/lib/python3.11/pydoc_data"),
    *("./usr/lib/python3.11/lib2to3", "./usr/lib/python3.11/idlelib", "./usr/lib/python3.11/ensurepip"),
)


def recipe_hash() -> str:
    """The first 16 hex digits of the SHA-256 over all that decides what an image is.

    Debian's package versions are not in it: they follow the stable archive, and the image's manifest records them.
    """
    recipe = {
        "layout": LAYOUT,
        "suite": SUITE,
        "arch": ARCH,
        "packages": [PACKAGES, sorted(UNUSED_DEPENDENCIES), KERNEL_META_PACKAGE, INITRD_SHELL_PACKAGE],
        "runtimes": {name: [asdict(wheel) for wheel in wheels] for name, wheels in RUNTIMES.items()},
        "trimmed": TRIMMED,
        "disk_bytes": DISK_BYTES,
        "guest": [
            guest.init_script(PYTHON, RUNTIME_MODULES),
            guest.INITRD_INIT,
            guest.FILES,
            guest.RUNTIMES_DIR,
            guest.WORKDIR,
        ],
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
