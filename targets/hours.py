"""The hours of a board as people write them: `22:00-06:00`, `sat,sun`, `mon-fri 18:00-08:00`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
ALLOWED = '"22:00-06:00", "sat,sun", "mon-fri 18:00-08:00", or a list of such'

_TIMES = re.compile(r"([0-2]?\d):([0-5]\d)-([0-2]?\d):([0-5]\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From `start_min` for `length_min` (minutes of the wall clock), on each of `days` (0 = Monday).

    What begins on a day and goes on over midnight belongs to the day on which it begins.
    """

    days: tuple[int, ...]
    start_min: int
    length_min: int


def parse_hours(text: str) -> Hours:
    """Read one window. Raises ValueError with what is allowed."""
    days: tuple[int, ...] | None = None
    times: tuple[int, int] | None = None
    for word in text.lower().replace(", ", ",").split():
        if word[0].isdigit() and times is None:
            times = _times(word, text)
        elif not word[0].isdigit() and days is None and times is None:
            days = _days(word, text)
        else:
            raise _wrong(text)
    if days is None and times is None:
        raise _wrong(text)
    start, length = times or (0, DAY_MIN)
    return Hours(days=days or tuple(range(7)), start_min=start, length_min=length)


def _times(word: str, text: str) -> tuple[int, int]:
    found = _TIMES.fullmatch(word)
    if found is None:
        raise _wrong(text)
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start >= DAY_MIN or end > DAY_MIN or start == end:
        raise _wrong(text)
    return start, (end - start) % DAY_MIN or DAY_MIN


def _days(word: str, text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in word.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise _wrong(text)
        begin = DAYS.index(first)
        span = (DAYS.index(last) - begin) % 7 if dash else 0
        found += [(begin + i) % 7 for i in range(span + 1)]
    return tuple(sorted(set(found)))


def _wrong(text: str) -> ValueError:
    return ValueError(f'"{text}" are no hours: allowed are {ALLOWED}')
