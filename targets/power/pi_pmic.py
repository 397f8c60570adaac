"""The power management chip of a Raspberry Pi 5, read by `vcgencmd pmic_read_adc`.

    meters:
      - {kind: pi-pmic}

It sees the rails behind it: not its own losses, and nothing that hangs on the 5 V input (USB devices, a fan, HATs). So
the sum of its rails is less than what the board draws. Its accuracy is not published. A reading takes some
milliseconds of a processor, hence ten a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..agent.power_text import parse_pmic
from .channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from .meter import MeterError

READ_COMMAND = "vcgencmd pmic_read_adc"
POLL_S = 0.1
_ASSUMED = Accuracy(gain=0.05, offset_w=0.1, resolution=0.001, source="not published: 5 % and 0.1 W assumed")
_STALE_AFTER_S = 3.0


def check_rails(text: str, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The rails to add up: those asked for, or all. They are the outputs of separate converters, so they may be added.

    Raises MeterError where the board has no such chip or rail.
    """
    found = parse_pmic(text)
    if not found:
        raise MeterError("this board's firmware shows no PMIC rails (a Raspberry Pi 5 does, with vcgencmd installed)")
    lacking = [rail for rail in wanted or () if rail not in found]
    if lacking:
        raise MeterError(f'the PMIC has no rail "{lacking[0]}"; it has {", ".join(found)}')
    return tuple(wanted or found)


def channel_of(rails: Sequence[str], chosen: bool, poll_s: float, accuracy: Accuracy | None = None) -> Channel:
    """What the sum of these rails is; `chosen` says that somebody picked them out."""
    return Channel(
        meter="pi5 pmic",
        site="+".join(rails) if chosen else f"{len(rails)} rails",
        sampling=Sampling.INSTANTANEOUS,
        accuracy=accuracy or _ASSUMED,
        clock=ClockDomain.BOARD,
        scope=Scope.RAIL,
        meter_class=MeterClass.E3,
        interval_s=poll_s,
        stale_after_s=_STALE_AFTER_S,
    )


def source_of(rails: Sequence[str]) -> dict[str, object]:
    """The chip as the on-board sampler reads it."""
    return {"kind": "pmic", "argv": READ_COMMAND.split(), "rails": list(rails)}
