"""Draws docs/pictures/ from seeded runs and a lab made for the purpose: `.venv/bin/python scripts/pictures.py`.

`--all FOLDER` writes every page at both widths and in both themes there instead, for looking at them.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures"
COLOURS = 128

# The tests' generators, under a name of their own: several packages out there are called `tests`.
_tests = types.ModuleType("hilbench_tests")
_tests.__path__ = [str(ROOT / "tests")]
sys.modules[_tests.__name__] = _tests
chromium: Any = importlib.import_module("hilbench_tests.browser.chromium")
diskpages: Any = importlib.import_module("hilbench_tests.browser.diskpages")
showlab: Any = importlib.import_module("hilbench_tests.browser.showlab")

HIDE_FOLDERS = """(folder) => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode())
    if (node.data.includes(folder)) node.data = node.data.replaceAll(folder + "/", "").replaceAll(folder, "lab");
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture: the page, the part of it (a CSS selector; None: from its top), the window, the theme."""

    name: str
    page: str
    part: str | None = None
    width: int = 1400
    height: int = 900
    scheme: str = "light"


PICTURES = (
    Picture(name="report", page="detailed"),
    Picture(name="report-phone", page="detailed", width=390, height=844, scheme="dark"),
    Picture(name="report-matrix", page="detailed", part="#cells"),
    Picture(name="report-board", page="detailed", part="#compare .board"),
    Picture(name="compare", page="compare", height=1000),
    Picture(name="trend", page="trend", scheme="dark"),
    Picture(name="web-lab", page="lab"),
    Picture(name="web-board-new", page="board-added", height=760),
    Picture(name="web-run-new", page="run-grid", part="#grid", scheme="dark"),
    Picture(name="web-run-live", page="run-live"),
    Picture(name="web-run-live-phone", page="run-live", width=390, height=844, scheme="dark"),
    Picture(name="web-reports", page="reports", height=520),
)


def every() -> Iterator[Picture]:
    """Each page whole, at both widths and in both themes."""
    for page in ("detailed", "mixed", "compare", "trend", *showlab.PATHS, "run-grid"):
        for width in chromium.WIDTHS:
            for scheme in chromium.SCHEMES:
                name = f"{page}-{width}-{scheme}"
                yield Picture(name=name, page=page, part="html", width=width, height=844, scheme=scheme)


def draw(pictures: Iterator[Picture] | tuple[Picture, ...], folder: Path) -> None:
    """Draw the pictures into a folder, each under its name."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        files = diskpages.write_pages(Path(scratch))
        lab_folder = Path(scratch) / "lab"
        lab_folder.mkdir()
        with showlab.shown_lab(lab_folder) as lab:
            browser = chromium.launch(playwright)
            addresses = {name: path.as_uri() for name, path in files.items()}
            addresses |= {name: lab.address + path for name, path in lab.paths().items()}
            addresses["run-grid"] = addresses["run-new"]
            for picture in pictures:
                showlab.beat(lab.served)
                shot = taken(browser, picture, addresses[picture.page], str(lab_folder))
                (folder / f"{picture.name}.png").write_bytes(compressed(shot))
            browser.close()


def taken(browser: Browser, picture: Picture, address: str, folder: str) -> bytes:
    """The picture as Chromium takes it, without the name of the folder in which the lab lies here."""
    window = {"width": picture.width, "height": picture.height}
    context = browser.new_context(viewport=window, color_scheme=picture.scheme, reduced_motion="reduce")
    try:
        page = context.new_page()
        page.goto(address, wait_until="domcontentloaded")
        prepare(page, picture)
        page.evaluate(HIDE_FOLDERS, folder)
        if picture.part is None:
            return page.screenshot()
        if picture.part == "html":
            chromium.unfold(page)
            return page.screenshot(full_page=True)
        return page.locator(picture.part).first.screenshot()
    finally:
        context.close()


def prepare(page: Page, picture: Picture) -> None:
    """Bring a page to the state that is to be seen."""
    if picture.page == "run-grid":
        page.get_by_role("button", name="Show the grid").click()
        page.get_by_role("heading", name="What it comes to").wait_for()
    frame = page.locator("iframe.report")
    if frame.count():
        page.frame_locator("iframe.report").locator("footer").wait_for(state="attached")
    # A picture of a part scrolls there, and what is sticky would lie over it.
    page.evaluate("document.querySelectorAll('nav').forEach(each => { each.style.position = 'static'; })")


def compressed(shot: bytes) -> bytes:
    """A PNG of few colours without anything but its pixels."""
    image = Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Draw what docs/ shows, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, width and theme into this folder")
    folder = parser.parse_args().all
    if folder is not None:
        draw(every(), folder)
        return
    draw(PICTURES, FOLDER)
    for old in {path.stem for path in FOLDER.iterdir()} - {picture.name for picture in PICTURES}:
        (FOLDER / f"{old}.png").unlink()


if __name__ == "__main__":
    main()
