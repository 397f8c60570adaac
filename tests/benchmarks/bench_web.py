"""What the first page costs on the server: a lab of 20 boards, 200 runs, and a queue; and a run of 1,000 cells live.

Not part of `make test`: it times, so it wants a quiet machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..web.conftest import Served, add_run, serve_in, trial

BOARDS, RUNS, CELLS = 20, 200, 50
LONGEST_FIRST_PAGE_S = 0.100
TIMES = 30


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    for served in serve_in(tmp_path_factory.mktemp("lab")):
        path, store = served.web.inventory.path, served.web.events
        boards = "".join(f"  b{i}: {{connection: emulated, cpu: cortex-a72}}\n" for i in range(BOARDS))
        path.write_text(path.read_text() + boards)
        for number in range(RUNS):
            add_run(store, f"20260101-{number:06}-{number:04x}", state="finished", measured=number == 0)
        for i in range(BOARDS):
            for number in range(20):
                store.add_note("", f"b{i}", "board-ok", {"run": f"{number}"})
            store.add_note("", f"b{i}", "board", {"model": "Raspberry Pi 5", "kernel": "6.6"})
        served.client().post("/api/runs", json={"plan": "plan.yaml"})
        yield served


def middle_s(served: Served, path: str) -> tuple[float, float, int]:
    """The median and the worst time of a page, and its size, after the first one."""
    client = served.client()
    assert client.get(path).status_code == 200
    times: list[float] = []
    size = 0
    for _ in range(TIMES):
        began = time.perf_counter()
        size = len(client.get(path).content)
        times.append(time.perf_counter() - began)
    return sorted(times)[TIMES // 2], max(times), size


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/boards",
        "/boards/b1",
        "/runs/new",
        "/queue",
        "/reports",
        "/reports/20260101-000000-0000/page",
        "/api/boards",
    ],
)
def test_a_page_on_the_server_side(lab: Served, path: str) -> None:
    middle, worst, size = middle_s(lab, path)
    sys.stdout.write(f"\n{path}: median {middle * 1e3:.1f} ms, worst {worst * 1e3:.1f} ms, {size / 1e3:.1f} kB\n")
    if path == "/":
        assert middle < LONGEST_FIRST_PAGE_S


def test_a_look_at_a_run_of_a_thousand_cells(lab: Served, tmp_path: Path) -> None:
    del tmp_path
    run, store = "20260102-000000-aaaa", lab.web.events
    ids = add_run(store, run, recipes=tuple(f"r{i}" for i in range(BOARDS * CELLS)))
    for cell in ids[:500]:
        store.add_trial(run, trial(cell, 0))
    middle, worst, size = middle_s(lab, f"/runs/{run}")
    words = f"median {middle * 1e3:.1f} ms, worst {worst * 1e3:.1f} ms, {size / 1e3:.1f} kB"
    sys.stdout.write(f"\nlive page of {len(ids)} cells: {words}\n")
    times: list[float] = []
    for number in range(TIMES):
        store.add_note(run, ids[0], "waits", {"reason": str(number)})
        time.sleep(lab.web.feeds.look_s)
        began = time.perf_counter()
        lab.web.feeds.look(run)
        times.append(time.perf_counter() - began)
    sys.stdout.write(f"one look at it with something new: median {sorted(times)[TIMES // 2] * 1e3:.1f} ms\n")
