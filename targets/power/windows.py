"""When the board was idle and when it worked, and how long a window a meter needs. Pure; times by the board's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from .channel import Channel, Sampling

_SHORTEST_S = 10.0  # MLPerf Tiny's bound as well
_SYNC_UNCERTAINTIES = 100.0
_SAMPLES = 50
_IDLE_SHORTEST_S = 2.0
_IDLE_SAMPLES = 10
_STEPS_OF_A_COUNTER = 10
GUARD_UNCERTAINTIES = 3.0
GUARD_VALUES = 2.0  # a value may have begun to be measured before the edge, and polls come up to half a period late


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time, in ns."""

    start_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One process as the meter sees it: idle with the model loaded, `inferences` back to back, idle again."""

    idle_before: Span
    active: Span
    idle_after: Span
    inferences: int

    def __post_init__(self) -> None:
        if self.inferences < 1:
            raise ValueError("a window without inferences has no energy per inference")

    @classmethod
    def of_marks(cls, marks_ns: Sequence[int], inferences: int) -> Self:
        """The window of the four marks that the agent gives: see agent/power_marks.py."""
        one, two, three, four = marks_ns
        return cls(
            idle_before=Span(start_ns=one, end_ns=two),
            active=Span(start_ns=two, end_ns=three),
            idle_after=Span(start_ns=three, end_ns=four),
            inferences=inferences,
        )

    @property
    def period_s(self) -> float:
        """The mean time of an inference by the board's clock, with all that the loop does between two of them."""
        return self.active.duration_s / self.inferences


def shortest_active_s(channel: Channel, half_width_s: float) -> float:
    """How long a window of inferences must be for this meter (10 s, 100 sync uncertainties, 50 samples).

    An accumulating channel misses nothing between two readings: it needs 10 steps of its counter instead.
    """
    samples = _STEPS_OF_A_COUNTER if channel.sampling is Sampling.ACCUMULATING else _SAMPLES
    return max(_SHORTEST_S, _SYNC_UNCERTAINTIES * half_width_s, samples * channel.interval_s)


def shortest_idle_s(channel: Channel, half_width_s: float) -> float:
    """How long each idle window must be: its mean is the idle power, guards at both ends left out."""
    within_s = max(_IDLE_SHORTEST_S, _IDLE_SAMPLES * channel.interval_s)
    return within_s + 2 * guard_s(channel, half_width_s)


def guard_s(channel: Channel, half_width_s: float) -> float:
    """What is left out at each end of a window: what the clocks leave open, or two values of the meter."""
    return max(GUARD_UNCERTAINTIES * half_width_s, GUARD_VALUES * channel.interval_s)


def refusal(channel: Channel, window: Window, half_width_s: float) -> str | None:
    """Why these windows are too short for the meter, with how long they must be; None where they are not."""
    needed_s = shortest_active_s(channel, half_width_s)
    if window.active.duration_s < needed_s:
        return (
            f"the window of {window.active.duration_s:.3g} s is too short for {channel.name}: it must be at least "
            f"{needed_s:.3g} s ({_reason(channel, half_width_s, needed_s)})"
        )
    needed_s = shortest_idle_s(channel, half_width_s)
    shorter = min(window.idle_before.duration_s, window.idle_after.duration_s)
    if shorter < needed_s:
        return (
            f"an idle window of {shorter:.3g} s is too short for {channel.name}: it must be at least {needed_s:.3g} s"
        )
    return None


def _reason(channel: Channel, half_width_s: float, needed_s: float) -> str:
    if needed_s == _SYNC_UNCERTAINTIES * half_width_s:
        return f"its clock is known to {half_width_s * 1e3:.3g} ms"
    if needed_s > _SHORTEST_S:
        return f"it gives a fresh value every {channel.interval_s:.3g} s"
    return "shorter ones are never measured"
