"""What the tests in a real Chromium share: how it is started, and a page that remembers what it asked for."""

from __future__ import annotations

import shutil
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (1400, 390)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium")


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium, asking nobody for anything; without its sandbox, which containers do not allow."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, chromium_sandbox=False)


class Watched:
    """A page with everything that it asked for and complained about."""

    def __init__(self, browser: Browser, address: str, **context: Any) -> None:
        self.context: BrowserContext = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on(
            "console", lambda message: self.complaints.append(f"{message.location.get('url')}: {message.text}")
        )
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.goto(address)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def size(width: int) -> dict[str, int]:
    """A window of that width, as high as a telephone or a laptop."""
    return {"width": width, "height": 844 if width < 600 else 900}


def unfold(page: Page) -> None:
    """Fold everything open, and lay out what is far below too, which a style sheet may leave for later."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.evaluate("document.querySelectorAll('.scroll, .charts').forEach(e => (e.style.contentVisibility = 'visible'))")


def sideways(page: Page) -> int:
    """By how many CSS pixels the unfolded page is wider than its window; 0 is how it shall be."""
    unfold(page)
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


# Each text whose colour against what is behind it has less than 4.5 : 1, with what it has (WCAG 2.2, 1.4.3).
CONTRAST = """
() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const lum = ([r, g, b]) => [r, g, b].map(linear)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const e = node.parentElement;
    if (!node.textContent.trim() || !e.getClientRects().length || ["STYLE", "SCRIPT"].includes(e.tagName)) continue;
    const style = getComputedStyle(e);
    const ink = parse(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [lum(ink), lum(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push([node.textContent.trim().slice(0, 40), (a + 0.05) / (b + 0.05)]);
  }
  return low;
}
"""
