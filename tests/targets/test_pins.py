"""Which release goes onto which board, and the sentence where none can."""

from __future__ import annotations

import pytest
from hilbench.targets.board import Arch
from hilbench.targets.errors import NoWheelError
from hilbench.targets.pins import Pin, own_numpy_sentence, pin_for


@pytest.mark.parametrize(
    ("runtime", "arch", "python", "version", "numpy"),
    [
        ("onnxruntime", Arch.ARM64, (3, 10), "1.23.2", "2.2.6"),
        ("onnxruntime", Arch.ARM64, (3, 13), "1.32.0", "2.4.6"),
        ("onnxruntime", Arch.X86_64, (3, 11), "1.32.0", "2.4.6"),
        ("ai-edge-litert", Arch.ARM64, (3, 13), "2.3.0", "2.4.6"),
        ("tflite-runtime", Arch.ARM64, (3, 11), "2.14.0", "1.26.4"),
        ("tflite-runtime", Arch.ARMHF, (3, 11), "2.14.0", None),
    ],
)
def test_each_python_gets_the_release_that_has_a_wheel_for_it(
    runtime: str, arch: Arch, python: tuple[int, int], version: str, numpy: str | None
) -> None:
    assert pin_for(runtime, arch=arch, python=python) == Pin(runtime=runtime, version=version, numpy=numpy)


def test_the_inventory_chooses_other_releases() -> None:
    pin = pin_for("onnxruntime", arch=Arch.ARM64, python=(3, 11), version="1.17.3", numpy="1.26.4")
    assert pin == Pin(runtime="onnxruntime", version="1.17.3", numpy="1.26.4")
    # A release that no table knows may exist all the same: the index is asked.
    assert pin_for("tflite-runtime", arch=Arch.ARM64, python=(3, 13), version="9.9").version == "9.9"


def test_tflite_runtime_on_a_newer_python_points_to_the_runtime_that_serves() -> None:
    with pytest.raises(NoWheelError) as caught:
        pin_for("tflite-runtime", arch=Arch.ARM64, python=(3, 13))
    assert str(caught.value) == (
        "no wheel of tflite-runtime is published for Python 3.13 on 64-bit ARM, only for 3.10 and 3.11: use "
        "ai-edge-litert, which runs the same files, or name with `python:` an interpreter on the board that is one of "
        "these"
    )


def test_32_bit_boards_are_told_what_there_is_for_them() -> None:
    with pytest.raises(NoWheelError, match=r"Python 3\.13 on 32-bit ARM, only for 3\.11: name with `python:`"):
        pin_for("tflite-runtime", arch=Arch.ARMHF, python=(3, 13))
    with pytest.raises(
        NoWheelError, match=r"onnxruntime is published for 32-bit ARM: use tflite-runtime with Python 3"
    ):
        pin_for("onnxruntime", arch=Arch.ARMHF, python=(3, 11))
    pin = pin_for("tflite-runtime", arch=Arch.ARMHF, python=(3, 11))
    assert "ask who administers it for numpy" in own_numpy_sentence("pi2", pin, Arch.ARMHF)
