"""What a report of 20 boards, 50 candidates and 1,000 samples each costs: bytes, seconds to render, seconds to paint.

Not part of `make test`: it times, so it wants a quiet machine. The limit of the size is a test (`test_page.py`).
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hilbench.harness.assemble import assemble
from hilbench.harness.blocks import TWIN
from hilbench.harness.store import Store
from hilbench.reports.collecting import without_collection
from hilbench.reports.page import render
from hilbench.reports.record import RunRecord
from playwright.sync_api import Page, sync_playwright

from ..reports.large import large
from .bench_store import cell_facts, run_row

TIMES = 5
MOST_BYTES, LONGEST_RENDER_S, LONGEST_PAINT_MS, LONGEST_STEP_MS = 2_000_000, 2.0, 800.0, 50.0
PAINT = """() => new Promise(done => {
  const look = () => {
    const first = performance.getEntriesByName("first-contentful-paint")[0];
    first ? done(first.startTime) : setTimeout(look, 10);
  };
  look();
})"""
STEP = """([what]) => {
  const select = document.querySelector("nav select"), began = performance.now();
  if (what === "switch") {
    select.selectedIndex = select.selectedIndex % (select.length - 1) + 1;
    select.dispatchEvent(new Event("change"));
  } else {
    const shown = Array.from(document.querySelectorAll("#compare .board")).find(board => !board.hidden);
    shown.querySelector("thead button").click();
  }
  document.body.getBoundingClientRect();
  return performance.now() - began;
}"""


def rendered(run: object, make: Callable[..., str]) -> tuple[str, float, float]:
    """The page, and the median seconds of the clock and of the processor that it took after the first time."""
    html, clock, processor = make(run), list[float](), list[float]()
    for _ in range(TIMES):
        began, used = time.perf_counter(), time.process_time()
        html = make(run)
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return html, median(clock), median(processor)


def test_a_report_of_20_boards_comes_out_of_the_store_in_two_seconds(tmp_path: Path) -> None:
    """Read, put together and rendered: all trials of 1,000 cells, their files and the facts of their boards.

    It comes first, as a process that `hilbench report` starts has a heap that nothing was in before.
    """
    store = Store.open(f"sqlite:///{tmp_path}/runs.sqlite")
    run_id = stored(store, large(20, 50))
    html, clock_s, processor_s = rendered(run_id, lambda name: page_from(store, name))
    store.close()
    sys.stdout.write(
        f"\n20 x 50 from the store: {clock_s:.2f} s ({processor_s:.2f} s of processor), {len(html) / 1e6:.2f} million "
        f"characters (medians of {TIMES})\n"
    )
    assert processor_s < LONGEST_RENDER_S


@pytest.mark.parametrize(("boards", "candidates"), [(5, 50), (10, 50), (20, 50)])
def test_cost_of_a_report(boards: int, candidates: int, tmp_path: Path) -> None:
    html, clock_s, processor_s = rendered(large(boards, candidates), render)
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    paint_ms, sort_ms, switch_ms = in_browser(path)
    sys.stdout.write(
        f"\n{boards} x {candidates}: {path.stat().st_size / 1e6:.2f} MB, rendered in {clock_s:.2f} s "
        f"({processor_s:.2f} s of processor), first paint {paint_ms:.0f} ms, sort {sort_ms:.0f} ms, "
        f"board switch {switch_ms:.0f} ms (medians of {TIMES})\n"
    )
    if boards < 20:
        return  # shown beside, as the cost shall grow with the cells and no faster
    assert path.stat().st_size < MOST_BYTES
    assert processor_s < LONGEST_RENDER_S
    assert paint_ms < LONGEST_PAINT_MS
    assert max(sort_ms, switch_ms) < LONGEST_STEP_MS


def in_browser(path: Path) -> tuple[float, float, float]:
    """Median milliseconds to the first paint, of a sort, and of a change of board with its layout."""
    paints: list[float] = []
    sorts: list[float] = []
    switches: list[float] = []
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"], chromium_sandbox=False)
        for _ in range(TIMES):
            page: Page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(path.as_uri())
            paints.append(page.evaluate(PAINT))
            page.evaluate("() => new Promise(requestIdleCallback)")  # a person clicks on a page that is there
            sorts.append(page.evaluate(STEP, ["sort"]))
            switches.append(page.evaluate(STEP, ["switch"]))
            page.close()
        browser.close()
    return median(paints), median(sorts), median(switches)


def page_from(store: Store, run_id: str) -> str:
    """What `hilbench report` makes of a stored run."""
    with without_collection():
        return render(assemble(store, store.run(run_id)))


def stored(store: Store, run: RunRecord) -> str:
    """Put a run of the generator into the store as one that was measured would be; its id."""
    row = run_row(0, 1)
    row = replace(row, facts={**row.facts, "baseline": run.baseline_recipe, "blocks": dict(run.planned_blocks)})
    cells: list[tuple[str, str, dict[str, Any]]] = []
    notes: list[tuple[str, str, dict[str, Any]]] = [(name, "board", dict(told)) for name, told in run.boards.items()]
    for record in run.records:
        facts = {**cell_facts(record.recipe, twin=bool(record.twin_trials)), "model": record.model}
        facts |= {"role": record.role, "emulated": record.emulated, "arch": record.arch}
        cells.append((record.cell_id, record.board, facts))
        if record.artifact is not None:
            notes.append((record.cell_id, "artifact", asdict(record.artifact)))
    trials = [trial for record in run.records for trial in record.trials]
    twins = [replace(t, cell_id=r.cell_id + TWIN) for r in run.records for t in r.twin_trials]
    store.add_run(row, cells, notes=notes, trials=[*trials, *twins])
    return row.run_id
