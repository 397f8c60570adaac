"""Facts of a board: one command and one pure parser each, all commands in one round trip.

What a board does not tell is None, never a default. Every command must work with busybox alone and print nothing where
the board lacks the file; a parser gets what it printed, without the newline at the end.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .board import Board
from .connection import Connection
from .cpus import cpu_features, cpu_models
from .errors import TargetError
from .transfer import parse_free_bytes, quoted

PROBE_TIMEOUT_S = 120.0  # starting an interpreter takes seconds on an emulated board

# One start of an interpreter tells its version, its C library and the installed runtimes without importing any of them.
_PYTHON_PROGRAM = """
import json, platform, sys
from importlib import metadata
def found(site, name):
    for place in ([site] if site else []) + [None]:
        for one in metadata.distributions(name=name, path=[place] if place else sys.path):
            return one.version
facts = {"python": platform.python_version(), "libc": " ".join(platform.libc_ver()).strip()}
runtimes = json.loads(sys.argv[1])
facts["runtimes"] = {name: {"version": found(site, name), "numpy": found(site, "numpy")} for name, site in runtimes}
print(json.dumps(facts))
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """One fact: what to run on the board, and how to read what it prints."""

    name: str
    command: str
    parse: Callable[[str], Any]


def probe_board(connection: Connection, board: Board) -> dict[str, Any]:
    """All facts of a board, by name, in one round trip. JSON-able; units are in the names; unknown is None.

    Raises TargetError where the board ran none of it.
    """
    return with_interpreters(ask_probes(connection, board.name, probes_of(board)))


def ask_probes(connection: Connection, board: str, probes: tuple[Probe, ...]) -> dict[str, Any]:
    """What each probe found, by name, in one round trip. Raises TargetError where the board ran none of them."""
    token = secrets.token_hex(8)
    done = connection.run(probe_script(probes, token), timeout_s=PROBE_TIMEOUT_S)
    sections = split_sections(done.stdout.decode(errors="replace"), token)
    if not sections:
        said = " ".join(done.stderr.decode(errors="replace").split()) or f"status {done.status}"
        raise TargetError(f"{board}: the board's facts cannot be read: {said}")
    facts: dict[str, Any] = {}
    for probe in probes:
        output = sections.get(probe.name, "").strip("\n")
        facts[probe.name] = probe.parse(output) if output.strip() else None
    return facts


def probe_script(probes: tuple[Probe, ...], token: str) -> str:
    """A script that prints each probe's output under a header line of its own."""
    return "\n".join(f"echo; echo {token} {probe.name}; {{ {probe.command}; }} 2>/dev/null" for probe in probes)


