"""From the blocks of a candidate to one energy figure with its uncertainty budget, and to ratios of two. Pure.

Standard uncertainties, as in the Guide to the Expression of Uncertainty in Measurement: a limit a of an error that may
lie anywhere within ±a counts as a/√3; what is reported is twice the root of the sum of squares (k = 2, about 95 %).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .channel import Channel, MeterClass, Sampling, Scope
from .curve import widened_standard_error
from .integrate import BlockEnergy, Validity

COVERAGE = 2.0  # k
_BLOCKS_FOR_A_SPREAD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Joules per inference of one candidate on one board, as one meter saw them.

    `net_j` is without the idle power. The uncertainties are for k = 2, in joules; `budget` and `net_budget` hold the
    standard uncertainties they are made of, by source. All None where no block is valid; `reasons` says why.
    """

    meter: str
    site: str
    meter_class: MeterClass
    scope: Scope
    total_j: float | None = None
    net_j: float | None = None
    uncertainty_j: float | None = None
    net_uncertainty_j: float | None = None
    budget: Mapping[str, float] = field(default_factory=dict[str, float])
    net_budget: Mapping[str, float] = field(default_factory=dict[str, float])
    active_w: float | None = None
    idle_w: float | None = None
    period_s: float | None = None
    window_s: float | None = None
    blocks: int
    samples: int
    drops: int
    validity: Validity
    reasons: tuple[str, ...] = ()

    @property
    def relative_uncertainty(self) -> float | None:
        """The k = 2 uncertainty of the total as a fraction of it."""
        if self.total_j is None or self.uncertainty_j is None or self.total_j <= 0:
            return None
        return self.uncertainty_j / self.total_j


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRatio:
    """Total energy of one candidate over another's by the same meter, whose gain cancels; k = 2."""

    ratio: float
    uncertainty: float


def combine(blocks: Sequence[BlockEnergy]) -> Energy:
    """One figure of the blocks that are not invalid; the others are counted in the reasons. Needs one block."""
    channel = blocks[0].channel
    usable = [block for block in blocks if block.validity is not Validity.INVALID]
    if not usable:
        return _energy(channel, blocks, usable, Validity.INVALID, _distinct(blocks))
    reasons = _distinct(usable)
    lost = [block for block in blocks if block.validity is Validity.INVALID]
    if lost:
        reasons = (*reasons, f"{len(lost)} of {len(blocks)} blocks have no energy: {'; '.join(_distinct(lost))}")
    return _energy(channel, blocks, usable, Validity.SUSPECT if reasons else Validity.VALID, reasons)


def energy_ratio(one: Energy, other: Energy) -> EnergyRatio | None:
    """`one` over `other`; None unless both are measured, by the same meter at the same site.

    A gain error is the same factor in both and cancels. An offset is the same power in both, and cancels as far as the
    two have the same power.
    """
    if (one.meter, one.site) != (other.meter, other.site):
        return None
    if one.total_j is None or other.total_j is None or one.total_j <= 0 or other.total_j <= 0:
        return None
    ratio = one.total_j / other.total_j
    shared = sum(
        (one.budget[source] / one.total_j - other.budget[source] / other.total_j) ** 2
        for source in ("offset", "resolution")
    )
    own = sum((energy.budget["repeat"] / energy.total_j) ** 2 for energy in (one, other) if energy.total_j)
    return EnergyRatio(ratio=ratio, uncertainty=COVERAGE * ratio * (shared + own) ** 0.5)


def _energy(
    channel: Channel,
    blocks: Sequence[BlockEnergy],
    usable: Sequence[BlockEnergy],
    validity: Validity,
    reasons: tuple[str, ...],
) -> Energy:
    total_j, net_j = _mean(block.total_j for block in usable), _mean(block.net_j for block in usable)
    period_s = _mean(block.period_s for block in usable)
    budget: dict[str, float] = {}
    net_budget: dict[str, float] = {}
    if total_j is not None and net_j is not None and period_s is not None:
        repeat_j = _repeat(usable, [block.total_j for block in usable], [block.random_j for block in usable])
        net_repeat_j = _repeat(usable, [block.net_j for block in usable], [block.net_random_j for block in usable])
        budget = {**_shared(channel, total_j, period_s), "repeat": repeat_j}
        shared = _shared(channel, net_j, period_s)
        # The same offset is in the active and in the idle power, so it is not in their difference; two steps are.
        net_budget = {**shared, "offset": 0.0, "resolution": shared["resolution"] * 2**0.5, "repeat": net_repeat_j}
    return Energy(
        meter=channel.meter,
        site=channel.site,
        meter_class=channel.meter_class,
        scope=channel.scope,
        total_j=total_j,
        net_j=net_j,
        uncertainty_j=_expanded(budget),
        net_uncertainty_j=_expanded(net_budget),
        budget=budget,
        net_budget=net_budget,
        active_w=_mean(block.active_w for block in usable),
        idle_w=_mean(block.idle_w for block in usable),
        period_s=period_s,
        window_s=_mean(block.window_s for block in usable),
        blocks=len(usable),
        samples=sum(block.samples for block in usable),
        drops=sum(block.drops for block in blocks),
        validity=validity,
        reasons=reasons,
    )


def _shared(channel: Channel, joules: float, period_s: float) -> dict[str, float]:
    """What all blocks have in common, as standard uncertainties in joules per inference.

    A step of an instantaneous value stays as it is however many samples are averaged, for a calm load dithers nothing;
    a counter's steps are in the spread of its means already.
    """
    accuracy = channel.accuracy
    instantaneous = channel.sampling is Sampling.INSTANTANEOUS
    return {
        "gain": accuracy.gain * abs(joules) / 3**0.5,
        "offset": accuracy.offset_w * period_s / 3**0.5,
        "resolution": accuracy.resolution * period_s / 12**0.5 if instantaneous else 0.0,
    }


def _repeat(blocks: Sequence[BlockEnergy], values: Sequence[float | None], random_j: Sequence[float | None]) -> float:
    """The uncertainty of the mean over blocks: by their spread, and never less than their own noise says."""
    noise_j = float(np.sqrt(sum((value or 0.0) ** 2 for value in random_j))) / len(blocks)
    if len(blocks) < _BLOCKS_FOR_A_SPREAD:
        return noise_j
    return max(noise_j, widened_standard_error(np.array([value for value in values if value is not None])))


def _expanded(budget: Mapping[str, float]) -> float | None:
    return COVERAGE * float(np.sqrt(sum(value**2 for value in budget.values()))) if budget else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _distinct(blocks: Sequence[BlockEnergy]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for block in blocks for reason in block.reasons))
