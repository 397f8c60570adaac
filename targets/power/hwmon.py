"""Power sensors of the kernel's hwmon: INA219, INA226 and their kin, and the three rails of an INA3221 (Jetson).

    meters:
      - {kind: hwmon, rail: VDD_IN}

Interface: Documentation/hwmon/{sysfs-interface,ina2xx,ina3221}.rst of Linux. Powers are in µW, voltages in mV, currents
in mA, shunts in µΩ, update intervals in ms. An INA3221 has no power file: its power is the product of a rail's voltage
and current. Its `curr4` and `in7` are sums over rails and are left out, as rails overlap on many boards.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from .meter import MeterError

_FILES = (
    *("name", "label", "power*_input", "power*_label", "in[0-9]_input", "in[0-9]_label"),
    *("curr[0-9]_input", "curr[0-9]_label", "shunt_resistor", "shunt[0-9]_resistor", "update_interval"),
)
# Rails that carry all that the module takes, by the names that Jetson's device trees give them.
_INPUT_RAILS = ("VDD_IN", "POM_5V_IN")
_SHUNT_TOLERANCE = 0.01
_STALE_AFTER_S = 3.0
_NEAR_FULL_SCALE = 0.995


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chip:
    """Limits out of a data sheet: gain of voltage and current together, shunt offset, full scale and current steps."""

    gain: float
    offset_v: float
    full_scale_v: float
    shunt_step_v: float
    power_step_factor: float


_CHIPS = {
    "ina219": _Chip(gain=0.02, offset_v=100e-6, full_scale_v=0.32, shunt_step_v=10e-6, power_step_factor=20),
    "ina220": _Chip(gain=0.02, offset_v=100e-6, full_scale_v=0.32, shunt_step_v=10e-6, power_step_factor=20),
    "ina226": _Chip(gain=0.002, offset_v=10e-6, full_scale_v=0.0819, shunt_step_v=2.5e-6, power_step_factor=25),
    "ina230": _Chip(gain=0.006, offset_v=50e-6, full_scale_v=0.0819, shunt_step_v=2.5e-6, power_step_factor=25),
    "ina231": _Chip(gain=0.006, offset_v=50e-6, full_scale_v=0.0819, shunt_step_v=2.5e-6, power_step_factor=25),
    "ina3221": _Chip(gain=0.005, offset_v=80e-6, full_scale_v=0.1638, shunt_step_v=40e-6, power_step_factor=1),
}
_UNKNOWN = Accuracy(gain=0.05, offset_w=0.1, resolution=0.025, source="unknown sensor: 5 % and 0.1 W assumed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """One rail: the files whose product times `factor` is its power in W, and what its sensor says of itself.

    `bus_v`, `shunt_ohm` and `update_s` are None where the sensor does not show them.
    """

    chip: str
    label: str
    paths: tuple[str, ...]
    factor: float
    bus_v: float | None
    shunt_ohm: float | None
    update_s: float | None


def listing_command(sysfs: str = "/sys") -> str:
    """The command that prints all sensors as `path:value` lines; sensors that cannot be read are left out."""
    patterns = " ".join(f"hwmon*/{name}" for name in _FILES)
    # /dev/null, since grep names the file only where there is more than one.
    return f"cd {shlex.quote(sysfs)}/class/hwmon 2>/dev/null && grep -s . {patterns} /dev/null; :"


def parse_listing(text: str, sysfs: str = "/sys") -> list[Rail]:
    """The rails of a listing, in the order of the sensors."""
    sensors: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        match = re.match(r"(hwmon\d+)/([^:/]+):(.*)$", line)
        if match is not None:
            sensors.setdefault(match[1], {})[match[2]] = match[3].strip()
    rails: list[Rail] = []
    for sensor in sorted(sensors, key=lambda name: int(name.removeprefix("hwmon"))):
        files = sensors[sensor]
        folder = f"{sysfs}/class/hwmon/{sensor}"
        rails += _triple(files, folder) if files.get("name") == "ina3221" else _powers(files, folder)
    return rails


def choose_rail(rails: Sequence[Rail], wanted: str | None) -> Rail:
    """The rail that was asked for, else the one that carries all, else the only one. Never a sum: rails may overlap.

    Raises MeterError with the names to choose from.
    """
    if not rails:
        raise MeterError("no power sensor in /sys/class/hwmon of this board")
    names = ", ".join(dict.fromkeys(rail.label for rail in rails))
    if wanted is not None:
        found = [rail for rail in rails if rail.label == wanted]
        if not found:
            raise MeterError(f'this board has no rail "{wanted}"; it has {names}')
        return found[0]
    carrying_all = [rail for rail in rails if rail.label in _INPUT_RAILS]
    if carrying_all:
        return carrying_all[0]
    if len(rails) == 1:
        return rails[0]
    raise MeterError(f"this board has several rails, which may overlap and are never added up: name one of {names}")


def channel_of(rail: Rail, poll_s: float, accuracy: Accuracy | None = None) -> Channel:
    """What this rail's readings are, polled every `poll_s`. `accuracy` replaces what the data sheet says."""
    chip = _CHIPS.get(rail.chip)
    max_w = None
    if chip is not None and rail.shunt_ohm and rail.bus_v:
        max_w = chip.full_scale_v / rail.shunt_ohm * rail.bus_v * _NEAR_FULL_SCALE
    update_s = rail.update_s or 0.0
    return Channel(
        meter=rail.chip,
        site=rail.label,
        sampling=Sampling.INSTANTANEOUS,
        accuracy=accuracy or _data_sheet(rail, chip),
        clock=ClockDomain.BOARD,
        scope=Scope.BOARD_INPUT if rail.label in _INPUT_RAILS else Scope.RAIL,
        meter_class=MeterClass.E3,
        interval_s=max(poll_s, update_s),
        stale_after_s=max(_STALE_AFTER_S, 20 * update_s),
        max_w=max_w,
    )


