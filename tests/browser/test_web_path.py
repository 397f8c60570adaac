"""The whole way through the web page in a real Chromium, on real parts: an emulated board reached by SSH, a real queue
and a real worker. Add the board, queue a run, watch it, open its report, compare two."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hilbench.harness.smokemodel import write_smoke_model
from hilbench.harness.store import Store
from hilbench.targets.emulated.image import ensure_image
from hilbench.targets.emulated.machine import Machine, open_machine
from hilbench.targets.hostkeys import parse_public_key
from hilbench.targets.inventory import load_inventory
from playwright.sync_api import Browser, Page, expect

from .chromium import needs_chromium

pytestmark = [
    needs_chromium,
    pytest.mark.timeout(900),
]
HILBENCH = Path(sys.executable).parent / "hilbench"
INVENTORY = """\
kinds:
  guest:
    runtimes:
      - {name: tflite-runtime, site: /opt/hilbench/runtimes/tflite-runtime}
boards:
  here: {connection: local}   # stays
"""
PLAN = """\
name: tiny
models: {tiny: {file: smoke.tflite}}
runtimes: [{name: tflite-runtime}]
recipes: [fp32]
boards: [here]
operators: false
counters: false
"""
PATIENCE_MS = 300_000
expect.set_options(timeout=PATIENCE_MS)


@dataclass(kw_only=True)
class WebLab:
    folder: Path
    address: str


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "HILBENCH_HOME": str(folder / "state"), "HILBENCH_HEALTH_WAIT_S": "0"}
    return subprocess.Popen(
        [HILBENCH, *words], cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def said(process: subprocess.Popen[str], words: str) -> str:
    """The rest of the line in which a process says these words."""
    assert process.stderr is not None
    heard: list[str] = []
    for line in process.stderr:
        heard.append(line)
        if words in line:
            return line.partition(words)[2].strip()
    raise AssertionError("".join(heard))


def ended(process: subprocess.Popen[str]) -> str:
    """The rest of what a process says."""
    try:
        return process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with open_machine("tests-web-a72", "cortex-a72", 512, ensure_image(print), progress=print) as opened:
        yield opened


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebLab]:
    folder = tmp_path_factory.mktemp("web")
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "plan.yaml").write_text(PLAN)
    write_smoke_model(folder, "tflite-runtime")
    processes = [start(folder, "serve", "--port", "0"), start(folder, "worker", "--name", "web-test")]
    try:
        server, worker = processes
        address = said(server, "serving ").rstrip("/")
        said(worker, "ready")
        yield WebLab(folder=folder, address=address)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        rests = [ended(process) for process in processes]
    for process, rest in zip(processes, rests, strict=True):
        assert process.returncode in (0, -signal.SIGTERM), rest
        assert "Traceback" not in rest
    log = folder / "state" / "log" / "web.log"
    assert not log.exists() or "ERROR" not in log.read_text(), log.read_text()


@dataclass(kw_only=True)
class Visit:
    """A page with all that it asked for and complained about."""

    page: Page
    foreign: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def visit(browser: Browser, lab: WebLab) -> Visit:
    visit = Visit(page=browser.new_context(base_url=lab.address).new_page())
    page = visit.page
    page.set_default_timeout(PATIENCE_MS)
    page.on("request", lambda r: None if r.url.startswith(lab.address + "/") else visit.foreign.append(r.url))
    page.on("console", lambda message: visit.complaints.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: visit.complaints.append(f"{page.url}: {error}"))
    return visit


def queue_a_run(page: Page, board: str) -> str:
    """By the page of new runs; returns the run's id."""
    page.goto("/runs/new")
    page.get_by_label("A plan that is there").select_option("plan.yaml")
    page.get_by_role("checkbox", name=re.compile(board)).check()
    page.get_by_role("checkbox", name=re.compile("A new run, even if")).check()
    page.get_by_role("button", name="Show the grid").click()
    expect(page.get_by_role("heading", name="What it comes to")).to_be_visible()
    expect(page.locator("#grid")).to_contain_text("1 cell on 1 board; 0 will be skipped")
    expect(page.locator("#grid")).to_contain_text("an emulated board's time is not foretold")
    page.get_by_role("button", name="Queue it").click()
    page.wait_for_url(re.compile(r"/runs/\d{8}-"))
    return page.url.rpartition("/")[2]


