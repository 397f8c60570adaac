"""What a meter's values are: quantity and site, accuracy, clock, scope and class. Data only, without numpy.

Values are watts (instantaneous channels) or joules (accumulating ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class MeterClass(StrEnum):
    """How far an energy figure can be believed; it stands beside every one of them."""

    E1 = "E1"  # DC analyser with a marker line
    E2 = "E2"  # external meter, clocks compared
    E3 = "E3"  # sensor on the board, rails named
    E4 = "E4"  # battery gauge or smart plug
    E5 = "E5"  # a model of the chip's maker: estimated, never called measured


class Scope(StrEnum):
    """What the measured current feeds."""

    WALL = "wall"  # mains, with the losses of the power supply
    BOARD_INPUT = "board input"  # all that the board takes on its DC side
    RAIL = "rails"  # one or some rails of the board
    PACKAGE = "package"  # the processor's package


class ClockDomain(StrEnum):
    """Whose clock stamps the samples."""

    BOARD = "board"  # the clock that times the inferences: nothing to compare
    CONTROLLER = "controller"
    METER = "meter"


class Sampling(StrEnum):
    """Whether a value is the power at a time, or the energy since some start."""

    INSTANTANEOUS = "instantaneous"
    ACCUMULATING = "accumulating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Limits of a meter's error as its maker states them, not standard deviations.

    `gain` is a fraction of the reading. `offset_w` is in watts. `resolution` is one step of the value (W or J).
    `source` says where the limits come from.
    """

    gain: float
    offset_w: float
    resolution: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One quantity at one site. `interval_s` is the time between two fresh values of the meter.

    `max_w` is the end of the range, where readings saturate (None = not known). `wrap` is the value at which an
    accumulating channel starts again from 0. A value that stays exactly the same for `stale_after_s` is a meter that
    repeats itself.
    """

    meter: str
    site: str
    sampling: Sampling
    accuracy: Accuracy
    clock: ClockDomain
    scope: Scope
    meter_class: MeterClass
    interval_s: float
    stale_after_s: float
    max_w: float | None = None
    wrap: float | None = None

    @property
    def quantity(self) -> str:
        """What the values are: `power` or `energy`."""
        return "energy" if self.sampling is Sampling.ACCUMULATING else "power"

    @property
    def unit(self) -> str:
        """The unit of the values: W or J."""
        return "J" if self.sampling is Sampling.ACCUMULATING else "W"

    @property
    def name(self) -> str:
        """Meter and site, as it stands beside a figure."""
        return f"{self.meter} {self.site}"


def channel_to_facts(channel: Channel) -> dict[str, Any]:
    """As plain data that JSON takes."""
    return asdict(channel)


def channel_from_facts(facts: Mapping[str, Any]) -> Channel:
    """The channel that `channel_to_facts` was given."""
    plain = {name: value for name, value in facts.items() if name not in _WORDS and name != "accuracy"}
    words = {name: kind(facts[name]) for name, kind in _WORDS.items()}
    return Channel(accuracy=Accuracy(**facts["accuracy"]), **words, **plain)


_WORDS = {"sampling": Sampling, "clock": ClockDomain, "scope": Scope, "meter_class": MeterClass}
