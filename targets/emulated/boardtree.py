"""The device tree of a 32-bit board: QEMU's own, with the performance counters that QEMU emulates and does not tell of.

QEMU's `virt` machine gives every CPU a PMU and wires its interrupt, but says what kind of PMU it is for 64-bit CPUs
only (`fdt_add_pmu_nodes` in hw/arm/virt.c). Untold, Linux has no counter of instructions.
"""

from __future__ import annotations

import struct
from pathlib import Path

from ..board import Arch
from ..errors import EmulatorError
from .devicetree import packed, with_node
from .programs import run_program
from .qemu import MachineSpec, machine_arguments

FILE_NAME = "board.dtb"
# CPU model -> its PMU by the kernel's binding (Documentation/devicetree/bindings/arm/pmu.yaml).
PMUS = {"cortex-a7": "arm,cortex-a7-pmu", "cortex-a15": "arm,cortex-a15-pmu"}
# By the binding of ARM's interrupt controller: an interrupt that each CPU has for itself; its number (VIRTUAL_PMU_IRQ
# in hw/arm/virt.h); high while it is pending (4), on the first CPU (bit 8).
_INTERRUPT = struct.pack(">3I", 1, 7, 1 << 8 | 4)


def tree_file(spec: MachineSpec, folder: Path) -> Path | None:
    """Where the machine in `folder` has its device tree; None where QEMU's own serves."""
    return folder / FILE_NAME if spec.image.arch is Arch.ARMHF and spec.cpu in PMUS else None


def write_tree(spec: MachineSpec, folder: Path) -> None:
    """Write that file, where one is needed. Raises EmulatorError."""
    file = tree_file(spec, folder)
    if file is None:
        return
    file.unlink(missing_ok=True)
    doing = "asking QEMU for the device tree of the emulated board"
    run_program([*machine_arguments(spec, dump_tree=file), "-nodefaults", "-nographic"], doing=doing)
    if not file.is_file():
        raise EmulatorError(f"{doing}: it wrote none")
    file.write_bytes(with_counters(file.read_bytes(), spec.cpu))


def with_counters(tree: bytes, cpu: str) -> bytes:
    """The tree with a node for the PMU of the CPU, unless it has one; packed, as QEMU's megabyte does not boot."""
    compatible = PMUS[cpu].encode("ascii") + b"\0"
    if compatible in tree:
        return packed(tree)
    return with_node(tree, "cpu-pmu", {"compatible": compatible, "interrupts": _INTERRUPT})
