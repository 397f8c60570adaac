"""The report in a real Chromium, from a file on disk: offline, with and without script, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .chromium import CONTRAST, SCHEMES, Scheme, Watched, needs_chromium
from .diskpages import REPORTS

pytestmark = needs_chromium


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", [*REPORTS])
def test_report_loads_only_itself_without_complaints(
    browser: Browser, disk_pages: dict[str, Path], name: str, script: bool
) -> None:
    with Watched(browser, disk_pages[name].as_uri(), java_script_enabled=script) as watched:
        assert watched.page.title().endswith("hilbench report")
        assert watched.page.locator("h1").count() == 1
        assert watched.requests == [disk_pages[name].as_uri()]
        assert watched.complaints == []


@pytest.mark.parametrize("width", [1400, 820, 390])
@pytest.mark.parametrize("name", [*REPORTS])
def test_page_never_scrolls_sideways(browser: Browser, disk_pages: dict[str, Path], name: str, width: int) -> None:
    with Watched(browser, disk_pages[name].as_uri(), viewport={"width": width, "height": 844}) as watched:
        assert watched.page.evaluate("document.documentElement.scrollWidth") == width
        watched.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert watched.page.evaluate("document.documentElement.scrollWidth") == width


def test_no_element_points_to_another_host(browser: Browser, disk_pages: dict[str, Path]) -> None:
    with Watched(browser, disk_pages["mixed"].as_uri()) as watched:
        links = watched.page.evaluate(
            "[...document.querySelectorAll('[href],[src]')].map(e => e.getAttribute('href') || e.src)"
        )
        assert links
        assert all(link.startswith("#") for link in links)


def test_hostile_names_run_nothing(browser: Browser, disk_pages: dict[str, Path]) -> None:
    with Watched(browser, disk_pages["mixed"].as_uri()) as watched:
        assert watched.page.locator("img").count() == 0
        assert watched.page.locator("script").count() == 1
        assert watched.page.locator("text=onerror=alert").count() > 0


def test_answer_and_what_is_missing_are_on_the_first_screen(browser: Browser, disk_pages: dict[str, Path]) -> None:
    with Watched(browser, disk_pages["run"].as_uri(), viewport={"width": 1400, "height": 900}) as watched:
        for text in (
            "Ship int8-static on pi5.",
            "What it costs",
            "How much faster, and how sure that is",
            "What was not measured",
        ):
            box = watched.page.get_by_text(text, exact=True).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 900, text


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_text_has_enough_contrast(browser: Browser, disk_pages: dict[str, Path], scheme: Scheme) -> None:
    with Watched(browser, disk_pages["mixed"].as_uri(), color_scheme=scheme) as watched:
        assert watched.page.evaluate(CONTRAST) == []


def test_light_and_dark_differ(browser: Browser, disk_pages: dict[str, Path]) -> None:
    colours: set[str] = set()
    for scheme in SCHEMES:
        with Watched(browser, disk_pages["run"].as_uri(), color_scheme=scheme) as watched:
            colours.add(watched.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_tables_sort_by_click_and_keep_the_unmeasured_last(browser: Browser, disk_pages: dict[str, Path]) -> None:
    with Watched(browser, disk_pages["mixed"].as_uri()) as watched:
        table = watched.page.locator("#compare table").first
        button = table.locator("thead th:nth-child(2) button")
        for direction, pick in (("ascending", min), ("descending", max)):
            button.click()
            assert table.locator("thead th:nth-child(2)").get_attribute("aria-sort") == direction
            values = table.locator("tbody td:nth-child(2):not([colspan])").evaluate_all(
                "cells => cells.map(cell => cell.firstChild.textContent)"
            )
            measured = [float(value) for value in values]
            assert measured[0] == pick(measured)
            assert "none-measured" in (table.locator("tbody tr:last-child td").first.get_attribute("class") or "")


def test_tables_and_marks_are_reached_by_keyboard(browser: Browser, disk_pages: dict[str, Path]) -> None:
    with Watched(browser, disk_pages["run"].as_uri()) as watched:
        watched.page.keyboard.press("Tab")
        assert watched.page.evaluate("document.activeElement.textContent") == "Skip to the answer"
        assert watched.page.locator(".scroll:not([tabindex='0'])").count() == 0
        assert watched.page.locator("#compare .mark[tabindex='0']").count() > 0


def test_arrow_keys_go_through_the_matrix_and_say_where_one_is(browser: Browser, disk_pages: dict[str, Path]) -> None:
    with Watched(browser, disk_pages["mixed"].as_uri()) as watched:
        watched.page.locator("table.matrix td").first.focus()
        watched.page.keyboard.press("ArrowDown")
        assert watched.page.locator("#matrix-cell").inner_text() == "fp16 on pi5: –"
        watched.page.keyboard.press("ArrowRight")
        assert watched.page.locator("#matrix-cell").inner_text() == "fp16 on this-machine: 1.057 ↑"
        assert watched.page.locator("table.matrix td[tabindex='0']").count() == 1


def test_a_chosen_board_hides_the_others_and_a_link_shows_its_own(
    browser: Browser, disk_pages: dict[str, Path]
) -> None:
    with Watched(browser, disk_pages["run"].as_uri()) as watched:
        watched.page.locator("nav select").select_option("pi5")
        assert watched.page.locator("#compare .board:visible").count() == 1
        assert not watched.page.locator("#emulated").is_visible()
        watched.page.locator("nav a[href='#emulated']").click()
        watched.page.locator("#emulated .board").wait_for(state="visible")
        assert watched.page.locator("nav select").input_value() == "emulated-a72"
    with Watched(browser, disk_pages["run"].as_uri(), java_script_enabled=False) as watched:
        assert watched.page.locator("#compare .board:visible").count() == 2
        assert watched.page.locator("nav select").count() == 0


def test_a_term_opens_its_meaning_without_script(browser: Browser, disk_pages: dict[str, Path]) -> None:
    with Watched(browser, disk_pages["run"].as_uri(), java_script_enabled=False) as watched:
        meaning = watched.page.locator("#w-block")
        assert not meaning.is_visible()
        watched.page.locator("#trust .term").first.click()
        meaning.wait_for(state="visible")


def test_report_prints_on_a_few_pages_with_nothing_cut_off(browser: Browser, disk_pages: dict[str, Path]) -> None:
    # A4 landscape without its margins is 1039 px wide.
    with Watched(browser, disk_pages["run"].as_uri(), viewport={"width": 1039, "height": 700}) as watched:
        watched.page.locator("nav select").select_option("pi5")
        watched.page.emulate_media(media="print")
        assert watched.page.evaluate("document.documentElement.scrollWidth") == 1039
        printed = watched.page.pdf(prefer_css_page_size=True)
        pages = printed.count(b"/Type /Page") - printed.count(b"/Type /Pages")
        assert printed.startswith(b"%PDF")
        assert 2 <= pages <= 10
