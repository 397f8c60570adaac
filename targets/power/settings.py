"""A board's meters as the inventory describes them: data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .channel import Accuracy, Scope

SYSFS = "/sys"


@dataclass(frozen=True, slots=True, kw_only=True)
class HwmonSettings:
    """A sensor of hwmon; `rail` None = the one that carries all, or the only one."""

    rail: str | None = None
    poll_s: float = 0.02
    accuracy: Accuracy | None = None
    sysfs: str = SYSFS


@dataclass(frozen=True, slots=True, kw_only=True)
class PowercapSettings:
    """An energy counter of powercap; `package` None = the only one."""

    package: str | None = None
    poll_s: float = 0.1
    accuracy: Accuracy | None = None
    sysfs: str = SYSFS


@dataclass(frozen=True, slots=True, kw_only=True)
class PmicSettings:
    """The PMIC of a Raspberry Pi 5; `rails` None = all."""

    rails: tuple[str, ...] | None = None
    poll_s: float = 0.1
    accuracy: Accuracy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlugSettings:
    """A smart plug; `by_power` takes its power instead of its energy counter."""

    kind: Literal["shelly", "tasmota"]
    address: str
    by_power: bool
    accuracy: Accuracy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """A program that prints samples, here or on the board."""

    argv: tuple[str, ...]
    on_board: bool
    site: str
    scope: Scope
    interval_s: float
    accuracy: Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class ScpiSettings:
    """An instrument by its VISA address."""

    resource: str
    voltage_query: str
    current_query: str
    poll_s: float
    max_w: float | None
    accuracy: Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """A trace file; the path is relative to the inventory until the inventory resolves it."""

    file: str
    accuracy: Accuracy


MeterSettings = (
    HwmonSettings | PowercapSettings | PmicSettings | PlugSettings | CommandSettings | ScpiSettings | ReplaySettings
)
