"""A small search on a real emulated board, killed three times and continued: rounds are runs, none is measured twice.

What a search that nobody killed shows, the one here shows as well: it has to come to the same.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hilbench.harness.home import Home
from hilbench.harness.plan import Plan, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.search.records import find_record
from hilbench.harness.search.searching import SearchResult, search_plan
from hilbench.harness.selection import Boards
from hilbench.harness.store import Store

HILBENCH = Path(sys.executable).parent / "hilbench"
DIGITS = Path(__file__).parent.parent.parent / "models" / "digits"
INVENTORY = "boards:\n  tests-a76: {connection: emulated, cpu: cortex-a76, runtimes: [onnxruntime]}\n"
PLAN = f"""\
name: small
models:
  digits:
    file: {DIGITS}/digits.onnx
    task: {{test: {DIGITS}/digits-test.npz, calibration: {DIGITS}/digits-calibration.npz}}
boards: [tests-a76]
accuracy_samples: 2
search:
  space:
    - fp16
    - int8-dynamic
    - int8-static
    - [{{prune-l1: {{ratio: {{from: 0.6, to: 0.8, step: 0.1}}}}}}, int8-static]
  objectives: [{{metric: instructions}}, {{metric: accuracy}}]
  constraints: [accuracy drop <= 2pp, size <= 400kB]
  trials: 6
  effort: [3]
"""
MEASURED = 4 * 3 + 3  # processes: three files and the twin are counted three times each, the memory of the files once
KILLS, PAUSE_S = 3, 4.0


def load(folder: Path) -> Plan:
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "plan.yaml").write_text(PLAN)
    return load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))


def run(folder: Path) -> SearchResult:
    return search_plan(load(folder), Home(folder=folder), command="hilbench search", progress=Progress(quiet=True))


def stored(folder: Path) -> list[tuple[str, str, int]]:
    """The processes in the store: cell, kind and block of each."""
    if not (folder / "runs.sqlite").exists():
        return []
    with sqlite3.connect(folder / "runs.sqlite") as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchone():
            return []
        return database.execute("SELECT cell_id, kind, block FROM trials").fetchall()


def kill_search(folder: Path, *, at: int, pause_s: float) -> None:
    """Begin or continue the search, and kill it some time after so many processes are in the store."""
    process = subprocess.Popen(
        [HILBENCH, "search", folder / "plan.yaml", "--quiet", "--inventory", folder / "inventory.yaml"],
        env={**os.environ, "HILBENCH_HOME": str(folder), "HILBENCH_HEALTH_WAIT_S": "0"},
    )
    while process.poll() is None and len(stored(folder)) < at:
        time.sleep(0.1)
    time.sleep(pause_s)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL, "it ended before it was killed"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SearchResult]:
    folder = tmp_path_factory.mktemp("search")
    load(folder)
    moments = random.Random(20261129)
    for at in sorted(moments.sample(range(1, 13), KILLS)):
        kill_search(folder, at=at, pause_s=moments.uniform(0, PAUSE_S))
    return folder, run(folder)


def test_the_search_measures_what_the_host_let_through_and_chooses(searched: tuple[Path, SearchResult]) -> None:
    folder, result = searched
    record = result.record
    assert (record.state, result.exit_code, len(record.trials)) == ("finished", 0, 6)
    out = [trial for trial in record.trials if trial.stage == "host" and trial.same_as is None]
    assert {trial.recipe for trial in out} >= {"fp16", "prune-l1(ratio=0.8)+int8-static"}
    assert all(trial.board_time_s == {} and not trial.measures for trial in out)
    chosen = record.trials[record.chosen["tests-a76"] or 0]
    assert chosen.stage == "finalist"
    counts = {t.number: m.value for t in record.trials for m in t.measures if m.metric == "instructions"}
    assert counts[chosen.number] <= 1.001 * min(counts.values())
    assert all(m.metric != "latency" for t in record.trials for m in t.measures)
    assert find_record(Home(folder=folder), "latest") == record


def test_the_rounds_are_ordinary_runs_with_a_control_and_the_figures_are_theirs(
    searched: tuple[Path, SearchResult],
) -> None:
    folder, result = searched
    store = Store.open(Home(folder=folder).database_url)
    (row,) = store.runs()
    assert row.plan_name == f"{result.record.search_id}.r0"
    assert {run_id for trial in result.record.trials for run_id in trial.run_ids} == {row.run_id}
    cells = {cell: facts for cell, _, facts in store.cells(row.run_id)}
    assert sum(facts["twin"] for facts in cells.values()) == 1
    measured = {t.recipe for t in result.record.trials if t.stage == "finalist"}
    assert {facts["recipe"] for facts in cells.values()} == {"fp32", *measured}


def test_nothing_was_measured_twice_or_lost_though_it_was_killed(searched: tuple[Path, SearchResult]) -> None:
    folder, result = searched
    processes = stored(folder)
    assert len(set(processes)) == len(processes) == MEASURED
    finalists = [trial for trial in result.record.trials if trial.stage == "finalist"]
    assert finalists
    assert all(len(trial.run_ids) == 1 for trial in finalists)


def test_again_it_has_nothing_to_do_and_says_the_same(searched: tuple[Path, SearchResult]) -> None:
    folder, result = searched
    again = run(folder)
    assert again.record.trials == result.record.trials
    assert len(Store.open(Home(folder=folder).database_url).runs()) == 1
