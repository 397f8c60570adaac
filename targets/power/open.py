"""From a meter's settings to the meter: where to look on the board, or what to open here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..connection import Connection
from . import hwmon, pi_pmic, powercap
from .board_sampler import BoardMeter, BoardPlan, read_listing
from .command import CommandMeter, channel_of, source_of
from .meter import Meter
from .plug import SHELLY, TASMOTA, Plug
from .replay import ReplayMeter
from .scpi import ScpiMeter
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


def open_meter(
    settings: MeterSettings,
    connection: Connection,
    *,
    workdir: str,
    python: str = "python3",
    avoid_cpus: Sequence[int] = (),
    seed: int = 0,
    agent_path: str | None = None,
) -> Meter:
    """The meter of a board; nothing is touched before its `setup`.

    Args:
        settings: one entry of the board's meters.
        connection: the way to the board, for the meters that the board itself reads.
        workdir: the board's folder for hilbench.
        python: an interpreter on the board, 3.10 or newer.
        avoid_cpus: the cores that are measured; the on-board sampler keeps off them where there are others.
        seed: for the jitter of polling; another one for each block.
        agent_path: the agent's file on the board, where it is there already.
    """

    def on_board(look: Callable[[Connection], BoardPlan]) -> BoardMeter:
        return BoardMeter(
            connection,
            look,
            workdir=workdir,
            python=python,
            avoid_cpus=avoid_cpus,
            seed=seed,
            agent_path=agent_path,
        )

    match settings:
        case HwmonSettings():
            return on_board(lambda board: look_hwmon(board, settings))
        case PowercapSettings():
            return on_board(lambda board: look_powercap(board, settings))
        case PmicSettings():
            return on_board(lambda board: look_pmic(board, settings))
        case PlugSettings():
            kind = SHELLY if settings.kind == "shelly" else TASMOTA
            return Plug(kind, settings.address, by_power=settings.by_power, accuracy=settings.accuracy)
        case CommandSettings():
            plan = plan_command(settings)
            return on_board(lambda _: plan) if settings.on_board else CommandMeter(settings.argv, plan.channels[0])
        case ScpiSettings():
            return ScpiMeter(
                settings.resource,
                accuracy=settings.accuracy,
                voltage_query=settings.voltage_query,
                current_query=settings.current_query,
                poll_s=settings.poll_s,
                max_w=settings.max_w,
            )
        case ReplaySettings():
            return ReplayMeter(Path(settings.file), accuracy=settings.accuracy)


def plan_on_board(settings: MeterSettings, connection: Connection) -> BoardPlan | None:
    """What a sampler on the board shall read; None for a meter that this machine reads. Raises MeterError."""
    match settings:
        case HwmonSettings():
            return look_hwmon(connection, settings)
        case PowercapSettings():
            return look_powercap(connection, settings)
        case PmicSettings():
            return look_pmic(connection, settings)
        case CommandSettings():
            return plan_command(settings) if settings.on_board else None
        case PlugSettings() | ScpiSettings() | ReplaySettings():
            return None


def look_hwmon(connection: Connection, settings: HwmonSettings) -> BoardPlan:
    """The rail to sample on this board. Raises MeterError with the names to choose from."""
    sysfs = settings.sysfs
    rails = hwmon.parse_listing(read_listing(connection, hwmon.listing_command(sysfs)), sysfs)
    rail = hwmon.choose_rail(rails, settings.rail)
    channel = hwmon.channel_of(rail, settings.poll_s, settings.accuracy)
    return BoardPlan(channels=(channel,), source=hwmon.source_of(rail), poll_s=settings.poll_s)


def look_powercap(connection: Connection, settings: PowercapSettings) -> BoardPlan:
    """The package to sample on this board. Raises MeterError."""
    sysfs = settings.sysfs
    zones = powercap.parse_listing(read_listing(connection, powercap.listing_command(sysfs)), sysfs)
    zone = powercap.choose_zone(zones, settings.package)
    channel = powercap.channel_of(zone, settings.poll_s, settings.accuracy)
    return BoardPlan(channels=(channel,), source=powercap.source_of(zone), poll_s=settings.poll_s)


def look_pmic(connection: Connection, settings: PmicSettings) -> BoardPlan:
    """The rails of the PMIC to add up. Raises MeterError."""
    text = read_listing(connection, f"{pi_pmic.READ_COMMAND} 2>/dev/null; :")
    rails = pi_pmic.check_rails(text, settings.rails)
    channel = pi_pmic.channel_of(rails, settings.rails is not None, settings.poll_s, settings.accuracy)
    return BoardPlan(channels=(channel,), source=pi_pmic.source_of(rails), poll_s=settings.poll_s)


def plan_command(settings: CommandSettings) -> BoardPlan:
    """What the program of a `command` meter gives."""
    channel = channel_of(
        settings.argv,
        on_board=settings.on_board,
        site=settings.site,
        scope=settings.scope,
        interval_s=settings.interval_s,
        accuracy=settings.accuracy,
    )
    return BoardPlan(channels=(channel,), source=source_of(settings.argv), poll_s=settings.interval_s)
