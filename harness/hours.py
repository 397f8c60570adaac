"""When a board may be used: pure, by the wall clock, over midnight and over changes of the clock.

Hours are those of the machine that measures, or of `zone`. A window that begins at 02:30 on a day on which the clock
jumps over that time begins when the jump is over; an hour that comes twice belongs to the window twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo

from ..targets.hours import Hours


def opening(hours: Sequence[Hours], at_s: float, zone: tzinfo | None = None) -> float | None:
    """When the hours begin next (seconds since 1970); None where they hold at `at_s`, or where there are none."""
    if not hours or any(begin <= at_s < end for begin, end in _windows(hours, at_s, zone)):
        return None
    return min(begin for begin, _ in _windows(hours, at_s, zone) if begin > at_s)


def closing(hours: Sequence[Hours], at_s: float, zone: tzinfo | None = None) -> float | None:
    """When the hours that hold at `at_s` end; None where they do not hold, or never end."""
    windows = sorted(_windows(hours, at_s, zone))
    end = next((end for begin, end in windows if begin <= at_s < end), None)
    while end is not None and (after := max((e for b, e in windows if b <= end), default=end)) > end:
        end = after  # the next window begins before this one ends
    return end if end is None or end < max(e for _, e in windows) else None


def _windows(hours: Sequence[Hours], at_s: float, zone: tzinfo | None) -> Iterator[tuple[float, float]]:
    """All windows that begin within eight days around a moment."""
    today = datetime.fromtimestamp(at_s, zone).date()
    for offset in range(-2, 9):
        day = today + timedelta(days=offset)
        for window in hours:
            if day.weekday() in window.days:
                yield _moment(day, window.start_min, zone), _moment(day, window.start_min + window.length_min, zone)


def _moment(day: date, minute: int, zone: tzinfo | None) -> float:
    """The moment of a wall clock's time; `minute` may be in the next day. A time that comes twice is its first."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001  the zone follows
    return wall.replace(tzinfo=zone).timestamp()
