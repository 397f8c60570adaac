"""Where nothing keeps a board's budget: what came nearest, and which limit to relax by how much; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..search.words import amount
from .finalists import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate that was measured, against each limit of its board, in their order."""

    name: str
    standings: tuple[Standing, ...]

    @property
    def broken(self) -> tuple[Standing, ...]:
        """The limits that it misses."""
        return tuple(one for one in self.standings if one.kept is False)

    @property
    def unknown(self) -> tuple[Standing, ...]:
        """The limits of which nothing was measured."""
        return tuple(one for one in self.standings if one.kept is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """One limit. `kept_by` of `known` candidates keep it; `candidate` has the figure `value` that comes nearest to what
    would help.

    `enough`: relaxed to `value`, this limit alone lets `candidate` through, as it keeps all others. Else `candidate` is
    the one with the least figure there, and other limits must be relaxed as well, as far as that is known: `unknown`
    says that the rest of its figures was not measured, as this one ruled it out.
    """

    limit: str
    metric: str
    allowed: float
    kept_by: int
    known: int
    candidate: str | None
    value: float | None
    enough: bool
    unknown: bool = False

    @property
    def relax_by(self) -> float | None:
        """By how much, in base units; 0 where the limit is not what stands in the way, None where nothing is known."""
        return None if self.value is None else max(0.0, self.value - self.allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The candidate that misses a board's limits by the least altogether, and what each limit would have to become."""

    candidate: str | None
    misses: tuple[Standing, ...]
    relaxations: tuple[Relaxation, ...]


def nearest(tried: Sequence[Tried]) -> Nearest:
    """Look at all candidates that were measured on a board."""
    if not tried:
        return Nearest(candidate=None, misses=(), relaxations=())
    best = min(tried, key=lambda one: (len(one.unknown), sum(miss.relative for miss in one.broken), one.name))
    places = range(len(tried[0].standings))
    return Nearest(
        candidate=best.name, misses=best.broken, relaxations=tuple(_relaxation(tried, place) for place in places)
    )


def _relaxation(tried: Sequence[Tried], place: int) -> Relaxation:
    limit = tried[0].standings[place].limit
    known = [(one.standings[place].value or 0.0, one) for one in tried if one.standings[place].value is not None]
    alone = [(value, one) for value, one in known if _others(one, place) is True]
    unsure = [(value, one) for value, one in known if _others(one, place) is None]
    value, candidate = min(alone or unsure or known, key=lambda pair: (pair[0], pair[1].name), default=(None, None))
    return Relaxation(
        limit=limit.written,
        metric=limit.metric,
        allowed=limit.value,
        kept_by=sum(one.standings[place].kept is True for _, one in known),
        known=len(known),
        candidate=None if candidate is None else candidate.name,
        value=value,
        enough=bool(alone) and value is not None and value > limit.value,
        unknown=bool(unsure) and not alone,
    )


def _others(one: Tried, place: int) -> bool | None:
    """Whether all other limits are kept; None where none is missed, but not all were measured."""
    kept = [standing.kept for index, standing in enumerate(one.standings) if index != place]
    return False if False in kept else None if None in kept else True


def nearest_lines(found: Nearest) -> list[str]:
    """What a person reads: the nearest candidate, then a line for each limit."""
    if found.candidate is None:
        return ["No candidate was measured there, so nobody can say what came near."]
    misses = " and ".join(
        f"{_over(one.limit.metric, one.value or 0.0, one.limit.value)} over {one.limit.written}" for one in found.misses
    )
    first = f"Nearest: {found.candidate}" + (f", {misses}." if misses else ", of which not everything was measured.")
    return [first, *(f"{one.limit}: {_line(one)}" for one in found.relaxations)]


def _line(one: Relaxation) -> str:
    kept = f"kept by {one.kept_by} of {one.known}"
    if one.value is None:
        return "not measured for any candidate, so it cannot be said what would do."
    if one.enough:
        by, to = _over(one.metric, one.value, one.allowed), amount(one.metric, one.value)
        return f"{kept}; relaxed by {by}, to {to}, it alone would let {one.candidate} through."
    if one.relax_by:
        by, least = _over(one.metric, one.value, one.allowed), amount(one.metric, one.value)
        if one.unknown:
            return f"{kept}; relaxed by {by}, to {least}, {one.candidate} could be measured for the other limits."
        return f"{kept}; needs {by} more, to {least} ({one.candidate} has the least), and other limits as well."
    return f"{kept}; relaxing it alone lets nothing through."


def _over(metric: str, value: float, allowed: float) -> str:
    return amount(metric, value - allowed)
