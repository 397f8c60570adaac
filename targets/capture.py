"""What is read of a board so that its kind can be tested where nobody owns one: files, tools' words, probes' outputs.

Only what describes a kind of board is read. Serial numbers, network settings, and files of people are not; what still
tells whose board it is goes in `anonymous.py`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from .board import Board
from .connection import Connection
from .errors import TargetError
from .hardware import admission_probes
from .probes import Probe, probe_script, probes_of, split_sections

_TIMEOUT_S = 180.0
_LARGEST_BYTES = 65536

CMDLINE = "/proc/cmdline"
_CPU = "/sys/devices/system/cpu"
_FILES = (
    f"{CMDLINE} /proc/sys/kernel/perf_event_paranoid",  # cpuinfo, meminfo and os-release are outputs of probes
    "/proc/device-tree/model /proc/device-tree/compatible",
    "/proc/device-tree/chosen/bootloader/version /proc/device-tree/chosen/u-boot,version",
    "/sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name /sys/class/dmi/id/board_name",
    "/sys/class/dmi/id/bios_vendor /sys/class/dmi/id/bios_version /sys/class/dmi/id/bios_date",
    f"{_CPU}/online {_CPU}/possible {_CPU}/cpu[0-9]*/cpu_capacity {_CPU}/cpu[0-9]*/topology/*_id",
    f"{_CPU}/cpu[0-9]*/cache/index*/level {_CPU}/cpu[0-9]*/cache/index*/type {_CPU}/cpu[0-9]*/cache/index*/size",
    f"{_CPU}/cpu[0-9]*/cache/index*/shared_cpu_list",
    f"{_CPU}/cpufreq/policy*/related_cpus {_CPU}/cpufreq/policy*/cpuinfo_*_freq {_CPU}/cpufreq/policy*/scaling_*",
    "/sys/class/thermal/thermal_zone*/type /sys/class/thermal/thermal_zone*/temp",
    "/sys/class/thermal/thermal_zone*/trip_point_*_type /sys/class/thermal/thermal_zone*/trip_point_*_temp",
    "/sys/class/thermal/cooling_device*/type /sys/class/thermal/cooling_device*/cur_state",
    "/sys/class/hwmon/hwmon*/name /sys/class/hwmon/hwmon*/*_label /sys/class/hwmon/hwmon*/*_input",
    "/sys/class/hwmon/hwmon*/*_average /sys/class/powercap/*/name /sys/class/powercap/*/max_energy_range_uj",
    "/sys/bus/event_source/devices/*/cpus /sys/devices/platform/soc/soc:firmware/get_throttled",
)
# Each is asked only where it is installed. `tegrastats` never ends by itself.
_TOOLS = {
    "lscpu": "lscpu",
    "vcgencmd version": "vcgencmd version",
    "vcgencmd measure_temp": "vcgencmd measure_temp",
    "vcgencmd get_throttled": "vcgencmd get_throttled",
    "vcgencmd pmic_read_adc": "vcgencmd pmic_read_adc",
    "tegrastats": "timeout 5 tegrastats --interval 500 | head -n 1",
    "nvpmodel": "nvpmodel -q",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What a board printed, as it printed it: probes and tools by name, files by path. None: the tool is not there.

    `hosts` and `users` are the names of the board and its account that may stand in these texts.
    """

    probes: Mapping[str, str]
    files: Mapping[str, str]
    tools: Mapping[str, str | None]
    hosts: tuple[str, ...]
    users: tuple[str, ...]


def all_probes(board: Board) -> tuple[Probe, ...]:
    """Every probe that hilbench knows, for this board."""
    return (*probes_of(board), *admission_probes(board))


def capture(connection: Connection, board: Board) -> Capture:
    """Read all of it, in two round trips. Nothing is changed on the board. Raises TargetError."""
    probes = _sections(connection, board, probe_script(all_probes(board), token := secrets.token_hex(8)), token)
    rest = _sections(connection, board, _script(token), token)
    tools = {name: rest[f"tool:{_slug(name)}"].strip("\n") for name in _TOOLS if f"tool:{_slug(name)}" in rest}
    files = {name.removeprefix("file:"): text for name, text in rest.items() if name.startswith("file:")}
    known = {name.removeprefix("known:"): text.split() for name, text in rest.items() if name.startswith("known:")}
    return Capture(
        probes={name: output.strip("\n") for name, output in probes.items()},
        files={path: text.rstrip("\n") for path, text in sorted(files.items())},
        tools={name: tools.get(name) or None for name in _TOOLS},
        hosts=tuple(known.get("hosts", ())),
        users=tuple(known.get("users", ())),
    )


def _sections(connection: Connection, board: Board, script: str, token: str) -> Mapping[str, str]:
    done = connection.run(script, timeout_s=_TIMEOUT_S)
    sections = split_sections(done.stdout.decode(errors="replace"), token)
    if not sections:
        said = " ".join(done.stderr.decode(errors="replace").split()) or f"status {done.status}"
        raise TargetError(f"{board.name}: the board cannot be read: {said}")
    return sections


def _script(token: str) -> str:
    """Each file and each tool under a header of its own; an end of line is put after files that have none."""
    head = f"head -c {_LARGEST_BYTES}"
    files = (
        f'for f in {" ".join(_FILES)}; do [ -f "$f" ] && [ -r "$f" ] || continue; '
        f't=$({head} "$f" 2>/dev/null | tr "\\0" " "; echo .) || continue; t=${{t%.}}; [ -n "$t" ] || continue; '
        f'printf "\\n{token} file:%s\\n%s\\n" "$f" "$t"; done'
    )
    tools = (
        f"if command -v {command.split()[2 if command.startswith('timeout') else 0]} >/dev/null 2>&1; then "
        f"printf '\\n{token} tool:{_slug(name)}\\n'; {{ {command}; }} 2>&1 </dev/null; fi"
        for name, command in _TOOLS.items()
    )
    known = (
        f"printf '\\n{token} known:hosts\\n'; cat /proc/sys/kernel/hostname /etc/hostname; hostname -f",
        f"printf '\\n{token} known:users\\n'; id -un; awk -F: '$3 >= 1000 && $3 < 60000 {{print $1}}' /etc/passwd",
    )
    return "\n".join(["exec 2>/dev/null", files, *tools, *known, ":"])


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)
