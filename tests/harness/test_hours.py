"""The hours of a board: over midnight, on some days, and when the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hilbench.harness.hours import closing, opening
from hilbench.targets.hours import Hours, parse_hours

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    """A moment by Berlin's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def wall(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, BERLIN).strftime("%a %d %H:%M")


def hours(*texts: str) -> list[Hours]:
    return [parse_hours(text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "moment", "opens", "closes"),
    [
        ([], "2026-06-01 12:00", None, None),
        (["22:00-06:00"], "2026-06-01 12:00", "Mon 01 22:00", None),
        (["22:00-06:00"], "2026-06-01 22:00", None, "Tue 02 06:00"),
        (["22:00-06:00"], "2026-06-02 05:59", None, "Tue 02 06:00"),
        (["22:00-06:00"], "2026-06-02 06:00", "Tue 02 22:00", None),
        (["08:00-12:00", "14:00-18:00"], "2026-06-01 13:00", "Mon 01 14:00", None),
        (["08:00-12:00", "11:00-18:00"], "2026-06-01 09:00", None, "Mon 01 18:00"),
        (["sat,sun"], "2026-06-01 12:00", "Sat 06 00:00", None),
        (["sat,sun"], "2026-06-06 12:00", None, "Mon 08 00:00"),
        (["fri 22:00-06:00"], "2026-06-06 05:00", None, "Sat 06 06:00"),  # begun on Friday
        (["fri 22:00-06:00"], "2026-06-05 05:00", "Fri 05 22:00", None),
        (["00:00-24:00"], "2026-06-06 12:00", None, None),  # never closes
        # The clock jumps from 02:00 to 03:00 on 29 March and back from 03:00 to 02:00 on 25 October.
        (["02:30-04:00"], "2026-03-29 01:00", "Sun 29 03:30", None),
        (["22:00-06:00"], "2026-03-29 01:00", None, "Sun 29 06:00"),
        (["22:00-06:00"], "2026-10-25 01:00", None, "Sun 25 06:00"),
    ],
)
def test_hours_open_and_close_by_the_wall_clock(
    texts: list[str], moment: str, opens: str | None, closes: str | None
) -> None:
    assert wall(opening(hours(*texts), at(moment), BERLIN)) == opens
    assert wall(closing(hours(*texts), at(moment), BERLIN)) == closes


def test_a_night_with_a_changed_clock_is_as_long_as_it_is() -> None:
    night = hours("22:00-06:00")
    for evening, length_h in (("2026-03-28 22:00", 7), ("2026-06-01 22:00", 8), ("2026-10-24 22:00", 9)):
        closes = closing(night, at(evening), BERLIN)
        assert closes is not None
        assert (closes - at(evening)) / 3600 == length_h


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    early = hours("02:00-03:00")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()  # 02:30, summer time
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC).timestamp()  # 02:30 again
    after = datetime(2026, 10, 25, 2, 0, tzinfo=UTC).timestamp()  # 03:00
    assert opening(early, first, BERLIN) is None
    assert opening(early, second, BERLIN) is None
    assert opening(early, after, BERLIN) is not None


@pytest.mark.parametrize(
    "text", ["", "22-6", "24:30-06:00", "06:00-06:00", "someday", "mon-xyz", "22:00-06:00 mon", "sat sun"]
)
def test_words_that_are_no_hours_are_answered_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        parse_hours(text)


def test_days_may_go_over_the_weekend() -> None:
    assert parse_hours("fri-mon").days == (0, 4, 5, 6)
    assert parse_hours("Mon, Wed 08:00-12:00") == Hours(days=(0, 2), start_min=480, length_min=240)
