"""Comparing two clocks by round trips, and carrying the board's times over to a meter's clock. Pure.

A request that left at `sent` and was answered by `received` (this side's clock) while the other side read `remote`
bounds the offset to half the round trip on either side; the quickest of many bounds it best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Two quartz clocks part by less than 100 ppm; more is a clock that was set.
_MOST_DRIFT = 200e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """One exchange, in ns: `sent` and `received` by the clock of the side that asks, `remote` by the other one."""

    sent_ns: int
    remote_ns: int
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """The meter's clock minus the board's at `board_ns`, to within `half_width_ns` either way."""

    board_ns: int
    offset_ns: int
    half_width_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMap:
    """From the board's clock to the meter's, by offsets found before and after a window; drift is linear between."""

    before: Offset
    after: Offset

    @property
    def half_width_s(self) -> float:
        """How far a mapped time may be off, in seconds."""
        return max(self.before.half_width_ns, self.after.half_width_ns) / 1e9

    @property
    def drift(self) -> float:
        """How much faster the meter's clock runs than the board's, as a fraction."""
        elapsed_ns = self.after.board_ns - self.before.board_ns
        return (self.after.offset_ns - self.before.offset_ns) / elapsed_ns if elapsed_ns > 0 else 0.0

    def to_meter_ns(self, board_ns: int) -> int:
        """The meter's time at a time of the board."""
        return board_ns + self.before.offset_ns + round(self.drift * (board_ns - self.before.board_ns))

    def fault(self) -> str | None:
        """Why these clocks cannot be carried over, in a sentence; None where they can."""
        moved_ns = abs(self.after.offset_ns - self.before.offset_ns)
        elapsed_ns = max(0, self.after.board_ns - self.before.board_ns)
        explained_ns = self.before.half_width_ns + self.after.half_width_ns + _MOST_DRIFT * elapsed_ns
        if moved_ns <= explained_ns:
            return None
        return f"the meter's clock moved by {moved_ns / 1e6:.0f} ms against the board's while it measured"


def same_clock() -> ClockMap:
    """The map of a meter that is stamped by the board's own clock."""
    here = Offset(board_ns=0, offset_ns=0, half_width_ns=0)
    return ClockMap(before=here, after=here)


def offset_from(exchanges: Sequence[RoundTrip]) -> Offset:
    """The offset by the quickest of some exchanges in which the board asks. ValueError without any."""
    if not exchanges:
        raise ValueError("an offset between clocks needs at least one round trip")
    best = min(exchanges, key=lambda one: one.received_ns - one.sent_ns)
    middle_ns = (best.sent_ns + best.received_ns) // 2
    half_ns = (best.received_ns - best.sent_ns + 1) // 2
    return Offset(board_ns=middle_ns, offset_ns=best.remote_ns - middle_ns, half_width_ns=half_ns)


def seen_from_the_other_side(offset: Offset) -> Offset:
    """The offset of exchanges in which the meter's side asked, turned round to be the board's."""
    return Offset(
        board_ns=offset.board_ns + offset.offset_ns,
        offset_ns=-offset.offset_ns,
        half_width_ns=offset.half_width_ns,
    )
