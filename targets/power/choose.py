"""The meter of a board that can be read now, and the windows that it needs. Looks at the board; starts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..agent.job import JobPower
from ..connection import Connection
from .board_clock import compare_clocks
from .board_sampler import BoardPlan
from .channel import Channel, ClockDomain, channel_to_facts
from .meter import MeterError
from .open import open_meter, plan_on_board
from .settings import MeterSettings
from .windows import shortest_active_s, shortest_idle_s
from .words import meter_text

# Windows are marked by the board and end where an inference ends: a little more than the least is asked for.
_ROOM = 1.1
# The controller compares clocks in every gap anew, and may be less lucky then: more than the first comparison demands.
_LOOSER = 2.0
_STARTUP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A meter that answers: what it measures, and what the agent is told of it. `python` is one of the board."""

    settings: MeterSettings
    channel: Channel
    power: JobPower
    python: str

    @property
    def on_board(self) -> bool:
        """Whether the board's own sampler reads it, beside each process."""
        return self.power.source is not None


def look_at_meter(settings: MeterSettings, connection: Connection, workdir: str) -> tuple[Channel, BoardPlan | None]:
    """What a meter measures, and for one that the board reads, how. Raises MeterError where it cannot be read."""
    plan = plan_on_board(settings, connection)
    if plan is not None:
        return plan.channels[0], plan
    meter = open_meter(settings, connection, workdir=workdir)
    try:
        return meter.setup()[0], None
    finally:
        meter.stop()


def choose_meter(
    meters: Sequence[MeterSettings], connection: Connection, *, workdir: str, python: str, process_timeout_s: float
) -> tuple[Chosen | None, tuple[str, ...]]:
    """The first meter of a board that can be used, and why each one before it cannot. `python` is the board's."""
    refused: list[str] = []
    for settings in meters:
        try:
            return _chosen(settings, connection, workdir, python, process_timeout_s), tuple(refused)
        except MeterError as error:
            refused.append(f"{meter_text(settings)}: {' '.join(str(error).split())}")
    return None, tuple(refused)


def _chosen(
    settings: MeterSettings, connection: Connection, workdir: str, python: str, process_timeout_s: float
) -> Chosen:
    channel, plan = look_at_meter(settings, connection, workdir)
    half_width_s = 0.0
    if channel.clock is not ClockDomain.BOARD:
        half_width_s = _LOOSER * compare_clocks(connection, python).half_width_ns / 1e9
    active_s = _ROOM * shortest_active_s(channel, half_width_s)
    idle_s = _ROOM * shortest_idle_s(channel, half_width_s)
    needed_s = active_s + 2 * idle_s + _STARTUP_S
    if needed_s > process_timeout_s:
        raise MeterError(
            f"its windows make a process {needed_s:.0f} s long, and one may take {process_timeout_s:g} s at most "
            "(HILBENCH_PROCESS_TIMEOUT_S)"
        )
    power = JobPower(
        active_s=round(active_s, 3),
        idle_s=round(idle_s, 3),
        poll_s=channel.interval_s if plan is None else plan.poll_s,
        source=None if plan is None else dict(plan.source),
        channel=channel_to_facts(channel),
    )
    return Chosen(settings=settings, channel=channel, power=power, python=python)
