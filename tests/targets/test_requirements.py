from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.targets import requirements
from hilbench.targets.emulated import apt
from hilbench.targets.requirements import (
    image_problem,
    install_command,
    install_download_bytes,
    missing_packages,
    sum_of_uris,
)


def test_machine_with_nothing_lacks_each_package_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(requirements, "find_program", lambda _name: None)
    monkeypatch.setattr(apt, "KEYRINGS", (tmp_path / "none",))
    packages = missing_packages()
    assert packages == sorted(set(packages))
    assert {"qemu-system-arm", "qemu-utils", "e2fsprogs", "openssh-client", "debian-archive-keyring"} <= set(packages)


def test_program_of_an_administrator_is_found_without_its_folder_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = requirements.find_program("mkfs.ext4")
    assert found is not None
    assert found.endswith("sbin/mkfs.ext4")


@pytest.mark.parametrize(("uid", "first"), [(0, "apt-get"), (1000, "sudo")])
def test_install_command_asks_for_rights_only_where_they_are_missing(
    uid: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    command = install_command(["qemu-utils", "tar"])
    assert command[0] == first
    assert command[-2:] == ["qemu-utils", "tar"]


def test_download_size_is_the_sum_of_the_files_that_apt_names() -> None:
    text = (
        "Reading package lists...\n"
        "'scheme://mirror.example/pool/q/qemu-utils_7.2_amd64.deb' qemu-utils_7.2_amd64.deb 1500 SHA256:00\n"
        "'scheme://mirror.example/pool/l/liba_1%2b2_amd64.deb' liba_1%2b2_amd64.deb 500 MD5Sum:00\n"
    )
    assert sum_of_uris(text) == 2000


def test_unknown_size_is_not_shown_as_nothing() -> None:
    assert install_download_bytes([]) == 0
    assert install_download_bytes(["no-such-package-anywhere"]) is None


def test_host_that_cannot_build_an_image_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HILBENCH_IMAGE_CACHE", str(tmp_path))
    monkeypatch.setenv("HILBENCH_DEBIAN_MIRROR", "http://127.0.0.1:1/debian")
    problem = image_problem()
    assert problem is not None
    assert "Failed to fetch" in problem


def test_host_without_apt_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_program", lambda _name: None)
    assert "no apt" in (image_problem() or "")


def test_this_host_can_build_an_image() -> None:
    assert image_problem() is None