def source_of(rail: Rail) -> dict[str, object]:
    """The rail as the on-board sampler reads it."""
    return {"kind": "files", "channels": [{"paths": list(rail.paths), "factor": rail.factor}]}


def _data_sheet(rail: Rail, chip: _Chip | None) -> Accuracy:
    if chip is None or not rail.shunt_ohm or not rail.bus_v:
        return _UNKNOWN
    step_a = chip.shunt_step_v / rail.shunt_ohm
    return Accuracy(
        gain=chip.gain + _SHUNT_TOLERANCE,
        offset_w=chip.offset_v / rail.shunt_ohm * rail.bus_v,
        # The power register of an INA2xx counts in steps of so many current steps times 1 V.
        resolution=step_a * (rail.bus_v if rail.chip == "ina3221" else chip.power_step_factor),
        source=f"data sheet of the {rail.chip.upper()}, 1 % for its shunt",
    )


def _triple(files: Mapping[str, str], folder: str) -> list[Rail]:
    rails: list[Rail] = []
    for number in "123":
        bus, current = f"in{number}_input", f"curr{number}_input"
        if bus not in files or current not in files:  # a channel that is switched off cannot be read
            continue
        rails.append(
            Rail(
                chip="ina3221",
                label=files.get(f"in{number}_label") or files.get(f"curr{number}_label") or f"channel {number}",
                paths=(f"{folder}/{bus}", f"{folder}/{current}"),
                factor=1e-6,
                bus_v=_number(files.get(bus), 1e-3),
                shunt_ohm=_number(files.get(f"shunt{number}_resistor"), 1e-6),
                update_s=_number(files.get("update_interval"), 1e-3),
            )
        )
    return rails


def _powers(files: Mapping[str, str], folder: str) -> list[Rail]:
    chip = files.get("name", "unknown")
    return [
        Rail(
            chip=chip,
            label=files.get(name.replace("_input", "_label")) or files.get("label") or chip,
            paths=(f"{folder}/{name}",),
            factor=1e-6,
            bus_v=_number(files.get("in1_input"), 1e-3),
            shunt_ohm=_number(files.get("shunt_resistor"), 1e-6),
            update_s=_number(files.get("update_interval"), 1e-3),
        )
        for name in sorted(files)
        if re.fullmatch(r"power\d+_input", name)
    ]


def _number(text: str | None, factor: float) -> float | None:
    return int(text) * factor if text is not None and re.fullmatch(r"-?\d+", text) else None
