"""A smart plug between the wall and the board's power supply, asked over HTTP about once a second: class E4.

    meters:
      - {kind: shelly, host: 192.168.1.40}
      - {kind: tasmota, host: plug-7.local}

Shelly of generation 2 and later: `/rpc/Shelly.GetStatus`, `apower` in W and `aenergy.total` in Wh of a switch or meter
(https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Switch). Tasmota: `/cm?cmnd=status%2010`, `Power` in W
and `Total` in kWh (https://tasmota.github.io/docs/JSON-Status-Responses/).

A plug sees the losses of the power supply too. Its energy counter misses nothing between two readings, its power is one
moment of each second: hence the counter where its steps are small (Shelly: 0.001 Wh), over minutes.
"""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from .meter import MeterError, Trace
from .polling import BackgroundSampling, polled, traces_of

JOULES_PER_WH = 3600.0
POLL_S = 1.0
_TIMEOUT_S = 3.0
_ANSWER_BYTES = 1 << 20
# No power of a board makes a plug's power stand still to a tenth of a watt for so long; a counter may.
_STALE_POWER_S = 60.0
_STALE_COUNTER_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlugReading:
    """One answer: the energy counter in J and the power in W."""

    energy_j: float
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlugKind:
    """A family of plugs: where to ask, how to read the answer, how fine and how true its values are."""

    name: str
    path: str
    parse: Callable[[Mapping[str, Any]], PlugReading]
    counter_step_j: float
    power_step_w: float
    gain: float
    offset_w: float


def parse_shelly(status: Mapping[str, Any]) -> PlugReading:
    """The first switch or meter with an energy counter in a Shelly's status. Raises ValueError where there is none."""
    for name in sorted(status):
        part = status[name]
        if name.partition(":")[0] in ("switch", "pm1") and isinstance(part, Mapping) and "aenergy" in part:
            return _reading(lambda part=part: (part["aenergy"]["total"] * JOULES_PER_WH, part["apower"]))
    raise ValueError("its status has no switch with an energy counter")


def parse_tasmota(status: Mapping[str, Any]) -> PlugReading:
    """The energy part of Tasmota's status 10. Raises ValueError where there is none."""

    def take() -> tuple[float, float]:
        energy = status["StatusSNS"]["ENERGY"]
        return energy["Total"] * 1000 * JOULES_PER_WH, energy["Power"]

    return _reading(take)


SHELLY = PlugKind(
    name="shelly",
    path="/rpc/Shelly.GetStatus",
    parse=parse_shelly,
    counter_step_j=0.001 * JOULES_PER_WH,
    power_step_w=0.1,
    gain=0.02,
    offset_w=0.1,
)
TASMOTA = PlugKind(
    name="tasmota",
    path="/cm?cmnd=status%2010",
    parse=parse_tasmota,
    counter_step_j=JOULES_PER_WH,
    power_step_w=1.0,
    gain=0.05,
    offset_w=0.5,
)


class Plug:
    """A plug as a Meter. The channel for energy is its counter, or its power with `by_power`.

    `address` is a host with or without a port.
    """

    def __init__(self, kind: PlugKind, address: str, *, by_power: bool, accuracy: Accuracy | None = None) -> None:
        self._kind = kind
        self._url = f"http://{address}{kind.path}"
        self._address = address
        self._by_power = by_power
        self._accuracy = accuracy
        self._channels: tuple[Channel, ...] = ()
        self._sampling: BackgroundSampling | None = None

    def setup(self) -> tuple[Channel, ...]:
        """See Meter.setup: asks the plug once, since a counter with coarse steps is slow at a small power."""
        try:
            reading = self._ask()
        except (OSError, ValueError) as error:
            raise MeterError(f"the {self._kind.name} plug at {self._address} cannot be read: {error}") from error
        counter, power = self._counter(reading), self._power()
        self._channels = (power, counter) if self._by_power else (counter, power)
        return self._channels

    def start(self) -> None:
        """See Meter.start."""
        self._sampling = polled(self._read, period_s=POLL_S)
        self._sampling.start(f"the {self._kind.name} plug at {self._address}")

    def stop(self) -> None:
        """See Meter.stop."""
        if self._sampling is not None:
            self._sampling.stop()

    def samples(self) -> tuple[Trace, ...]:
        """See Meter.samples."""
        return () if self._sampling is None else traces_of(self._channels, self._sampling.samples())

    def _read(self) -> tuple[float, float]:
        reading = self._ask()
        both = (reading.energy_j, reading.power_w)
        return (both[1], both[0]) if self._by_power else both

    def _ask(self) -> PlugReading:
        return self._kind.parse(_get_json(self._url))

    def _counter(self, now: PlugReading) -> Channel:
        step_s = self._kind.counter_step_j / now.power_w if now.power_w > 0 else POLL_S
        accuracy = self._accuracy or self._stated()
        return self._channel(
            sampling=Sampling.ACCUMULATING,
            accuracy=Accuracy(
                gain=accuracy.gain,
                offset_w=accuracy.offset_w,
                resolution=self._kind.counter_step_j,
                source=accuracy.source,
            ),
            interval_s=max(POLL_S, step_s),
            stale_after_s=max(_STALE_COUNTER_S, 3 * step_s),
        )

    def _power(self) -> Channel:
        return self._channel(
            sampling=Sampling.INSTANTANEOUS,
            accuracy=self._accuracy or self._stated(),
            interval_s=POLL_S,
            stale_after_s=_STALE_POWER_S,
        )

    def _stated(self) -> Accuracy:
        kind = self._kind
        return Accuracy(
            gain=kind.gain,
            offset_w=kind.offset_w,
            resolution=kind.power_step_w,
            source=f"not stated for every plug: {kind.gain:.0%} and {kind.offset_w:g} W assumed",
        )

    def _channel(self, *, sampling: Sampling, accuracy: Accuracy, interval_s: float, stale_after_s: float) -> Channel:
        return Channel(
            meter=self._kind.name,
            site="wall",
            sampling=sampling,
            accuracy=accuracy,
            clock=ClockDomain.CONTROLLER,
            scope=Scope.WALL,
            meter_class=MeterClass.E4,
            interval_s=interval_s,
            stale_after_s=stale_after_s,
        )


def _reading(take: Callable[[], tuple[Any, Any]]) -> PlugReading:
    try:
        energy_j, power_w = (float(value) for value in take())
    except (KeyError, TypeError) as error:
        raise ValueError(f"its answer holds no energy and power ({error})") from error
    if not (math.isfinite(energy_j) and math.isfinite(power_w)):
        raise ValueError("its answer holds no finite energy and power")
    return PlugReading(energy_j=energy_j, power_w=power_w)


def _get_json(url: str) -> Mapping[str, Any]:
    """The JSON object at a URL. Raises OSError or ValueError with words that stand behind "cannot be read:"."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  always http, see Plug
            data = json.loads(answer.read(_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        words = "it wants a password, which hilbench does not send" if error.code == 401 else f"HTTP {error.code}"
        raise OSError(words) from error
    except urllib.error.URLError as error:
        raise OSError(str(getattr(error.reason, "strerror", None) or error.reason)) from error
    except ValueError as error:
        raise ValueError("its answer is no JSON") from error
    if not isinstance(data, dict):
        raise ValueError("its answer is no JSON object")  # noqa: TRY004  a wrong answer, not a wrong type of ours
    return data
