"""A plan's runs over time: an upgrade begins a segment, a slower model is an alarm, and the page says both."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hilbench.reports.trend import Series, Trend, trend
from hilbench.reports.trendpage import alarms, edges, render_trend, trend_json

from .series_of_runs import nightly
from .synthetic import A72, HOSTILE, PI
from .test_page import Outline


@pytest.fixture(scope="module")
def upgraded() -> Trend:
    """24 nights: the kernel of both boards changes in the twelfth, int8-static is slower from the nineteenth on."""
    return trend("demo", nightly([PI, A72], runs=24, upgrade_at=11, slower_at=18, new_file_at=18))


def find(found: Trend, board: str, recipe: str) -> Series:
    return next(s for s in found.series if (s.key[0], s.key[2]) == (board, recipe))


def test_an_upgrade_begins_a_segment_and_is_no_alarm(upgraded: Trend) -> None:
    steady = find(upgraded, "pi5", "fp32")
    assert [(s.start, s.end) for s in steady.segments] == [(0, 11), (11, 24)]
    assert [d.text for d in steady.segments[1].because] == ["kernel Linux 6.12.25 → Linux 6.18.1"]
    assert steady.changes == ()


def test_without_the_fingerprint_the_same_upgrade_would_be_an_alarm() -> None:
    """So it is the segment that keeps it quiet, and not a blunt test."""
    from dataclasses import replace

    blind = [replace(r, boards={"pi5": {}}) for r in nightly([PI], runs=24, upgrade_at=11)]
    assert len(find(trend("demo", blind), "pi5", "fp32").changes) == 1


@pytest.mark.parametrize("board", ["pi5", "emulated-a72"])
def test_a_slower_model_is_found_where_it_began_with_its_new_file(upgraded: Trend, board: str) -> None:
    (change,) = find(upgraded, board, "int8-static").changes
    assert change.index == 18
    assert change.run_id == "20261119-0100-aaaa"
    assert change.ratio == pytest.approx(1.05, abs=0.01)
    assert change.file_changed


def test_the_words_name_run_amount_and_file(upgraded: Trend) -> None:
    assert alarms(upgraded)[0].startswith("pi5, int8-static: Slower since run 20261119-0100-aaaa (2026-11-19): +")
    assert alarms(upgraded)[1].startswith("emulated-a72, int8-static: More work since run")
    assert all("the model's file changed in that run" in text for text in alarms(upgraded))
    assert edges(upgraded, "pi5") == ["2026-11-12, run 20261112-0100-aaaa: kernel Linux 6.12.25 → Linux 6.18.1"]


def test_a_newest_run_that_is_off_is_said_but_no_change() -> None:
    found = find(trend("demo", nightly([PI], runs=14, slower_at=13)), "pi5", "int8-static")
    assert found.changes == ()
    assert found.newest_off == pytest.approx(0.05, abs=0.015)
    assert find(trend("demo", nightly([PI], runs=14)), "pi5", "int8-static").newest_off is None


def test_the_page_is_whole_closed_and_the_same_each_time(upgraded: Trend) -> None:
    page = render_trend(upgraded)
    assert page == render_trend(upgraded)
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert (parser.open, parser.errors) == ([], [])
    tags = [tag for tag, _ in parser.tags]
    assert tags.count("figure") == 4
    assert "script" not in tags
    assert not [value for _, attributes in parser.tags for key, value in attributes.items() if key in ("src", "style")]
    assert "Slower since run 20261119-0100-aaaa" in parser.text


def test_a_hostile_plan_name_and_recipe_are_only_text() -> None:
    from dataclasses import replace

    runs = [replace(r, records=tuple(replace(c, recipe=HOSTILE) for c in r.records[:1])) for r in nightly([PI], runs=3)]
    page = render_trend(trend(HOSTILE, runs, [HOSTILE]))
    assert "<img" not in page
    assert "<script" not in page


def test_the_json_has_every_point_and_says_what_was_left_out(upgraded: Trend) -> None:
    whole = json.loads(json.dumps(trend_json(upgraded), allow_nan=False))
    assert len(whole["runs"]) == 24
    assert {len(series["points"]) for series in whole["series"]} == {24}
    assert whole["skipped"] == []


def test_no_run_and_one_run_have_a_page() -> None:
    assert "no run" in render_trend(trend("demo", []))
    assert "too few to show a change" in render_trend(trend("demo", nightly([PI], runs=1)))


def test_new_firmware_begins_a_segment_as_a_new_kernel_does() -> None:
    runs = [
        replace(one, boards={name: {**told, "firmware": f"EEPROM {night // 7}"} for name, told in one.boards.items()})
        for night, one in enumerate(nightly([PI], runs=14))
    ]
    assert edges(trend("demo", runs), "pi5") == ["2026-11-08, run 20261108-0100-aaaa: firmware EEPROM 0 → EEPROM 1"]
