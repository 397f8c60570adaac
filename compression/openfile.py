"""Open an artifact on this machine in the model's own terms, in the runtime that a board has or in the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .host import HostRuntime, host_runtime_name, open_model
from .interface import Interface
from .judge import judge_name, open_judge
from .task import Array


def runtime_name(file_format: str, runtime: str | None) -> str | None:
    """Return name and version of the runtime that would judge such a file here, None if there is none.

    `runtime` is what the board has (`tflite-runtime`); None, or a program of the user's own, means the usual one.
    """
    if runtime is None or not _fits(file_format, runtime):
        return host_runtime_name(file_format) or _boards_own(file_format)
    return judge_name(runtime)


def open_file(
    path: Path, file_format: str, interface: Interface | None, *, runtime: str | None = None, doing: str
) -> HostRuntime | None:
    """Load a model file; what is returned takes the model's inputs and gives the model's outputs, however the file
    calls and orders them. None where this machine has no such runtime. Errors as in `open_model` and `open_judge`."""
    own = runtime is None or not _fits(file_format, runtime)
    opened = open_model(path, file_format, doing=doing) if own else open_judge(path, str(runtime), doing=doing)
    if opened is None and own and file_format == "tflite":
        opened = open_judge(path, "tflite-runtime", doing=doing)
    return opened if opened is None or interface is None else _translated(opened, interface)


def _translated(opened: HostRuntime, interface: Interface) -> HostRuntime:
    def run(sample: Mapping[str, Array]) -> dict[str, Array]:
        return interface.from_file(opened.run(interface.to_file(sample)))

    return replace(opened, run=run)


def _fits(file_format: str, runtime: str) -> bool:
    return runtime in (("onnxruntime",) if file_format == "onnx" else ("tflite-runtime", "ai-edge-litert"))


def _boards_own(file_format: str) -> str | None:
    return judge_name("tflite-runtime") if file_format == "tflite" else None