def split_sections(output: str, token: str) -> dict[str, str]:
    """Probe name -> what it printed."""
    parts = re.split(rf"^{token} (\S+)\n", output, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def probes_of(board: Board) -> tuple[Probe, ...]:
    """The fixed probes, the free space in the board's work folder, and one probe per interpreter of its runtimes."""
    by_python: dict[str, list[tuple[str, str | None]]] = {}
    for runtime in (one for one in board.runtimes if not one.command):
        by_python.setdefault(runtime.python, []).append((runtime.name, runtime.site))
    interpreters = tuple(
        Probe(f"interpreter:{index}", shlex.join([python, "-c", _PYTHON_PROGRAM, json.dumps(wanted)]), parse_json)
        for index, (python, wanted) in enumerate(by_python.items())
    )
    space = f'd={quoted(board.workdir)}; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; df -Pk "$d"'
    return (*FIXED_PROBES, Probe("workdir_free_bytes", space, parse_free_bytes), *interpreters)


def with_interpreters(facts: dict[str, Any]) -> dict[str, Any]:
    """Fold the answers of the interpreters into the facts `python`, `glibc` and `runtimes`."""
    answers = [facts.pop(name) for name in list(facts) if name.startswith("interpreter:")]
    known: list[dict[str, Any]] = [answer for answer in answers if answer]
    facts["python"] = known[0]["python"] if known else None
    facts["glibc"] = facts["glibc"] or (known[0]["libc"] if known and known[0]["libc"] else None)
    facts["runtimes"] = {
        name: {**found, "python": answer["python"]} for answer in known for name, found in answer["runtimes"].items()
    }
    return facts


def parse_text(output: str) -> str | None:
    """One line of text; device tree strings end with a NUL."""
    return output.replace("\0", "").strip() or None


def parse_json(output: str) -> dict[str, Any] | None:
    """A JSON object on the last line, or None."""
    try:
        value = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return value if isinstance(value, dict) else None


def parse_meminfo(output: str) -> dict[str, int | None] | None:
    """`MemTotal`, `MemAvailable`, `SwapTotal` of /proc/meminfo (kB of 1024 bytes) in bytes: proc(5)."""
    found = {name: int(value) * 1024 for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", output, re.MULTILINE)}
    if "MemTotal" not in found:
        return None
    names = {"total_bytes": "MemTotal", "available_bytes": "MemAvailable", "swap_total_bytes": "SwapTotal"}
    return {name: found.get(key) for name, key in names.items()}


def parse_uptime(output: str) -> float | None:
    """Seconds since boot, the first number of /proc/uptime."""
    match = re.match(r"(\d+(?:\.\d+)?)\b", output.strip())
    return float(match[1]) if match else None


def parse_load(output: str) -> tuple[float, float, float] | None:
    """Load averages over 1, 5 and 15 minutes: /proc/loadavg."""
    match = re.match(r"([\d.]+) ([\d.]+) ([\d.]+) \d+/\d+ \d+$", output.strip())
    return (float(match[1]), float(match[2]), float(match[3])) if match else None


def parse_os_release(output: str) -> str | None:
    """PRETTY_NAME of os-release(5)."""
    match = re.search(r'^PRETTY_NAME="?([^"\n]+)"?$', output, re.MULTILINE)
    return match[1].strip() if match else None


def parse_cores(output: str) -> int | None:
    """How many CPUs are online, from /sys/devices/system/cpu/online, such as `0-3,6`."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", output.strip()):
        return None
    ranges = [part.split("-") for part in output.strip().split(",")]
    return sum(int(ends[-1]) - int(ends[0]) + 1 for ends in ranges)


def parse_values(output: str) -> list[str] | None:
    """Distinct lines, in order: the governors of all cores."""
    return list(dict.fromkeys(line.strip() for line in output.splitlines() if line.strip())) or None


def parse_temperatures(output: str) -> dict[str, float] | None:
    """Zone type -> degrees Celsius, from lines `type millidegrees`; zones of one type keep the hottest.

    Kernel interface: Documentation/driver-api/thermal/sysfs-api.rst, `temp` in millidegrees Celsius.
    """
    found: dict[str, float] = {}
    for name, value in re.findall(r"^(\S.*?) (-?\d+)$", output, re.MULTILINE):
        found[name] = max(found.get(name, float("-inf")), int(value) / 1000)
    return found or None


def parse_glibc(output: str) -> str | None:
    """`glibc 2.36` from getconf; musl's getconf knows no such name and prints nothing."""
    match = re.fullmatch(r"(glibc) (\d+\.\d+\S*)", output.strip())
    return f"{match[1]} {match[2]}" if match else None


def parse_virtualization(output: str) -> str | None:
    """A hint that this is no bare board, from lines `key value`; None where nothing says so.

    Sources: /run/systemd/container, cpuinfo's `hypervisor` flag (x86), /sys/hypervisor/type, the DMI vendor, and
    `linux,dummy-virt`, the compatible string of QEMU's `virt` machine.
    """
    said = {key: value.replace("\0", " ").strip() for key, value in re.findall(r"^(\S+) (.+)$", output, re.MULTILINE)}
    machine = _virtual_machine(said)
    if "container" not in said:
        return machine
    return f"container ({said['container']})" + ("" if machine is None else f" in a {machine}")


def _virtual_machine(said: Mapping[str, str]) -> str | None:
    if "dummy-virt" in said.get("compatible", ""):
        return "qemu (virt machine)"
    dmi = said.get("dmi", "")
    for word in ("QEMU", "KVM", "VMware", "VirtualBox", "Xen", "Amazon EC2", "Google", "Microsoft", "Firecracker"):
        bare = ".metal" in dmi or (word == "Microsoft" and "virtual" not in dmi.lower())
        if word.lower() in dmi.lower() and not bare:
            return f"virtual machine ({dmi})"
    return "virtual machine" if "xen" in said or "flag" in said else None


def parse_firmware(output: str) -> str | None:
    """What starts the board and keeps working beneath its kernel, from lines `key value`; None where nothing tells.

    Sources: a Raspberry Pi's EEPROM (`chosen/bootloader/version` of the device tree) and `vcgencmd version`, which
    prints `version HASH (release)` on its last line; U-Boot's `chosen/u-boot,version`; the BIOS or UEFI of the DMI.
    """
    lines = re.findall(r"^(eeprom|videocore|u-boot|bios) (.+)$", output.replace("\0", ""), re.MULTILINE)
    said = {key: " ".join(value.split()) for key, value in lines}
    if "videocore" in said:
        version = re.search(r"\bversion (\S+)", said.pop("videocore"))
        said |= {"videocore": version[1]} if version else {}
    names = {"eeprom": "EEPROM", "videocore": "VideoCore", "u-boot": "U-Boot", "bios": "BIOS"}
    found = [f"{name} {said[key]}" for key, name in names.items() if said.get(key, "").isprintable() and said.get(key)]
    return ", ".join(found) or None


def is_virtual_machine(virtualization: str | None) -> bool:
    """Whether the fact `virtualization` names a machine that is itself made by software; a container alone is none."""
    return virtualization is not None and ("virtual machine" in virtualization or "virt machine" in virtualization)


_VIRTUALIZATION = (
    "if [ -r /run/systemd/container ]; then echo container $(cat /run/systemd/container); "
    "elif [ -e /.dockerenv ]; then echo container docker; fi; "
    'c=$(tr "\\0" " " </proc/device-tree/compatible) && [ -n "$c" ] && echo compatible "$c"; '
    'd=$(cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name | tr "\\n" " "); '
    '[ -n "$d" ] && echo dmi "$d"; [ -r /sys/hypervisor/type ] && echo xen $(cat /sys/hypervisor/type); '
    "grep -q -m1 '^flags.* hypervisor' /proc/cpuinfo && echo flag hypervisor; :"
)
_FIRMWARE = (
    "c=/proc/device-tree/chosen; d=/sys/class/dmi/id; "
    '[ -r $c/bootloader/version ] && echo "eeprom $(tr -d "\\0" <$c/bootloader/version)"; '
    '[ -r $c/u-boot,version ] && echo "u-boot $(tr -d "\\0" <$c/u-boot,version)"; '
    'v=$(vcgencmd version | tr "\\n" " ") && [ -n "$v" ] && echo "videocore $v"; '
    'b=$(cat $d/bios_vendor $d/bios_version $d/bios_date | tr "\\n" " ") && [ -n "$b" ] && echo "bios $b"; :'
)
_TEMPERATURES = (
    'for z in /sys/class/thermal/thermal_zone*; do t=$(cat "$z/temp") && echo "$(cat "$z/type") $t"; done; :'
)

FIXED_PROBES = (
    Probe("kernel", "uname -sr", parse_text),
    Probe("machine", "uname -m", parse_text),
    Probe("os", "cat /etc/os-release", parse_os_release),
    Probe("model", "cat /proc/device-tree/model || cat /sys/class/dmi/id/product_name", parse_text),
    Probe("firmware", _FIRMWARE, parse_firmware),
    Probe("cpu_models", "cat /proc/cpuinfo", cpu_models),
    Probe("isa", "cat /proc/cpuinfo", cpu_features),
    Probe("cores", "cat /sys/devices/system/cpu/online", parse_cores),
    Probe("memory", "cat /proc/meminfo", parse_meminfo),
    Probe("boot_id", "cat /proc/sys/kernel/random/boot_id", parse_text),
    Probe("uptime_s", "cat /proc/uptime", parse_uptime),
    Probe("load", "cat /proc/loadavg", parse_load),
    Probe("glibc", "getconf GNU_LIBC_VERSION", parse_glibc),
    Probe("governors", "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor", parse_values),
    Probe("temperatures_c", _TEMPERATURES, parse_temperatures),
    Probe("virtualization", _VIRTUALIZATION, parse_virtualization),
)
