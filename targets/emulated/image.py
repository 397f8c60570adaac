"""The image that emulated boards start from: kernel, initial RAM disk and root disk, kept in a cache by recipe.

Layout of the cache (`HILBENCH_IMAGE_CACHE`, else `~/.cache/hilbench/images`): `<recipe hash>/` is a finished image,
`downloads/` keeps packages and wheels for the next build, `.build-*` is one in the making. A finished image never
changes; a folder becomes one by a rename, so an interrupted build leaves nothing that could be taken for an image.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..board import Arch
from ..errors import EmulatorError
from . import bare, recipe, rootfs
from .apt import GuestApt, Package, archive_keyring, host_mirror
from .host import running_commands
from .kernel import take_kernel
from .keys import dropbear_key, make_key
from .recipe import GuestRecipe
from .wheels import fetch_wheels, unpack_runtimes

CACHE_SETTING = "HILBENCH_IMAGE_CACHE"
Progress = Callable[[str], None]
# Builds all files of an image: its folder, a scratch folder, the folder of downloads, progress.
Fill = Callable[[Path, Path, Path, Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A finished image. `host_key` is the guest's OpenSSH public line, `key_file` the private key that opens it.

    `recipe_hash` names what was asked for, `contents_hash` what came of it: the versions of all packages and wheels.
    """

    folder: Path
    kernel: Path
    initrd: Path
    disk: Path
    key_file: Path
    host_key: str
    recipe_hash: str
    contents_hash: str
    kernel_abi: str
    arch: Arch


def image_cache() -> Path:
    """The folder of all images of this account."""
    named = os.environ.get(CACHE_SETTING)
    if named:
        return Path(named).expanduser().absolute()
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache_home).expanduser().absolute() / "hilbench" / "images"


def find_image(arch: Arch = Arch.ARM64) -> Image | None:
    """The image of today's recipe for an architecture, or None where it was not built yet."""
    return _find(recipe.recipe_hash(recipe.recipe_for(arch)))


def ensure_image(progress: Progress, arch: Arch = Arch.ARM64) -> Image:
    """The image of today's recipe for an architecture; built when the cache lacks it.

    That takes some 15 s and downloads 154 MB (arm64) or 75 MB (armhf). Raises EmulatorError.
    """
    made = recipe.recipe_for(arch)

    def fill(folder: Path, scratch: Path, downloads: Path, progress: Progress) -> None:
        _fill(made, folder, scratch, downloads, progress)

    return build_once(recipe.recipe_hash(made), fill, progress)


def build_once(name: str, fill: Fill, progress: Progress) -> Image:
    """The image of that name from the cache, else built there by `fill`.

    Two processes build it once: the second waits for the first. Raises EmulatorError.
    """
    image = _find(name)
    if image is not None:
        return image
    cache = image_cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmulatorError(f"the folder for images cannot be made: {cache}: {error.strerror}") from error
    with _build_lock(cache, progress):
        image = _find(name)
        return image if image is not None else _build(cache, name, fill, progress)


def superseded_images() -> list[Path]:
    """Folders in the cache that are none of today's images and that no running board uses: what may be deleted."""
    folders = (manifest.parent for manifest in sorted(image_cache().glob("*/manifest.json")))
    current = {*map(recipe.recipe_hash, recipe.RECIPES.values()), *map(bare.image_name, bare.SUITES)}
    used = b"".join(running_commands())
    return [folder for folder in folders if folder.name not in current and f"{folder}/".encode() not in used]


def _find(name: str) -> Image | None:
    folder = image_cache() / name
    return _read_image(folder) if (folder / "manifest.json").is_file() else None


