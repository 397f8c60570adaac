"""`ship` on this machine with the real runtime: what is shipped, what is not, and what goes on after a stop."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.cache import sha256_of
from hilbench.compression.errors import ModelError
from hilbench.harness.assemble import assemble
from hilbench.harness.errors import Interrupted, PlanError
from hilbench.harness.home import Home
from hilbench.harness.optimize.settingsfile import keep_entry, read_settings
from hilbench.harness.selection import Boards
from hilbench.harness.ship import shipping
from hilbench.harness.ship.outcome import outcome_json, outcome_lines
from hilbench.harness.ship.request import read_request
from hilbench.harness.store import Store
from hilbench.reports.export import export_json
from hilbench.reports.language import Language
from hilbench.reports.page import render
from hilbench.targets.errors import InventoryError
from onnxruntime import InferenceSession
from ruamel.yaml import YAML

from .quick_ship import SIDE, asked, made_data, shipped, shorten, write_lab

PHASES = ("load", "first", "steady")
MOST_KILLED = 40  # processes in the store when a ship is killed last; it makes more in all


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its data, an inventory. One for all tests here: each goes on with what the ones before measured."""
    folder = tmp_path_factory.mktemp("lab")
    write_lab(folder)
    images, labels = made_data(per_class=60)
    np.savez(folder / "one.npz", images=images, labels=np.zeros_like(labels))
    np.savez(folder / "few.npz", images=images[:20], labels=labels[:20])
    return folder


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short processes, as in the script that is killed."""
    monkeypatch.setenv("HILBENCH_HEALTH_WAIT_S", "0")
    shorten(monkeypatch.setattr)


def runs(lab: Path) -> dict[str, int]:
    """Each run's id with the number of its trials."""
    store = Store.open(Home(folder=lab / ".hilbench").database_url)
    try:
        return {row.run_id: len(store.trials(row.run_id)) for row in store.runs()}
    finally:
        store.close()


