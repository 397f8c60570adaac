"""`meters:` of a board in the inventory, as users write it: pydantic models, one for each kind of meter."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from ..strict import Strict
from .channel import Accuracy, Scope
from .settings import (
    SYSFS,
    CommandSettings,
    HwmonSettings,
    MeterSettings,
    PlugSettings,
    PmicSettings,
    PowercapSettings,
    ReplaySettings,
    ScpiSettings,
)

_Rate = Annotated[float, Field(gt=0, le=1000)]
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PLAIN = "what the meter's maker states; replaces what hilbench assumes"


class AccuracyEntry(Strict):
    """Limits of the meter's error: out of its data sheet, or of a calibration."""

    gain: float = Field(ge=0, lt=1, description="error of the reading as a fraction: 0.01 = 1 %")
    offset_w: float = Field(0.0, ge=0, description="error at no load, in W")
    resolution_w: float = Field(0.0, ge=0, description="one step of the displayed power, in W")

    def limits(self) -> Accuracy:
        """As the meters use them."""
        return Accuracy(
            gain=self.gain, offset_w=self.offset_w, resolution=self.resolution_w, source="stated in the inventory"
        )


class HwmonEntry(Strict):
    """A power sensor of the board's kernel: INA219, INA226, INA3221 and their kin."""

    kind: Literal["hwmon"] = Field(description="which meter")
    rail: str | None = Field(None, description="the rail's label; may be left out where one carries all, or is alone")
    rate_hz: _Rate = Field(50.0, description="readings a second")
    accuracy: AccuracyEntry | None = Field(None, description=_PLAIN)
    sysfs: str = Field(SYSFS, pattern=r"^/", description="where sysfs is on the board")

    def settings(self) -> HwmonSettings:
        """As a frozen value."""
        accuracy = _limits(self.accuracy)
        return HwmonSettings(rail=self.rail, poll_s=1 / self.rate_hz, accuracy=accuracy, sysfs=self.sysfs)


class PowercapEntry(Strict):
    """The energy counter of the board's processor, a model of its maker (E5)."""

    kind: Literal["powercap"] = Field(description="which meter")
    package: str | None = Field(None, description="the package's name, where the board has several: package-0")
    rate_hz: _Rate = Field(10.0, description="readings a second")
    accuracy: AccuracyEntry | None = Field(None, description=_PLAIN)
    sysfs: str = Field(SYSFS, pattern=r"^/", description="where sysfs is on the board")

    def settings(self) -> PowercapSettings:
        """As a frozen value."""
        accuracy = _limits(self.accuracy)
        return PowercapSettings(package=self.package, poll_s=1 / self.rate_hz, accuracy=accuracy, sysfs=self.sysfs)


class PmicEntry(Strict):
    """The power management chip of a Raspberry Pi 5."""

    kind: Literal["pi-pmic"] = Field(description="which meter")
    rails: list[str] | None = Field(None, min_length=1, description="the rails to add up (all)")
    rate_hz: Annotated[float, Field(gt=0, le=50)] = Field(10.0, description="readings a second")
    accuracy: AccuracyEntry | None = Field(None, description=_PLAIN)

    def settings(self) -> PmicSettings:
        """As a frozen value."""
        rails = tuple(self.rails) if self.rails is not None else None
        return PmicSettings(rails=rails, poll_s=1 / self.rate_hz, accuracy=_limits(self.accuracy))


class PlugEntry(Strict):
    """A smart plug before the board's power supply."""

    kind: Literal["shelly", "tasmota"] = Field(description="which meter")
    host: str = Field(description="the plug's host name or address, with or without a port")
    by: Literal["energy", "power"] | None = Field(
        None, description="its energy counter (default for shelly) or its power once a second (default for tasmota)"
    )
    accuracy: AccuracyEntry | None = Field(None, description=_PLAIN)

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        if _HOST.fullmatch(value) is None:
            raise ValueError(f'it must be a host name or an address, with or without a port, not "{value}"')
        return value

    def settings(self) -> PlugSettings:
        """As a frozen value."""
        by_power = self.by == "power" if self.by is not None else self.kind == "tasmota"
        return PlugSettings(kind=self.kind, address=self.host, by_power=by_power, accuracy=_limits(self.accuracy))


def _split_words(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


class CommandEntry(Strict):
    """A program that prints one line a sample: `{"time_s": 1.5, "power_w": 4.2}`, `1.5,4.2` or `4.2`."""

    kind: Literal["command"] = Field(description="which meter")
    command: Annotated[
        list[str], Field(min_length=1), BeforeValidator(_split_words, json_schema_input_type=str | list[str])
    ] = Field(description="the program with its arguments; no shell is between")
    on: Literal["controller", "board"] = Field("controller", description="where it runs")
    site: str = Field("DC input", description="what it measures, as it shall stand beside the figures")
    scope: Scope = Field(Scope.BOARD_INPUT, description="what the measured current feeds")
    rate_hz: _Rate = Field(10.0, description="samples a second that it prints")
    accuracy: AccuracyEntry = Field(description="limits of its error")

    def settings(self) -> CommandSettings:
        """As a frozen value."""
        return CommandSettings(
            argv=tuple(self.command),
            on_board=self.on == "board",
            site=self.site,
            scope=self.scope,
            interval_s=1 / self.rate_hz,
            accuracy=self.accuracy.limits(),
        )


class ScpiEntry(Strict):
    """An instrument that speaks SCPI; needs the extra `power`."""

    kind: Literal["scpi"] = Field(description="which meter")
    resource: str = Field(min_length=1, description="its VISA address, such as TCPIP0::192.168.1.50::INSTR")
    voltage: str = Field("MEAS:VOLT?", min_length=1, description="the query that returns volts")
    current: str = Field("MEAS:CURR?", min_length=1, description="the query that returns amperes")
    rate_hz: Annotated[float, Field(gt=0, le=50)] = Field(5.0, description="readings a second")
    max_w: Annotated[float, Field(gt=0)] | None = Field(None, description="the end of its range, in W")
    accuracy: AccuracyEntry = Field(description="limits of its error")

    def settings(self) -> ScpiSettings:
        """As a frozen value."""
        return ScpiSettings(
            resource=self.resource,
            voltage_query=self.voltage,
            current_query=self.current,
            poll_s=1 / self.rate_hz,
            max_w=self.max_w,
            accuracy=self.accuracy.limits(),
        )


class ReplayEntry(Strict):
    """A trace in a file, `time_s,power_w` a line."""

    kind: Literal["replay"] = Field(description="which meter")
    file: str = Field(min_length=1, description="the file, relative to the inventory")
    accuracy: AccuracyEntry = Field(description="limits of the error of what recorded it")

    def settings(self) -> ReplaySettings:
        """As a frozen value."""
        return ReplaySettings(file=self.file, accuracy=self.accuracy.limits())


MeterEntry = Annotated[
    HwmonEntry | PowercapEntry | PmicEntry | PlugEntry | CommandEntry | ScpiEntry | ReplayEntry,
    Field(discriminator="kind"),
]


def settings_of(entries: list[MeterEntry]) -> tuple[MeterSettings, ...]:
    """What a board's `meters:` say, as frozen values in their order."""
    return tuple(entry.settings() for entry in entries)


def _limits(entry: AccuracyEntry | None) -> Accuracy | None:
    return None if entry is None else entry.limits()
