"""Each page of the web lab in a real Chromium: it fits, it can be read, and axe-core finds nothing serious."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from .axe import audit
from .chromium import CONTRAST, SCHEMES, WIDTHS, Scheme, Watched, needs_chromium, sideways, size
from .showlab import ShownLab, shown_lab

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownLab]:
    with shown_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_their_window_and_can_be_read_by_all(
    browser: Browser, lab: ShownLab, axe: str, width: int, scheme: Scheme
) -> None:
    with Watched(browser, lab.address, base_url=lab.address, viewport=size(width), color_scheme=scheme) as watched:
        wrong = [f"{name}: {line}" for name, path in lab.paths().items() for line in said_of(watched.page, path, axe)]
        assert not wrong, "\n".join(wrong)
        assert [url for url in watched.requests if not url.startswith(lab.address)] == []
        refused = f"{lab.address}/nowhere: Failed to load resource"  # what Chromium says of the page of a 404
        assert [one for one in watched.complaints if not one.startswith(refused)] == []


def said_of(page: Page, path: str, axe: str) -> list[str]:
    """What is wrong with a page."""
    answer = page.goto(path, wait_until="domcontentloaded")
    if answer is None or answer.ok == (path == "/nowhere"):
        return [f"{path} is answered otherwise: {page.locator('h1').inner_text()}"]
    page.keyboard.press("Tab")
    skip = page.evaluate("document.activeElement.textContent")
    found = [] if skip == "Skip to the content" else [f"the first stop of the keyboard is {skip}"]
    by = sideways(page)
    found += [f"{by} px too wide"] if by else []
    found += [f"contrast: {text} {ratio:.2f}" for text, ratio in page.evaluate(CONTRAST)]
    return found + audit(page, axe)


def test_the_grid_of_a_new_run_fits_a_telephone(browser: Browser, lab: ShownLab, axe: str) -> None:
    with Watched(browser, f"{lab.address}/runs/new?plan=plan.yaml", viewport=size(390)) as watched:
        watched.page.get_by_role("button", name="Show the grid").click()
        watched.page.get_by_role("heading", name="What it comes to").wait_for()
        assert sideways(watched.page) == 0
        assert audit(watched.page, axe) == []
        assert watched.page.locator("#grid td").count() == 8