def _build(cache: Path, name: str, fill: Fill, progress: Progress) -> Image:
    for leftover in cache.glob(".build-*"):  # under the lock nobody else builds: these are of a build that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=cache))
    started = time.monotonic()
    try:
        folder = scratch / "image"
        folder.mkdir(mode=0o700)  # the disk holds the guest's private host key
        fill(folder, scratch, cache / "downloads", progress)
        target = cache / name
        shutil.rmtree(target, ignore_errors=True)  # a folder without a manifest is no image
        folder.rename(target)
    except OSError as error:
        raise EmulatorError(f"building the image in {cache}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    progress(f"emulated board: image built in {time.monotonic() - started:.0f} s")
    return _read_image(target)


def _fill(made: GuestRecipe, folder: Path, scratch: Path, downloads: Path, progress: Progress) -> None:
    """Build all files of an image in `folder`; the manifest comes last."""
    progress(f"emulated board: downloading Debian 12 for {made.arch}")
    # A folder of apt's own for each architecture; wheels of all lie together, as their names tell them apart.
    place = downloads if made.arch is Arch.ARM64 else downloads / made.arch
    apt = GuestApt(place, suite=recipe.SUITE, arch=made.arch, mirror=host_mirror(), keyring=archive_keyring())
    apt.update()
    packages = [p for p in apt.closure(made.packages) if p.name not in made.unused]
    kernel_package = apt.version_of(apt.kernel_package(made.kernel_meta_package))
    shell_package = apt.version_of(recipe.INITRD_SHELL_PACKAGE)
    *debs, kernel_deb, shell_deb = apt.download([*packages, kernel_package, shell_package])

    progress("emulated board: downloading the inference runtimes")
    wheels = fetch_wheels([w for group in made.runtimes.values() for w in group], made.arch, downloads / "wheels")

    progress("emulated board: building the disk")
    take_kernel(kernel_deb, shell_deb, scratch, kernel=folder / "kernel", initrd=folder / "initrd")
    authorized_key = make_key(folder / "key", "hilbench controller")
    host_key = make_key(scratch / "host_key", "emulated board")
    root = scratch / "root"
    rootfs.unpack_packages(debs, root, made.trimmed)
    unpack_runtimes(made.runtimes, wheels, root)
    secret = dropbear_key((scratch / "host_key").read_text())
    rootfs.complete(root, made, authorized_key=authorized_key, host_key=secret)
    python = rootfs.python_for_guest()
    if python is not None:
        rootfs.compile_python(root, python, made.python_folders)
    rootfs.make_disk(root, folder / "disk.ext4")
    write_manifest(
        folder,
        name=recipe.recipe_hash(made),
        arch=made.arch,
        packages=[*packages, kernel_package, shell_package],
        wheels={wheels[wheel].name: wheel.sha256 for wheel in wheels},
        kernel_abi=kernel_package.name.removeprefix("linux-image-"),
        host_key=" ".join(host_key.split()[:2]),
        bytecode=python is not None,
    )


def write_manifest(
    folder: Path,
    *,
    name: str,
    arch: Arch,
    packages: list[Package],
    wheels: dict[str, str],
    kernel_abi: str,
    host_key: str,
    bytecode: bool,
) -> None:
    """Write the file that makes a folder an image; what its contents hash to is in it."""
    contents: dict[str, Any] = {"packages": {p.name: p.version for p in packages}, "wheels": wheels}
    manifest = {
        "recipe_hash": name,
        "arch": arch,
        "contents_hash": hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:16],
        "kernel_abi": kernel_abi,
        "host_key": host_key,
        "bytecode": bytecode,
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **contents,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _read_image(folder: Path) -> Image:
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        return Image(
            folder=folder,
            kernel=folder / "kernel",
            initrd=folder / "initrd",
            disk=folder / "disk.ext4",
            key_file=folder / "key",
            host_key=manifest["host_key"],
            recipe_hash=manifest["recipe_hash"],
            contents_hash=manifest["contents_hash"],
            kernel_abi=manifest["kernel_abi"],
            arch=Arch(manifest.get("arch", Arch.ARM64)),  # of before there were others
        )
    except (OSError, ValueError, KeyError) as error:
        raise EmulatorError(f"{folder} is no image any more ({error}): delete it, it will be built again") from error


@contextmanager
def _build_lock(cache: Path, progress: Progress) -> Generator[None]:
    with (cache / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("emulated board: another process builds the image; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