def test_a_stop_before_the_confirmation_loses_nothing(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise Interrupted("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(shipping, "confirm", stopped)
        with pytest.raises(Interrupted):
            shipped(lab)
    before = runs(lab)
    assert before
    assert not (lab / "ship").exists()
    result = shipped(lab)
    assert result.exit_code == 0, [line for one in result.outcomes for line in outcome_lines(one)]
    after = runs(lab)
    assert {run: after[run] for run in before} == before
    assert set(after) - set(before) == {result.outcomes[0].run_id}


def test_the_folder_has_all_and_the_card_equals_the_record(lab: Path) -> None:
    (one,) = shipped(lab).outcomes
    folder = lab / "ship" / "here"
    card = json.loads((folder / "card.json").read_text())
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [card["artifact"]["file"], "MODEL_CARD.md", "card.json", "report.html", "settings.yaml"]
    )
    assert sha256_of((folder / card["artifact"]["file"]).read_bytes()) == card["artifact"]["sha256"]
    store = Store.open(Home(folder=lab / ".hilbench").database_url)
    record = assemble(store, store.run(str(one.run_id)))
    store.close()
    exported = {cell["recipe"]: cell for cell in export_json(record)["cells"]}
    assert card["cell"] == exported[one.recipe]
    assert card["baseline"] == exported["fp32"]
    assert (folder / "report.html").read_text() == render(record, None)
    figures = {line["metric"]: line["value"] for line in card["budget"]}
    assert figures["latency"] == exported[one.recipe]["latency_ns"]["median"]
    assert figures["memory"] == max(exported[one.recipe]["memory_bytes"][f"{key}_peak"] for key in PHASES)
    assert all(line["kept"] for line in card["budget"])
    assert card["licence"] == "not stated"
    confirmation = record.provenance["data"]["m"]["test"]
    assert confirmation["samples"] == card["data"]["parts"]["confirmation"]["samples"]


def test_called_again_it_measures_nothing_and_writes_the_same(lab: Path) -> None:
    before, files = runs(lab), {path.name: path.read_bytes() for path in (lab / "ship" / "here").iterdir()}
    assert shipped(lab).exit_code == 0
    assert runs(lab) == before
    assert {path.name: path.read_bytes() for path in (lab / "ship" / "here").iterdir()} == files


def test_a_file_that_the_cache_has_let_go_of_is_made_again(lab: Path) -> None:
    files = {path.name: path.read_bytes() for path in (lab / "ship" / "here").iterdir()}
    before = runs(lab)
    shutil.rmtree(lab / ".hilbench" / "artifacts")
    assert shipped(lab).exit_code == 0
    assert runs(lab) == before
    assert {path.name: path.read_bytes() for path in (lab / "ship" / "here").iterdir()} == files


def test_in_chinese_only_the_reports_are_other_files(lab: Path) -> None:
    before, files = runs(lab), {path.name: path.read_bytes() for path in (lab / "ship" / "here").iterdir()}
    search = shipped(lab, language=Language.CHINESE).search.search_id
    assert runs(lab) == before
    now = {path.name: path.read_bytes() for path in (lab / "ship" / "here").iterdir()}
    assert [name for name, content in now.items() if content != files[name]] == ["report.html"]
    for page in (lab / "ship/here/report.html", lab / f".hilbench/searches/{search}.html"):
        assert '<html lang="zh-Hans">' in page.read_text()


def test_an_impossible_budget_tells_the_nearest_miss_of_each_limit(lab: Path) -> None:
    before = runs(lab)
    result = shipped(lab, "drop<=100pp, memory<=1MiB, latency<=1ns")
    (one,) = result.outcomes
    assert result.exit_code == 1
    assert one.folder is None
    assert one.nearest is not None
    told = {line["limit"]: line for line in outcome_json(one)["nearest"]["relaxations"]}
    assert told["memory<=1MiB"]["relax_by"] > 0
    assert told["latency<=1ns"]["relax_by"] > 0
    assert told["drop<=100pp"]["relax_by"] == 0
    assert len(outcome_lines(one)) == 2 + 3 + 1
    assert "of an earlier ship" in outcome_lines(one)[-1]
    assert set(before) <= set(runs(lab))


def test_more_to_try_is_tuned_and_confirmed_anew_and_only_once(lab: Path) -> None:
    before, more = runs(lab), ("memory_pattern", "arena")
    (one,) = shipped(lab, factors=more).outcomes
    after = runs(lab)
    assert {run: after[run] for run in before} == before
    assert one.run_id in set(after) - set(before)
    known = read_settings(Home(folder=lab / ".hilbench").settings("here"))
    assert [tuple(entry.tried) for entry in known] == [more] * len(known)
    (again,) = shipped(lab, factors=more[1:]).outcomes  # of which all was tried
    assert again.run_id not in after  # but confirmed it was as something else
    assert sum("-tune-" in name for name in names(lab)) == sum("-tune-" in name for name in names(lab, after))
    assert shipped(lab, factors=more).outcomes[0].run_id == one.run_id


def names(lab: Path, among: Collection[str] | None = None) -> list[str]:
    """The plan's name of each run, of those `among` alone where they are given."""
    store = Store.open(Home(folder=lab / ".hilbench").database_url)
    try:
        return [row.plan_name for row in store.runs() if among is None or row.run_id in among]
    finally:
        store.close()


def test_what_ran_in_another_layout_is_what_is_shipped(lab: Path) -> None:
    path = Home(folder=lab / ".hilbench").settings("here")
    (known,) = read_settings(path)
    for artifact in (known.artifact, sha256_of((lab / "m.onnx").read_bytes())):  # as if `optimize` had found them
        settings = {**known.settings, "input_layout": "nhwc"}
        keep_entry(path, known.model_copy(update={"artifact": artifact, "settings": settings}))
    (one,) = shipped(lab, blocks=7).outcomes
    folder = lab / "ship" / "here"
    card = json.loads((folder / "card.json").read_text())
    content = (folder / card["artifact"]["file"]).read_bytes()
    assert (sha256_of(content), len(content)) == (card["artifact"]["sha256"], card["artifact"]["bytes"])
    assert one.artifact_sha256 == card["artifact"]["sha256"]
    port = InferenceSession(content).get_inputs()[0]
    assert (port.name, port.shape[1:]) == ("x_nhwc", [SIDE, SIDE, 1])
    assert "it takes its images as NHWC" in card["artifact"]["notes"][-1]
    settings = YAML(typ="safe").load((folder / "settings.yaml").read_text())
    shutil.rmtree(lab / ".hilbench" / "artifacts")
    shipped(lab, blocks=7)
    assert (folder / card["artifact"]["file"]).read_bytes() == content  # made again
    assert "input_layout" not in settings["settings"]  # the file takes them so already
    assert settings["task"] == {"layout": "nhwc"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"budget": ["p95<=3ms"], "boards": ["here", "sim"]}, "what is counted there are instructions"),
        ({"budget": ["quickly"]}, '"quickly" is no limit'),
        ({"factors": ("speed",)}, 'there is no "speed" to try'),
        ({"boards": ["hare"]}, "hare"),
        ({"budget": ["size<=1MB"], "boards": ["old"]}, "has tflite-runtime and no onnxruntime"),
        ({"data": "one.npz"}, "two classes at least"),
        ({"data": "few.npz"}, "at least 10 of each are needed"),
        ({"data": "none.npz"}, "does not exist"),
        ({"model": "data.npz"}, "data.npz"),
    ],
)
def test_what_cannot_be_is_refused_with_one_sentence(lab: Path, more: dict[str, Any], sentence: str) -> None:
    given = {key: lab / value if key == "model" else str(lab / value) if key == "data" else value
             for key, value in more.items()}  # fmt: skip
    with pytest.raises((PlanError, ModelError, InventoryError), match=r"^[^\n]*$") as caught:
        shipped(lab, **given)
    assert sentence in str(caught.value)


