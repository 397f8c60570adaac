"""Which release of a runtime is put on a board that lacks it: pinned by architecture and Python. Pure.

An inventory may name another release (`runtimes: [{name: onnxruntime, version: 1.30.0}]`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .board import Arch
from .errors import NoWheelError

PythonVersion = tuple[int, int]

_ONNXRUNTIME = {(3, 10): "1.23.2", (3, 11): "1.32.0", (3, 12): "1.32.0", (3, 13): "1.32.0"}
_LITERT = {(3, 10): "2.3.0", (3, 11): "2.3.0", (3, 12): "2.3.0", (3, 13): "2.3.0"}
_TFLITE = {(3, 10): "2.14.0", (3, 11): "2.14.0"}
_VERSIONS: dict[tuple[str, Arch], dict[PythonVersion, str]] = {
    **{("onnxruntime", arch): _ONNXRUNTIME for arch in (Arch.ARM64, Arch.X86_64)},
    **{("ai-edge-litert", arch): _LITERT for arch in (Arch.ARM64, Arch.X86_64)},
    **{("tflite-runtime", arch): _TFLITE for arch in (Arch.ARM64, Arch.X86_64)},
    ("tflite-runtime", Arch.ARMHF): {(3, 11): "2.14.0"},
}
# tflite-runtime was compiled against numpy 1: with numpy 2 it fails when a model is opened.
_NUMPY_FOR_TFLITE = "1.26.4"
_NUMPY_OF_PYTHON = {(3, 10): "2.2.6"}
_NUMPY = "2.4.6"

_ARCH_WORDS = {Arch.ARM64: "64-bit ARM", Arch.ARMHF: "32-bit ARM", Arch.X86_64: "x86-64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A runtime's release and that of the numpy beside it; `numpy` None = the board's own, as no wheel exists."""

    runtime: str
    version: str
    numpy: str | None


def pin_for(
    runtime: str, *, arch: Arch, python: PythonVersion, version: str | None = None, numpy: str | None = None
) -> Pin:
    """What to put on a board with this interpreter; `version` and `numpy` are the inventory's own choice.

    Raises NoWheelError, one sentence with what to do, where no release is known to have a wheel.
    """
    chosen = version or _VERSIONS.get((runtime, arch), {}).get(python)
    if chosen is None:
        raise NoWheelError(no_wheel_sentence(runtime, arch, python))
    return Pin(runtime=runtime, version=chosen, numpy=numpy or _numpy(runtime, arch, python))


def no_wheel_sentence(runtime: str, arch: Arch, python: PythonVersion) -> str:
    """Why there is no wheel of a runtime for an interpreter, and what to do."""
    known = sorted(_VERSIONS.get((runtime, arch), {}))
    where = f"Python {_dotted(python)} on {_ARCH_WORDS[arch]}"
    if not known:
        return (
            f"no wheel of {runtime} is published for {_ARCH_WORDS[arch]}: use tflite-runtime with Python 3.11, or name "
            "with `python:` an interpreter on the board that has a build of it"
        )
    other = "use ai-edge-litert, which runs the same files, or " if _litert_serves(runtime, arch, python) else ""
    return (
        f"no wheel of {runtime} is published for {where}, only for {_listed(known)}: {other}name with `python:` an "
        f"interpreter on the board that is one of these"
    )


def own_numpy_sentence(board: str, pin: Pin, arch: Arch) -> str:
    """What to do where a runtime needs the board's own numpy and the board has none."""
    return (
        f"{pin.runtime} needs numpy, of which no wheel is published for {_ARCH_WORDS[arch]}, and {board} has none: ask "
        "who administers it for numpy (on Debian the package python3-numpy)"
    )


def arch_words(arch: Arch) -> str:
    """An architecture as a person says it."""
    return _ARCH_WORDS[arch]


def _litert_serves(runtime: str, arch: Arch, python: PythonVersion) -> bool:
    return runtime == "tflite-runtime" and python in _VERSIONS.get(("ai-edge-litert", arch), {})


def _numpy(runtime: str, arch: Arch, python: PythonVersion) -> str | None:
    if arch is Arch.ARMHF:
        return None
    return _NUMPY_FOR_TFLITE if runtime == "tflite-runtime" else _NUMPY_OF_PYTHON.get(python, _NUMPY)


def _dotted(python: PythonVersion) -> str:
    return f"{python[0]}.{python[1]}"


def _listed(versions: Sequence[PythonVersion]) -> str:
    *most, last = map(_dotted, versions)
    return f"{', '.join(most)} and {last}" if most else last
