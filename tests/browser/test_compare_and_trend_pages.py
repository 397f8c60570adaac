"""Comparisons and trends in a real Chromium, from files on disk: offline, light, dark, on paper, without a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .chromium import CONTRAST, SCHEMES, WIDTHS, Scheme, Watched, needs_chromium, sideways, size
from .diskpages import WITHOUT_SCRIPT

pytestmark = needs_chromium


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", WITHOUT_SCRIPT)
def test_page_loads_only_itself_without_complaints(
    browser: Browser, disk_pages: dict[str, Path], name: str, script: bool
) -> None:
    address = disk_pages[name].as_uri()
    with Watched(browser, address, java_script_enabled=script) as watched:
        assert watched.page.title().endswith("hilbench")
        assert watched.page.locator("h1").count() == 1
        assert watched.page.locator("img, script, iframe, object").count() == 0
        assert watched.requests == [address]
        assert watched.complaints == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", WITHOUT_SCRIPT)
def test_page_fits_its_window_and_can_be_read(
    browser: Browser, disk_pages: dict[str, Path], name: str, width: int, scheme: Scheme
) -> None:
    with Watched(browser, disk_pages[name].as_uri(), viewport=size(width), color_scheme=scheme) as watched:
        assert sideways(watched.page) == 0
        assert watched.page.evaluate(CONTRAST) == []
        watched.page.keyboard.press("Tab")
        assert watched.page.evaluate("document.activeElement.textContent") == "Skip to the changes"


@pytest.mark.parametrize("name", ["compare", "trend"])
def test_links_lead_to_what_is_there(browser: Browser, disk_pages: dict[str, Path], name: str) -> None:
    with Watched(browser, disk_pages[name].as_uri()) as watched:
        links = watched.page.evaluate("[...document.querySelectorAll('[href]')].map(e => e.getAttribute('href'))")
        assert len(links) >= 4
        assert [link for link in links if watched.page.locator(f"[id='{link[1:]}']").count() != 1] == []


# A4 without its margins in CSS pixels; the style sheet asks for landscape.
@pytest.mark.parametrize("name", ["compare", "trend"])
def test_page_prints_on_a_few_sheets_with_nothing_cut_off(
    browser: Browser, disk_pages: dict[str, Path], name: str
) -> None:
    with Watched(browser, disk_pages[name].as_uri(), viewport={"width": 1039, "height": 700}) as watched:
        watched.page.emulate_media(media="print")
        assert sideways(watched.page) == 0
        assert not watched.page.locator("nav").is_visible()
        cut = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert watched.page.evaluate(cut) == 0
        printed = watched.page.pdf(prefer_css_page_size=True)
        sheets = printed.count(b"/Type /Page") - printed.count(b"/Type /Pages")
        assert 1 <= sheets <= 4