def test_other_boards_and_data_are_another_ship_and_another_budget_is_not(lab: Path) -> None:
    known = Boards(lab / "inventory.yaml")
    mine = read_request(asked(lab), known).ship_id
    assert read_request(asked(lab, "drop<=0.1pp"), known).ship_id == mine
    assert read_request(asked(lab, "drop<=1pp", boards=["here", "sim"]), known).ship_id != mine
    assert read_request(asked(lab, seed=2), known).ship_id != mine


def test_a_ship_that_is_killed_three_times_loses_nothing_and_measures_nothing_twice(tmp_path: Path) -> None:
    write_lab(tmp_path)
    words = [sys.executable, str(Path(__file__).parent / "quick_ship.py"), str(tmp_path)]
    environment = {**os.environ, "HILBENCH_HEALTH_WAIT_S": "0"}
    moments = random.Random(20261129)
    for at in sorted(moments.sample(range(1, MOST_KILLED), 3)):
        child = subprocess.Popen(words, env=environment)
        while child.poll() is None and len(processes(tmp_path)) < at:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.4))
        child.kill()
        assert child.wait(10) == -signal.SIGKILL, "it ended before it was killed"
    killed = Counter(processes(tmp_path))
    result = shipped(tmp_path)
    assert result.exit_code == 0, [line for one in result.outcomes for line in outcome_lines(one)]
    measured = Counter(processes(tmp_path))
    assert not killed - measured
    assert set(measured.values()) == {1}
    store = Store.open(Home(folder=tmp_path / ".hilbench").database_url)
    assert set(Counter(row.plan_hash for row in store.runs()).values()) == {1}
    assert {row.state for row in store.runs()} == {"finished"}


def processes(lab: Path) -> list[tuple[str, str, str, int]]:
    """What is in the store of finished processes: run, cell, kind and block of each."""
    path = lab / ".hilbench" / "runs.sqlite"
    if not path.exists():
        return []
    with sqlite3.connect(path) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchone():
            return []
        return database.execute("SELECT run_id, cell_id, kind, block FROM trials").fetchall()
