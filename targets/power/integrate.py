"""From a trace and a window to joules per inference of one process. Pure.

The figure is the plateau's: mean power in the middle of the window times the mean period of an inference by the board's
own clock. An error of the clocks then shifts the plateau and not its length, so it cancels to first order; counted from
edge to edge it would be a bias. The edge-to-edge figure is the cross-check.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from .channel import Channel
from .clocks import ClockMap
from .curve import MeanPower, edge_to_edge_w, mean_power
from .meter import Trace
from .quality import inspect
from .windows import Span, Window, guard_s, refusal

_EDGE_DISAGREEMENT = 0.01
# What each end of the window is left out at least: without it the plateau would be the window, and check nothing.
_EDGE_SHARE = 0.05


class Validity(StrEnum):
    """Whether a figure may be used: `suspect` ones are shown with their reasons, `invalid` ones have no value."""

    VALID = "valid"
    SUSPECT = "suspect"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEnergy:
    """The energy of one process. Figures are joules per inference, None where invalid.

    `random_j` and `net_random_j` are standard uncertainties from sampling, noise and the drift of the idle power: what
    differs from block to block. What all blocks share (gain, offset, resolution) is added where blocks are combined.
    """

    channel: Channel
    total_j: float | None = None
    net_j: float | None = None
    edge_j: float | None = None
    random_j: float | None = None
    net_random_j: float | None = None
    active_w: float | None = None
    idle_w: float | None = None
    period_s: float
    window_s: float
    samples: int
    drops: int
    validity: Validity
    reasons: tuple[str, ...] = ()

    @classmethod
    def invalid(cls, channel: Channel, window: Window, reasons: tuple[str, ...], samples: int, drops: int) -> Self:
        """A block without a figure, and why."""
        return cls(
            channel=channel,
            period_s=window.period_s,
            window_s=window.active.duration_s,
            samples=samples,
            drops=drops,
            validity=Validity.INVALID,
            reasons=reasons,
        )


def measure_block(trace: Trace, window: Window, clocks: ClockMap) -> BlockEnergy:
    """The energy of the window's inferences. Never raises for what a meter did: the block is invalid and says why."""
    channel = trace.channel
    start_ns = clocks.to_meter_ns(window.idle_before.start_ns)
    end_ns = clocks.to_meter_ns(window.idle_after.end_ns)
    quality = inspect(trace, start_ns, end_ns)
    too_short = refusal(channel, window, clocks.half_width_s)
    faults = tuple(fault for fault in (too_short, clocks.fault(), *quality.faults) if fault is not None)
    if faults:
        return BlockEnergy.invalid(channel, window, faults, quality.samples, quality.drops)
    left_out_s = guard_s(channel, clocks.half_width_s)
    middle_guard_s = max(left_out_s, _EDGE_SHARE * window.active.duration_s)
    middle = plateau(window.active, window.period_s, middle_guard_s)
    active = _mean(trace, middle, clocks, period_s=window.period_s)
    before = _mean(trace, _inside(window.idle_before, left_out_s), clocks)
    after = _mean(trace, _inside(window.idle_after, left_out_s), clocks)
    if active is None or before is None or after is None:
        faults = (f"{channel.name} gave too few fresh values in the window or beside it",)
        return BlockEnergy.invalid(channel, window, faults, quality.samples, quality.drops)
    idle_w, idle_uncertainty_w = idle_power(before, after)
    edge_w = edge_to_edge_w(trace, clocks.to_meter_ns(window.active.start_ns), clocks.to_meter_ns(window.active.end_ns))
    suspicion = _disagreement(channel, window, clocks, active, idle_w, edge_w)
    return BlockEnergy(
        channel=channel,
        total_j=active.watts * window.period_s,
        net_j=(active.watts - idle_w) * window.period_s,
        edge_j=None if edge_w is None else edge_w * window.period_s,
        random_j=active.uncertainty_w * window.period_s,
        net_random_j=(active.uncertainty_w**2 + idle_uncertainty_w**2) ** 0.5 * window.period_s,
        active_w=active.watts,
        idle_w=idle_w,
        period_s=window.period_s,
        window_s=window.active.duration_s,
        samples=quality.samples,
        drops=quality.drops,
        validity=Validity.SUSPECT if suspicion else Validity.VALID,
        reasons=(suspicion,) if suspicion else (),
    )


def plateau(active: Span, period_s: float, left_out_s: float) -> Span:
    """The middle of the window without its guards, cut to a whole number of inferences where one fits.

    A part of an inference more or less would weigh its busier half too much.
    """
    length_s = active.duration_s - 2 * left_out_s
    whole = int(length_s / period_s)
    if whole >= 1:
        length_s = whole * period_s
    middle_ns = (active.start_ns + active.end_ns) / 2
    half_ns = length_s / 2 * 1e9
    return Span(start_ns=round(middle_ns - half_ns), end_ns=round(middle_ns + half_ns))


def idle_power(before: MeanPower, after: MeanPower) -> tuple[float, float]:
    """(watts, standard uncertainty): between the two windows it lay anywhere between what they show."""
    drift_w = abs(before.watts - after.watts) / 2 / 3**0.5
    noise_w = (before.uncertainty_w**2 + after.uncertainty_w**2) ** 0.5 / 2
    return (before.watts + after.watts) / 2, (drift_w**2 + noise_w**2) ** 0.5


def _inside(span: Span, left_out_s: float) -> Span:
    guard_ns = round(left_out_s * 1e9)
    return Span(start_ns=span.start_ns + guard_ns, end_ns=span.end_ns - guard_ns)


def _mean(trace: Trace, span: Span, clocks: ClockMap, *, period_s: float | None = None) -> MeanPower | None:
    start_ns, end_ns = clocks.to_meter_ns(span.start_ns), clocks.to_meter_ns(span.end_ns)
    return mean_power(trace, start_ns, end_ns, period_s=period_s)


def _disagreement(
    channel: Channel, window: Window, clocks: ClockMap, active: MeanPower, idle_w: float, edge_w: float | None
) -> str | None:
    """Why plateau and edges do not fit together; None where they do, within 1 % and what the clocks explain."""
    if edge_w is None or active.watts <= 0:
        return None
    blurred_s = clocks.half_width_s + channel.interval_s
    explained_w = abs(active.watts - idle_w) * blurred_s / window.active.duration_s + 2 * active.uncertainty_w
    apart = abs(edge_w - active.watts) / active.watts
    if apart <= _EDGE_DISAGREEMENT + explained_w / active.watts:
        return None
    return (
        f"power in the middle of the window is {abs(active.watts / edge_w - 1):.1%} "
        f"{'above' if active.watts > edge_w else 'below'} that of the whole window: the load was not steady"
    )
