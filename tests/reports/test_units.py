"""Figures as a person reads them."""

from __future__ import annotations

import pytest
from hilbench.reports.units import (
    NOT_MEASURED,
    change,
    decimals,
    duration,
    file_size,
    instruction_count,
    memory,
    percent,
    points,
    ratio,
    signed_points,
)


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("ns", "text"), [(950, "950 ns"), (1_500, "1.500 µs"), (2_408_000, "2.408 ms"), (3.2e9, "3.200 s"), (0.0, "0 ns")]
)
def test_a_time_takes_the_unit_that_suits_it(ns: float, text: str) -> None:
    assert plain(duration(ns).text) == text


def test_digits_stop_where_the_interval_does() -> None:
    assert duration(12_345_678, 11_800_000, 12_800_000).value == "12.3"
    assert duration(12_345_678, 12_330_000, 12_360_000).value == "12.346"
    assert duration(12_345_678, 2_345_678, 22_345_678).value == "12"
    assert decimals(0.5, 0.5, 0.5) == 3


def test_a_column_keeps_one_unit() -> None:
    shown = duration(387_500, 387_000, 388_000, like_ns=2_000_000)
    assert (shown.value, shown.low, shown.unit) == ("0.3875", "0.3870", "ms")


def test_counts_sizes_and_memory() -> None:
    assert plain(instruction_count(11_232_000).text) == "11.23 M"
    assert [plain(file_size(v)) for v in (12, 9_900, 292_000, 999_600, 1_050_000)] == [
        "12 B",
        "9.9 kB",
        "292 kB",
        "1.00 MB",
        "1.05 MB",
    ]
    assert plain(memory(49.04 * 2**20)) == "49.0 MiB"


def test_what_was_not_measured_is_said_in_words_never_zero() -> None:
    assert {memory(None), file_size(None), percent(None), points(None)} == {NOT_MEASURED}


def test_ratios_become_changes() -> None:
    assert [plain(change(r)) for r in (0.52, 1.061, 1.0001, 2.5)] == [
        "48 % less time",
        "6.1 % more time",
        "as much time",
        "150 % more time",
    ]
    assert plain(change(0.9, "instructions")) == "10 % fewer instructions"
    assert (ratio(0.5204, 0.5173, 0.5237).value, ratio(2.0).value) == ("0.520", "2.000")


def test_signs_and_rounding_to_zero() -> None:
    assert [signed_points(v) for v in (0.003, -0.003, 0.00001, -0.00001)] == ["+0.30", "−0.30", "0.00", "0.00"]
