"""What a board's Python is, and one sentence for each that no wheel fits."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from typing import Any

import pytest
from hilbench.targets.board import Arch
from hilbench.targets.errors import NoWheelError, TargetError
from hilbench.targets.interpreter import Interpreter, look_at, parse_look, wheel_target
from hilbench.targets.local import open_local
from hilbench.targets.wheels import WheelTarget

ANSWER: dict[str, Any] = {
    "python": [3, 11],
    "implementation": "CPython",
    "free_threaded": False,
    "machine": "aarch64",
    "bits": 64,
    "libc": "glibc 2.36",
    "numpy": False,
    "own": "/var/tmp/hilbench/account-1000",
    "installed": {
        "/x/onnxruntime-1.32.0-ab": {"runtime": "onnxruntime", "version": "1.32.0", "numpy": "2.4.6", "python": [3, 11]}
    },
    "noexec": False,
    "free_bytes": 10**9,
}


def interpreter(**changes: object) -> Interpreter:
    return replace(parse_look("python3", ANSWER), **changes)  # pyright: ignore[reportArgumentType]


def test_this_machines_interpreter_says_what_it_is(tmp_path: Any) -> None:
    found = look_at(open_local(), "this machine", sys.executable, str(tmp_path / "work"))
    assert found.python == sys.version_info[:2]
    assert found.machine == platform.machine()
    assert found.own.startswith(str(tmp_path / "work"))
    assert found.free_bytes > 0
    assert found.installed == ()
    assert wheel_target("this machine", found).glibc >= (2, 17)


def test_an_ordinary_board_names_what_a_wheel_must_fit() -> None:
    assert wheel_target("pi", interpreter()) == WheelTarget(arch=Arch.ARM64, python=(3, 11), glibc=(2, 36))
    (one,) = interpreter().installed
    assert (one.runtime, one.version, one.numpy, one.python) == ("onnxruntime", "1.32.0", "2.4.6", (3, 11))


def test_a_32_bit_system_on_a_64_bit_kernel_is_a_32_bit_board() -> None:
    assert wheel_target("pi", parse_look("python3", {**ANSWER, "bits": 32})).arch is Arch.ARMHF


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"python": (3, 9)}, "python3 on pi is CPython 3.9, and hilbench needs Python 3.10 or newer there: name with"),
        ({"implementation": "PyPy"}, "python3 on pi is PyPy 3.11, for which no runtime is published"),
        ({"free_threaded": True}, "CPython 3.11 without a global lock, for which no runtime is published"),
        ({"machine": "riscv64"}, "pi is a riscv64, for which no runtime is published"),
        ({"libc": None}, "pi has another C library than glibc (musl, as on Alpine)"),
    ],
)
def test_each_board_that_no_wheel_fits_is_told_why(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(NoWheelError) as caught:
        wheel_target("pi", interpreter(**changes))
    assert sentence in str(caught.value)
    assert "`python:`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_interpreter_is_said_with_what_to_install(tmp_path: Any) -> None:
    with pytest.raises(TargetError, match=r"pi has no python3\.99: hilbench needs Python 3\.10 or newer there"):
        look_at(open_local(), "pi", "python3.99", str(tmp_path))
    plain = tmp_path / "python"
    plain.write_text("#!/bin/sh\n")
    with pytest.raises(TargetError, match="may not be executed by this account"):
        look_at(open_local(), "pi", str(plain), str(tmp_path))
    plain.chmod(0o755)
    with pytest.raises(TargetError, match="cannot be asked what it is"):
        look_at(open_local(), "pi", str(plain), str(tmp_path))
