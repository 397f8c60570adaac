"""What the inventory may say of an emulated board: its architecture, its CPU and its runtimes must fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from .board import Arch, BoardRuntime

# What the image of each architecture has: the keys of its recipe's runtimes (a test compares them).
EMULATED_RUNTIMES = {
    Arch.ARM64: ("onnxruntime", "tflite-runtime", "ai-edge-litert"),
    Arch.ARMHF: ("tflite-runtime",),
}
EMULATED_RUNTIME_FOLDER = "/opt/hilbench/runtimes"


def emulated_arch(cpu: str | None) -> Arch:
    """The architecture of a board that names only its CPU."""
    return Arch.ARMHF if cpu in cpu_models()[Arch.ARMHF] else Arch.ARM64


def cpu_models() -> dict[Arch, tuple[str, ...]]:
    """What QEMU emulates of each architecture."""
    from .inventory_schema import Cpu32, Cpu64  # pydantic is slow to import, and not every verb reads an inventory

    return {Arch.ARM64: get_args(Cpu64), Arch.ARMHF: get_args(Cpu32)}


def misfit(arch: Arch, cpu: str, runtimes: Sequence[BoardRuntime]) -> tuple[str, str] | None:
    """The key that does not fit the others, and one sentence for it; None where all is well."""
    models = cpu_models()
    if arch not in models:
        return "arch", f'"{arch}" is not allowed for an emulated board. Allowed: {", ".join(models)}'
    if cpu not in models[arch]:
        return "cpu", f'"{cpu}" is not allowed with "arch: {arch}". Allowed: {", ".join(models[arch])}'
    has = EMULATED_RUNTIMES[arch]
    for runtime in runtimes:
        if runtime.name not in has and runtime.site == f"{EMULATED_RUNTIME_FOLDER}/{runtime.name}":
            return "runtimes", f'an emulated {arch} board has no "{runtime.name}". Allowed: {", ".join(has)}'
    return None