def watch_to_its_end(page: Page) -> None:
    """The live page, without a reload by us: its script fills the matrix and shows the end."""
    expect(page.locator("#run-state .state")).to_have_text("finished")
    expect(page.locator("#matrix td .state")).to_have_class("state ok")
    expect(page.locator("#run-done")).to_have_text("1 of 1 cells are through")


def keep_an_earlier_run(lab: WebLab, run_id: str) -> str:
    """The run that was measured as one of the year before, in which every inference took four fifths of the work."""
    store = Store.open(f"sqlite:///{lab.folder / 'state' / 'runs.sqlite'}")
    try:
        row = store.run(run_id)
        notes = [(note.subject, note.kind, note.facts) for note in store.notes(run_id)]
        trials = [replace(one, samples=one.samples * 4 // 5) for one in store.trials(run_id)]
        earlier = replace(row, run_id=f"2025{run_id[4:]}", started_at=f"2025{row.started_at[4:]}")
        store.add_run(earlier, store.cells(run_id), notes=notes, trials=trials)
    finally:
        store.close()
    return earlier.run_id


def test_from_a_new_board_to_a_comparison_of_two_runs(visit: Visit, lab: WebLab, machine: Machine) -> None:
    page, inventory = visit.page, lab.folder / "inventory.yaml"
    before = inventory.read_text()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lab")
    page.get_by_role("link", name="Add a board").first.click()
    page.get_by_label("Address").fill(f"root@127.0.0.1:{machine.port}")
    page.get_by_label("Name", exact=True).fill("guest-a72")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Kind", exact=True).fill("guest")
    page.get_by_label("Key file on this server").fill(str(machine.image.key_file))
    page.get_by_role("checkbox", name=re.compile("Try a first inference")).uncheck()
    page.get_by_role("button", name="Look at the board").click()
    expect(page.locator(".question")).to_contain_text(parse_public_key(machine.image.host_key).fingerprint)
    page.get_by_role("button", name="It matches").click()
    expect(page.locator(".diff")).to_contain_text("+  guest-a72:")
    assert inventory.read_text() == before
    page.get_by_role("button", name="Write to the inventory").click()
    page.wait_for_url("**/boards/guest-a72")
    assert load_inventory(inventory).board("guest-a72").emulated
    assert "# stays" in inventory.read_text()

    first = queue_a_run(page, "guest-a72")
    expect(page.locator("#matrix td .state")).to_have_text(re.compile("compressed|[12] of 3"))
    expect(page.locator("#notes")).to_contain_text("judged on this machine")
    watch_to_its_end(page)
    page.get_by_role("link", name="Open the report").click()
    report = page.frame_locator("iframe.report")
    expect(report.get_by_role("heading", level=1)).to_have_text("tiny")
    expect(report.locator("body")).to_contain_text("instructions")

    earlier = keep_an_earlier_run(lab, first)
    page.goto("/reports")
    for run in (earlier, first):
        page.get_by_role("checkbox", name=f"Compare run {run}").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Two runs compared")
    comparison = page.frame_locator("iframe.report").locator("body")
    expect(comparison).to_contain_text("guest-a72, fp32: work: more work 1.25")
    assert visit.foreign == []
    assert visit.complaints == []


def test_without_script_a_board_is_asked_for_and_a_grid_is_shown(browser: Browser, lab: WebLab) -> None:
    context = browser.new_context(base_url=lab.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/runs/new")
    page.get_by_label("A plan that is there").select_option("plan.yaml")
    page.get_by_role("button", name="Show the grid").click()
    expect(page.get_by_role("heading", name="What it comes to")).to_be_visible()
    page.goto("/boards/new")
    page.get_by_label("Address").fill("two@words:x")
    page.get_by_role("button", name="Look at the board").click()
    expect(page.locator("body")).to_contain_text("It came to nothing")
    context.close()


def test_another_site_can_neither_frame_us_nor_send_our_forms(browser: Browser, lab: WebLab, tmp_path: Path) -> None:
    page = browser.new_page()
    hostile = tmp_path / "hostile.html"
    hostile.write_text(
        f'<iframe src="{lab.address}/"></iframe><form method="post" action="{lab.address}/runs/new">'
        '<input name="plan" value="plan.yaml"><input name="do" value="queue"><button>Win</button></form>'
    )
    page.goto(hostile.as_uri())
    assert page.frames[1].get_by_role("heading", name="Lab").count() == 0
    page.get_by_role("button", name="Win").click()
    expect(page.locator("body")).to_contain_text("a form of another site is not taken")
    page.close()
