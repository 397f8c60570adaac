"""Wheel names and tags (pure), and the cache of wheels with real wheels from the index that pip is set up for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.targets.board import Arch
from hilbench.targets.errors import NoWheelError, TargetError
from hilbench.targets.wheels import (
    WheelName,
    WheelTarget,
    find_wheel,
    fits,
    least_glibc,
    needed,
    parse_wheel_name,
    platform_tags,
    sha256_of,
    unpacked_bytes,
)

BOOKWORM = WheelTarget(arch=Arch.ARM64, python=(3, 11), glibc=(2, 36))


def wheel(name: str) -> WheelName:
    parsed = parse_wheel_name(name)
    assert parsed is not None
    return parsed


def test_tags_are_all_that_the_glibc_allows_and_none_above() -> None:
    tags = platform_tags(Arch.ARM64, (2, 28))
    assert tags[0] == "manylinux_2_28_aarch64"
    assert "manylinux2014_aarch64" in tags
    assert "manylinux_2_17_aarch64" in tags
    assert not any("2_29" in tag or "2_31" in tag for tag in tags)
    assert "manylinux2014_armv7l" not in platform_tags(Arch.ARMHF, (2, 16))
    assert platform_tags(Arch.X86_64, (2, 36))[-1] == "manylinux1_x86_64"


def test_a_wheel_name_is_read_with_all_its_tags() -> None:
    parsed = wheel("ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl")
    assert (parsed.name, parsed.version) == ("ai-edge-litert", "2.3.0")
    assert parsed.platforms == ("manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
    assert parse_wheel_name("numpy-2.4.6.tar.gz") is None
    assert parse_wheel_name("numpy.whl") is None


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", True),
        ("numpy-2.4.6-cp312-cp312-manylinux_2_28_aarch64.whl", False),
        ("numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl", False),
        ("numpy-2.4.6-cp311-cp311-musllinux_1_2_aarch64.whl", False),
        ("newer-1.0-cp311-cp311-manylinux_2_39_aarch64.whl", False),
        ("stable-1.0-cp38-abi3-manylinux2014_aarch64.whl", True),
        ("stable-1.0-cp312-abi3-manylinux2014_aarch64.whl", False),
        ("pure-1.0-py3-none-any.whl", True),
        ("old-1.0-py2-none-any.whl", False),
    ],
)
def test_a_wheel_fits_by_python_machine_and_glibc(name: str, fitting: bool) -> None:
    assert fits(wheel(name), BOOKWORM) is fitting


def test_the_least_glibc_of_a_wheel_is_that_of_its_widest_tag() -> None:
    assert least_glibc(("manylinux_2_28_aarch64", "manylinux_2_27_aarch64")) == (2, 27)
    assert least_glibc(("manylinux2014_x86_64", "manylinux_2_17_x86_64")) == (2, 17)
    assert least_glibc(("any",)) is None


def test_tests_and_headers_are_not_unpacked() -> None:
    assert [needed(n) for n in ("numpy/core.py", "numpy/tests/test_x.py", "numpy/a.h")] == [True, False, False]


def test_a_wheel_is_fetched_once_and_found_again_without_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    sha256, file = find_wheel(tmp_path, "tflite-runtime", "2.14.0", BOOKWORM, say=said.append)
    assert file == tmp_path / sha256 / "tflite_runtime-2.14.0-cp311-cp311-manylinux_2_34_aarch64.whl"
    assert sha256_of(file) == sha256
    assert unpacked_bytes(file) > file.stat().st_size
    assert len(said) == 1
    assert not list(tmp_path.glob(".download-*"))
    no_index(monkeypatch)
    assert find_wheel(tmp_path, "tflite-runtime", "2.14.0", BOOKWORM, say=said.append) == (sha256, file)
    assert len(said) == 1
    # What another thread downloads at this moment is neither used nor touched.
    halfway = tmp_path / ".download-x" / file.name
    halfway.parent.mkdir()
    halfway.write_bytes(b"half")
    assert find_wheel(tmp_path, "tflite-runtime", "2.14.0", BOOKWORM, say=said.append) == (sha256, file)
    assert halfway.exists()
    # A file whose bytes changed is not used any more: it is asked for again, and no index answers.
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TargetError, match="name a folder that has the wheel by pip's own PIP_FIND_LINKS"):
        find_wheel(tmp_path, "tflite-runtime", "2.14.0", BOOKWORM, say=said.append)
    assert not file.exists()


def test_a_glibc_that_is_too_old_is_told_from_a_wheel_that_does_not_exist(tmp_path: Path) -> None:
    old = WheelTarget(arch=Arch.ARM64, python=(3, 11), glibc=(2, 31))
    with pytest.raises(NoWheelError) as caught:
        find_wheel(tmp_path, "tflite-runtime", "2.14.0", old, say=print)
    assert "needs glibc 2.34 or newer, and the board has glibc 2.31" in str(caught.value)
    newest = WheelTarget(arch=Arch.ARM64, python=(3, 13), glibc=(2, 41))
    with pytest.raises(NoWheelError) as caught:
        find_wheel(tmp_path, "tflite-runtime", "2.14.0", newest, say=print)
    assert "no wheel of tflite-runtime 2.14.0 is published for Python 3.13 on 64-bit ARM" in str(caught.value)
    assert not list(tmp_path.iterdir())


def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip as on a machine without internet: an index where nobody listens, no folders of wheels, no settings file."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
