"""What is asked of a board once, when it is added or checked: clusters, power rails, where it may execute, its counter.

Kernel interfaces: Documentation/admin-guide/pm/cpufreq.rst (policies; kHz), Documentation/ABI/testing/sysfs-devices-
system-cpu (cpu_capacity), Documentation/hwmon/sysfs-interface.rst, Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .board import Arch, Board
from .probes import Probe, parse_text
from .transfer import quoted

# The agent's own, so that both give the same answer; in this order they need nothing of each other that comes later.
_COUNTERS = [Path(__file__).parent / "agent" / name for name in ("perf_event.py", "counters.py")]

_CLUSTERS = (
    "for p in /sys/devices/system/cpu/cpufreq/policy*; do c=$(cat $p/related_cpus) && "
    'echo "policy $(cat $p/cpuinfo_max_freq) $c"; done; '
    "for c in /sys/devices/system/cpu/cpu[0-9]*; do v=$(cat $c/cpu_capacity) && "
    'echo "capacity ${c##*/cpu} $v"; done; :'
)
_RAILS = (
    "for h in /sys/class/hwmon/hwmon*; do for f in $h/power*_input $h/power*_average $h/curr*_input; do "
    '[ -e "$f" ] || continue; s=${f##*/}; s=${s%_*}; l=$(cat $h/${s}_label || cat $h/in${s#curr}_label || echo $s); '
    'echo "$(cat $h/name) $l"; done; done; '
    'for p in /sys/class/powercap/*:*; do n=$(cat "$p/name") && echo "powercap $n"; done; '
    "vcgencmd pmic_read_adc | sed -n 's/^ *\\([A-Z0-9_]*\\)_A current.*/pmic \\1/p'; :"
)


def admission_probes(board: Board) -> tuple[Probe, ...]:
    """The probes of this file for a board whose first runtime names an interpreter."""
    counter = [board.runtimes[0].python, "-c", _counter_program()]
    nearest = f'd={quoted(board.workdir)}; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; '
    return (
        *HARDWARE_PROBES,
        Probe("workdir_executable", nearest + _executes('"$d"'), parse_yes),
        Probe("counts_from", shlex.join(counter), parse_source),
    )


def _counter_program() -> str:
    """The agent's counter as one program for `python -c`: its files joined, without what they import of each other."""
    lines = [line for path in _COUNTERS for line in path.read_text(encoding="utf-8").splitlines()]
    own = [line for line in lines if not line.lstrip().startswith(("from __future__", "from ."))]
    return "\n".join(["from __future__ import annotations", *own, "print(open_counter(1).source)", ""])


def _executes(folder: str) -> str:
    """Try a script of our own there. Prints yes or no; nothing where the folder may not be written."""
    return (
        f"t=$(mktemp -d {folder}/hilbench.XXXXXX) && printf '#!/bin/sh\\necho yes\\n' >$t/try && chmod 700 $t/try && "
        '{ $t/try || echo no; }; [ -n "$t" ] && rm -rf "$t"; :'
    )


def parse_yes(output: str) -> bool | None:
    """`yes` or `no`."""
    return {"yes": True, "no": False}.get(output.strip())


def parse_source(output: str) -> str | None:
    """`pmu` where the account may open the counter, `virtual-clock` where it may not."""
    said = output.strip()
    return said if said in ("pmu", "virtual-clock") else None


def parse_bits(output: str) -> int | None:
    """The width of a C `long` of the board's programs: 32 or 64. A 64-bit kernel may run 32-bit programs."""
    return {"32": 32, "64": 64}.get(output.strip())


def parse_clusters(output: str) -> list[dict[str, Any]] | None:
    """Groups of equal cores: `cpus` such as `0-3`, `max_mhz`, `capacity` (1024 is the board's strongest core).

    Cores that change their frequency together are a group; where each has a policy of its own (x86), equal ones are.
    """
    policies = [
        (int(khz), [int(cpu) for cpu in cpus.split()])
        for khz, cpus in re.findall(r"^policy (\d+) (\d+(?: \d+)*) *$", output, re.MULTILINE)
    ]
    capacity = {int(cpu): int(value) for cpu, value in re.findall(r"^capacity (\d+) (\d+)$", output, re.MULTILINE)}
    groups: dict[tuple[int | None, int | None, int | None], list[int]] = {}
    if policies:
        for khz, cpus in policies:
            first = min(cpus)
            together = first if len(cpus) > 1 else None
            groups.setdefault((khz, capacity.get(first), together), []).extend(cpus)
    else:
        for cpu, value in sorted(capacity.items()):
            groups.setdefault((None, value, None), []).append(cpu)
    return [
        {"cpus": cpu_list(cpus), "max_mhz": None if khz is None else khz / 1000, "capacity": value}
        for (khz, value, _), cpus in groups.items()
    ] or None


def cpu_list(cpus: Iterable[int]) -> str:
    """`0-3,6`, as the kernel writes lists of CPUs."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def parse_rails(output: str) -> list[str] | None:
    """Names of what tells power or current: `ina3221 VDD_IN`, `powercap package-0`, `pmic VDD_CORE`."""
    lines = (" ".join(line.split()) for line in output.splitlines())
    return list(dict.fromkeys(line for line in lines if re.fullmatch(r"[\w.-]+ \S.*", line))) or None


HARDWARE_PROBES = (
    Probe("hostname", "cat /proc/sys/kernel/hostname", parse_text),
    Probe("clusters", _CLUSTERS, parse_clusters),
    Probe("power_rails", _RAILS, parse_rails),
    Probe("userland_bits", "getconf LONG_BIT", parse_bits),
    Probe("tmp_executable", _executes('"${TMPDIR:-/tmp}"'), parse_yes),
)

_ARCHS = {"aarch64": Arch.ARM64, "arm64": Arch.ARM64, "x86_64": Arch.X86_64, "armv7l": Arch.ARMHF, "armv8l": Arch.ARMHF}


def arch_of(machine: str | None, userland_bits: int | None) -> Arch | None:
    """The instruction set that a board's programs use; None where it is one that hilbench does not know."""
    arch = _ARCHS.get(machine or "")
    return Arch.ARMHF if arch is Arch.ARM64 and userland_bits == 32 else arch
