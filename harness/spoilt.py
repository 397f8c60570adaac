"""What became of the blocks that a board spoilt: run again and counted, or given up; in words for the report; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..reports.language import plural
from ..reports.record import Trial
from .blocks import MOST_ATTEMPTS, SpoiltBlocks, hopeless_blocks, spoilt_blocks, whole_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """Blocks that were invalid -> why the last time; `repeated` count now, `given_up` were invalid each time."""

    repeated: Mapping[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    given_up: Mapping[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])


def spoilt_on(trials: Sequence[Trial], alive: Collection[str], spoilt: SpoiltBlocks | None = None) -> Spoilt:
    """The blocks of one board; `trials` are all of its cells' and twins', those that do not count included.

    `spoilt` is what `spoilt_blocks` says of them, where the caller knows it.
    """
    spoilt = spoilt_blocks(trials) if spoilt is None else spoilt
    whole = whole_blocks(trials, alive, spoilt)
    repeated = {block: why for (block, _), why in sorted(spoilt.items()) if block in whole}
    return Spoilt(repeated=repeated, given_up=hopeless_blocks(spoilt, whole))


def repeated_text(spoilt: Spoilt) -> str | None:
    """How many blocks were run again; None where none was."""
    if not spoilt.repeated:
        return None
    reason = next(iter(spoilt.repeated.values()))[0]
    were = "was" if len(spoilt.repeated) == 1 else "were"
    return f"{plural(len(spoilt.repeated), 'block')} {were} invalid and {were} run again ({reason})"


def given_up_text(spoilt: Spoilt, planned: int) -> str | None:
    """Why blocks are missing that were run; None where none is."""
    if not spoilt.given_up:
        return None
    reason = next(iter(spoilt.given_up.values()))[0]
    return f"{len(spoilt.given_up)} of {planned} blocks were invalid in each of {MOST_ATTEMPTS} attempts: {reason}"
