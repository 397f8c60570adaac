"""Images built for real, from this host's mirror; downloads are shared with the account's own cache."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hilbench.targets.emulated import apt, rootfs
from hilbench.targets.emulated.image import Image, ensure_image, find_image, image_cache, superseded_images
from hilbench.targets.emulated.machine import open_machine
from hilbench.targets.errors import EmulatorError

# Builds as a host does whose Python cannot compile the guest's: most hosts, and the slower way for the guest.
BUILD = """
from hilbench.targets.emulated import image, rootfs
rootfs.python_for_guest = lambda: None
print(image.ensure_image(print).host_key)
"""


@dataclass(frozen=True, kw_only=True)
class Builds:
    """What became of three builders in one cache: one killed in the middle, then two at once."""

    cache: Path
    image_after_kill: Image | None
    outputs: list[str]
    image: Image


@pytest.fixture(scope="module")
def builds(emulator_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    """Three builders in an empty cache that shares the downloads with the account's own."""
    cache = tmp_path_factory.mktemp("images")
    (cache / "downloads").symlink_to(emulator_image.folder.parent / "downloads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HILBENCH_IMAGE_CACHE", str(cache))
        killed = start_build()
        while not list(cache.glob(".build-*/root/usr")):
            assert killed.poll() is None
            time.sleep(0.05)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        after_kill = find_image()
        both = [start_build(), start_build()]
        outputs = [process.communicate(timeout=300)[0] for process in both]
        image = find_image()
        assert image is not None
        yield Builds(cache=cache, image_after_kill=after_kill, outputs=outputs, image=image)
    shutil.rmtree(cache)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "images"
    monkeypatch.setenv("HILBENCH_IMAGE_CACHE", str(cache))
    return cache


def start_build() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BUILD], stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_image_has_all_its_parts_and_a_manifest_that_pins_them(emulator_image: Image) -> None:
    manifest = json.loads((emulator_image.folder / "manifest.json").read_text())
    assert emulator_image.kernel.read_bytes()[56:60] == b"ARM\x64"  # the magic of an arm64 Image
    assert emulator_image.initrd.read_bytes()[:6] == b"070701"
    assert emulator_image.disk.stat().st_size == 2 * 1024**3
    assert emulator_image.disk.stat().st_blocks * 512 < 400_000_000  # sparse
    assert manifest["packages"]["python3.11"].startswith("3.11.")
    assert len(manifest["wheels"]) == 5
    assert find_image() == emulator_image


def test_disk_is_a_sound_file_system_that_belongs_to_root(emulator_image: Image) -> None:
    check = subprocess.run(["e2fsck", "-fn", str(emulator_image.disk)], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout
    listing = subprocess.run(
        ["debugfs", "-R", "ls -l /root/.ssh", str(emulator_image.disk)], capture_output=True, text=True, check=True
    ).stdout
    (line,) = [line for line in listing.splitlines() if "authorized_keys" in line]
    assert line.split()[1:5] == ["100600", "(1)", "0", "0"]


def test_files_of_an_ordinary_account_belong_to_root_on_the_disk(tmp_path: Path) -> None:
    root, disk = tmp_path / "root", tmp_path / "disk"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "last").write_text("x")
    disk.write_bytes(b"")
    os.truncate(disk, 16 * 1024**2)
    for path in (root, root / "folder", root / "folder" / "last"):
        os.chown(path, 1234, 1234) if os.geteuid() == 0 else None
    subprocess.run(["mkfs.ext4", "-q", "-E", "root_owner=0:0", "-d", str(root), str(disk)], check=True)
    rootfs.give_to_root(disk, inodes=2, doing="testing")
    for name in ("/folder", "/folder/last"):
        stat = subprocess.run(["debugfs", "-R", f"stat {name}", str(disk)], capture_output=True, text=True, check=True)
        assert "User:     0   Group:     0" in stat.stdout
    assert subprocess.run(["e2fsck", "-fn", str(disk)], capture_output=True, check=False).returncode == 0


