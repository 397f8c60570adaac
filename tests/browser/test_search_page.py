"""The report of a search in a real Chromium, from files on disk: offline, light, dark, on paper, without a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hilbench.reports.searchpage import render_search
from hilbench.reports.searchrecord import SearchRecord
from playwright.sync_api import Browser

from ..reports.searches import all_dropped, hostile, interrupted, no_trials, search
from .axe import audit
from .chromium import CONTRAST, SCHEMES, WIDTHS, Scheme, Watched, needs_chromium, sideways, size, unfold

pytestmark = needs_chromium

RECORDS: dict[str, Callable[[], SearchRecord]] = {
    "whole": search,
    "interrupted": interrupted,
    "no_trials": no_trials,
    "all_dropped": all_dropped,
    "hostile": hostile,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("searches")
    for name, make in RECORDS.items():
        (folder / f"{name}.html").write_text(render_search(make()), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in RECORDS}


def test_a_picture_of_the_whole_page_has_every_table(browser: Browser, pages: dict[str, Path]) -> None:
    """What lies far below is drawn at once, unless the page is so large that this would take long."""
    how = "[...document.querySelectorAll('.scroll')].map(each => getComputedStyle(each).contentVisibility)"
    with Watched(browser, pages["whole"].as_uri()) as watched:
        assert watched.page.locator(".scroll").count() > 3
        assert set(watched.page.evaluate(how)) == {"visible"}


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", RECORDS)
def test_page_loads_only_itself_without_complaints(
    browser: Browser, pages: dict[str, Path], name: str, script: bool
) -> None:
    address = pages[name].as_uri()
    with Watched(browser, address, java_script_enabled=script) as watched:
        assert watched.page.title().endswith("hilbench")
        assert watched.page.locator("h1").count() == 1
        assert watched.page.locator("img, iframe, object").count() == 0
        assert watched.page.locator("script").count() == 1
        assert watched.requests == [address]
        assert watched.complaints == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", RECORDS)
def test_page_fits_its_window_can_be_read_and_axe_finds_nothing_serious(
    browser: Browser, pages: dict[str, Path], axe: str, name: str, width: int, scheme: Scheme
) -> None:
    with Watched(browser, pages[name].as_uri(), viewport=size(width), color_scheme=scheme) as watched:
        assert sideways(watched.page) == 0
        assert watched.page.evaluate(CONTRAST) == []
        watched.page.keyboard.press("Tab")
        assert watched.page.evaluate("document.activeElement.textContent") == "Skip to the answer"
        if name != "hostile" or (width, scheme) == (1400, "light"):  # its texts are long, and all of them are looked at
            assert audit(watched.page, axe) == []


def test_the_answer_and_its_doubt_are_on_the_first_screen(browser: Browser, pages: dict[str, Path]) -> None:
    with Watched(browser, pages["whole"].as_uri(), viewport=size(1400)) as watched:
        for text in ("The search would take", "What it costs", "How sure that is", "(selection bias)"):
            box = watched.page.locator("#answer").get_by_text(text).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 900, text


def test_candidates_sort_by_a_figure_and_keep_the_unmeasured_last(browser: Browser, pages: dict[str, Path]) -> None:
    with Watched(browser, pages["whole"].as_uri(), viewport=size(1400)) as watched:
        table = watched.page.locator("#candidates table").nth(1)
        head = table.locator("thead th", has_text="Median latency")
        column = 1 + head.evaluate("head => head.cellIndex")
        for direction, pick in (("ascending", min), ("descending", max)):
            head.locator("button").click()
            assert head.get_attribute("aria-sort") == direction
            cells = table.locator(f"tbody tr > :nth-child({column})")
            keys = cells.evaluate_all("cells => cells.map(cell => cell.dataset.v ?? '')")
            measured = [float(key) for key in keys if key]
            assert float(keys[0]) == pick(measured)
            assert "" not in keys[: len(measured)]
            assert set(keys[len(measured) :]) == {""}


def test_everything_is_reached_by_keyboard_and_a_term_opens_without_script(
    browser: Browser, pages: dict[str, Path]
) -> None:
    with Watched(browser, pages["whole"].as_uri(), java_script_enabled=False) as watched:
        assert watched.page.locator(".scroll:not([tabindex='0'])").count() == 0
        assert watched.page.locator("#fronts .mark[tabindex='0']").count() >= 4
        unlabelled = (
            "[...document.querySelectorAll('main svg[role]')].filter(e => !e.getAttribute('aria-label')).length"
        )
        assert watched.page.evaluate(unlabelled) == 0
        meaning = watched.page.locator("#w-bias")
        assert not meaning.is_visible()
        watched.page.locator("#answer .term").first.click()
        meaning.wait_for(state="visible")


def test_drawings_hold_what_they_draw(browser: Browser, pages: dict[str, Path]) -> None:
    outside = """() => [...document.querySelectorAll('.trend > svg')].flatMap(svg => {
        const frame = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text, .mark, .round')].filter(each => {
          const box = each.getBoundingClientRect();
          return box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2
            || box.bottom > frame.bottom + 2; }).map(each => each.textContent); })"""
    for name in ("whole", "interrupted", "hostile"):
        with Watched(browser, pages[name].as_uri(), viewport=size(1400)) as watched:
            assert watched.page.locator(".trend > svg").count() >= 8
            unfold(watched.page)
            assert watched.page.evaluate(outside) == []


def test_page_prints_on_a_few_sheets_with_nothing_cut_off(browser: Browser, pages: dict[str, Path]) -> None:
    # A4 landscape without its margins is 1039 px wide.
    with Watched(browser, pages["whole"].as_uri(), viewport={"width": 1039, "height": 700}) as watched:
        watched.page.emulate_media(media="print")
        assert sideways(watched.page) == 0
        assert not watched.page.locator("nav").is_visible()
        cut = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert watched.page.evaluate(cut) == 0
        printed = watched.page.pdf(prefer_css_page_size=True)
        assert 2 <= printed.count(b"/Type /Page") - printed.count(b"/Type /Pages") <= 18
