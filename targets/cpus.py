"""What /proc/cpuinfo says of a CPU: its model and the instructions that matter to quantized models. Pure."""

from __future__ import annotations

import re

# Part numbers of implementer 0x41 (Arm): arch/arm64/include/asm/cputype.h of Linux, and util-linux' lscpu for 32-bit.
_ARM_PARTS = {
    0xC05: "Cortex-A5",
    0xC07: "Cortex-A7",
    0xC08: "Cortex-A8",
    0xC09: "Cortex-A9",
    0xC0D: "Cortex-A17",
    0xC0E: "Cortex-A17",
    0xC0F: "Cortex-A15",
    0xD01: "Cortex-A32",
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD0D: "Cortex-A77",
    0xD40: "Neoverse-V1",
    0xD41: "Cortex-A78",
    0xD42: "Cortex-A78AE",
    0xD44: "Cortex-X1",
    0xD46: "Cortex-A510",
    0xD47: "Cortex-A710",
    0xD49: "Neoverse-N2",
    0xD4B: "Cortex-A78C",
    0xD4D: "Cortex-A715",
}
_ARM = 0x41

# Our word -> the flags that mean it: HWCAP names on Arm (Documentation/arch/arm64/elf_hwcaps.rst), CPU flags on x86.
_FEATURES = {
    "neon": ("asimd", "neon"),
    "fp16": ("asimdhp", "avx512_fp16"),
    "dotprod": ("asimddp", "avx_vnni", "avx512_vnni"),
    "i8mm": ("i8mm", "amx_int8"),
    "bf16": ("bf16", "avx512_bf16"),
    "sve": ("sve",),
    "avx2": ("avx2",),
    "avx512": ("avx512f",),
}


def cpu_models(cpuinfo: str) -> list[str] | None:
    """The distinct CPU models with how many cores are of each, such as `4 x Cortex-A76`, in the order of the cores."""
    names = re.findall(r"^model name\s*:\s*(.+?)\s*$", cpuinfo, re.MULTILINE)
    parts = re.findall(
        r"^CPU implementer\s*:\s*(0x[0-9a-f]+)$.*?^CPU part\s*:\s*(0x[0-9a-f]+)$",
        cpuinfo,
        re.MULTILINE | re.DOTALL,
    )
    # A 32-bit Arm kernel prints both; the part number is the exact one there.
    found = [_arm_name(int(implementer, 16), int(part, 16)) for implementer, part in parts] or names
    counted = {name: found.count(name) for name in dict.fromkeys(found)}
    return [f"{count} x {name}" for name, count in counted.items()] or None


def cpu_features(cpuinfo: str) -> dict[str, bool] | None:
    """Which instruction set features every core has (a runtime must not use what one core lacks)."""
    per_core = [
        set(line.split()) for line in re.findall(r"^(?:flags|Features)\s*:\s*(.*)$", cpuinfo, re.MULTILINE) if line
    ]
    if not per_core:
        return None
    common = set[str].intersection(*per_core)
    return {name: not common.isdisjoint(flags) for name, flags in _FEATURES.items()}


def _arm_name(implementer: int, part: int) -> str:
    known = _ARM_PARTS.get(part) if implementer == _ARM else None
    return known or f"CPU implementer {implementer:#04x} part {part:#05x}"