def test_killed_build_leaves_nothing_that_is_taken_for_an_image(builds: Builds) -> None:
    assert builds.image_after_kill is None
    assert list(builds.cache.glob(".build-*")) == []


def test_two_builders_at_once_make_one_image(builds: Builds) -> None:
    assert sorted(output.count("image built in") for output in builds.outputs) == [0, 1]
    assert {output.splitlines()[-1] for output in builds.outputs} == {builds.image.host_key}


def test_image_and_its_keys_are_closed_to_other_accounts(builds: Builds) -> None:
    assert builds.image.folder.stat().st_mode & 0o777 == 0o700
    assert builds.image.key_file.stat().st_mode & 0o777 == 0o600


def test_two_builds_of_one_recipe_have_equal_contents_and_different_keys(builds: Builds, emulator_image: Image) -> None:
    assert builds.image.contents_hash == emulator_image.contents_hash
    assert builds.image.host_key != emulator_image.host_key


def test_image_without_bytecode_gets_it_at_its_first_boot(
    builds: Builds, host_folder: Path, guest_run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert json.loads((builds.image.folder / "manifest.json").read_text())["bytecode"] is False
    with open_machine("plain", "cortex-a72", 512, builds.image, progress=print) as machine:
        answer = guest_run(machine, "ls /opt/hilbench/runtimes/*/numpy/__pycache__/__init__.cpython-311.pyc | wc -l")
        assert answer.stdout.split() == ["3"]


def test_unreachable_mirror_is_one_sentence_and_nothing_is_left(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILBENCH_DEBIAN_MIRROR", "http://127.0.0.1:1/debian")
    with pytest.raises(
        EmulatorError, match="package index for the emulated board: apt-get failed: E: Failed to fetch"
    ) as e:
        ensure_image(print)
    assert "\n" not in str(e.value)
    assert list(empty_cache.glob(".build-*")) == []
    assert find_image() is None


def test_host_without_debian_sources_is_told_which_setting_names_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HILBENCH_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(apt, "_host_sources", list)
    with pytest.raises(EmulatorError, match="set HILBENCH_DEBIAN_MIRROR to the URL of a Debian mirror"):
        apt.host_mirror()


def test_missing_keyring_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apt, "KEYRINGS", (tmp_path / "none.gpg",))
    with pytest.raises(EmulatorError, match="install the package debian-archive-keyring"):
        apt.archive_keyring()


def test_archive_signed_by_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = tmp_path / "debian/dists/bookworm/InRelease"
    release.parent.mkdir(parents=True)
    release.write_text("Origin: Debian\nSuite: bookworm\nCodename: bookworm\n")
    monkeypatch.setenv("HILBENCH_DEBIAN_MIRROR", f"file:{tmp_path}/debian")
    with pytest.raises(EmulatorError, match="apt-get failed: E: "):
        apt.check_archive("bookworm", "arm64")


def test_hosts_own_mirror_serves_the_guests_suite() -> None:
    apt.check_archive("bookworm", "arm64")


def test_damaged_image_says_what_to_do(emulator_image: Image, empty_cache: Path) -> None:
    folder = image_cache() / emulator_image.recipe_hash
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(EmulatorError, match=r"is no image any more .*: delete it"):
        ensure_image(print)


def test_images_of_older_recipes_are_listed_and_todays_is_not(emulator_image: Image, empty_cache: Path) -> None:
    for name in (emulator_image.recipe_hash, "0000000000000000"):
        (empty_cache / name).mkdir(parents=True)
        (empty_cache / name / "manifest.json").write_text("{}")
    (empty_cache / ".build-x").mkdir()
    (empty_cache / "downloads").mkdir()
    assert superseded_images() == [empty_cache / "0000000000000000"]


def test_cache_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HILBENCH_IMAGE_CACHE", str(tmp_path / "file" / "images"))
    with pytest.raises(EmulatorError, match="the folder for images cannot be made"):
        ensure_image(print)
