"""What axe-core says of the pages that open from disk: nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .axe import audit
from .chromium import SCHEMES, WIDTHS, Scheme, Watched, needs_chromium, size, unfold

pytestmark = needs_chromium


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["detailed", "mixed", "all_failed", "compare", "compare_hostile", "trend"])
def test_axe_finds_nothing_serious(
    browser: Browser, disk_pages: dict[str, Path], axe: str, name: str, width: int, scheme: Scheme
) -> None:
    with Watched(browser, disk_pages[name].as_uri(), viewport=size(width), color_scheme=scheme) as watched:
        unfold(watched.page)
        assert audit(watched.page, axe) == []


def test_axe_finds_what_is_wrong(browser: Browser, disk_pages: dict[str, Path], axe: str) -> None:
    with Watched(browser, disk_pages["compare"].as_uri()) as watched:
        watched.page.evaluate("document.querySelector('h1').style.color = '#999'")
        watched.page.evaluate("document.documentElement.removeAttribute('lang')")
        found = audit(watched.page, axe)
        assert [line.partition(" ")[0] for line in found] == ["color-contrast", "html-has-lang"]
