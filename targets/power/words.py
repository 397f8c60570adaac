"""A board's meters in words, as the inventory names them. Pure, and without numpy: listings need no more."""

from __future__ import annotations

from .settings import (
    CommandSettings,
    HwmonSettings,
    MeterSettings,
    PlugSettings,
    PmicSettings,
    PowercapSettings,
    ReplaySettings,
    ScpiSettings,
)


def meter_text(settings: MeterSettings) -> str:
    """A meter as the inventory names it, in words."""
    match settings:
        case HwmonSettings(rail=rail):
            return f"hwmon ({rail or 'the rail that carries all'})"
        case PowercapSettings(package=package):
            return f"powercap ({package or 'the only package'})"
        case PmicSettings(rails=rails):
            return f"pi-pmic ({'all rails' if rails is None else ', '.join(rails)})"
        case PlugSettings(kind=kind, address=address):
            return f"{kind} plug at {address}"
        case CommandSettings(argv=argv, on_board=on_board):
            return f"command {argv[0]} on the {'board' if on_board else 'controller'}"
        case ScpiSettings(resource=resource):
            return f"scpi {resource}"
        case ReplaySettings(file=file):
            return f"replay of {file}"
