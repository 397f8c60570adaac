"""What is kept of a board's best settings, and when a later plan may take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hilbench.harness.errors import HarnessError
from hilbench.harness.home import Home
from hilbench.harness.optimize.reuse import settled
from hilbench.harness.optimize.settingsfile import (
    Entry,
    entry_words,
    find_entry,
    fingerprint,
    keep_entry,
    read_settings,
)
from hilbench.harness.plan import Cell
from hilbench.harness.progress import Progress
from hilbench.harness.store import SETTLED, Store
from hilbench.targets.board import Arch, Board, LocalAddress, Role
from ruamel.yaml import YAML

FACTS: dict[str, Any] = {
    "kernel": "Linux 6.1",
    "isa": {"neon": True, "dotprod": False},
    "cores": 4,
    "runtimes": {"onnxruntime": "1.32.0"},
}
NOW = fingerprint(FACTS, "onnxruntime")
TWO = {"threads": 2, "graph_optimization": "all", "providers": []}
USUAL = {"threads": 1, "graph_optimization": "all", "providers": []}


def entry(artifact: str = "a" * 64, **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "artifact": artifact,
        "model": "digits",
        "recipe": "fp32",
        "runtime": "onnxruntime",
        "objective": "latency",
        "settings": TWO,
        "default": USUAL,
        "board": NOW,
        "sentence": "threads 2 is faster than the default setting.",
        "runs": ["1", "2"],
        "at": "2026-11-29T06:00:00.000Z",
    }
    return Entry(**{**values, **changes})


def test_an_entry_comes_back_and_a_newer_one_of_the_same_file_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "settings" / "pi.yaml"
    keep_entry(path, entry())
    keep_entry(path, entry("b" * 64))
    keep_entry(path, entry(objective="memory"))
    keep_entry(path, entry(at="2026-12-01T00:00:00.000Z"))
    found = read_settings(path)
    assert [(one.artifact[0], one.objective, one.at[:10]) for one in found] == [
        ("a", "latency", "2026-12-01"),
        ("a", "memory", "2026-11-29"),
        ("b", "latency", "2026-11-29"),
    ]
    assert "settings:" in path.read_text()
    assert [one.name for one in path.parent.glob("*part*")] == []


def test_a_file_that_somebody_broke_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "pi.yaml"
    path.write_text("schema_version: 1\nentrys: []\n")
    with pytest.raises(HarnessError, match=r'pi\.yaml:2: unknown key "entrys"'):
        read_settings(path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"threadz": 2}, "threadz"),
        ({"threads": 0}, "threads"),
        ({"settings": "best"}, '"settings" stands for an entry of this file'),
    ],
)
def test_settings_that_no_plan_may_have_are_refused_before_a_board_gets_them(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    path = tmp_path / "pi.yaml"
    keep_entry(path, entry())
    values: Any = YAML(typ="safe").load(path.read_text())
    values["entries"][0]["settings"] = settings
    with path.open("w") as file:
        YAML(typ="safe").dump(values, file)
    with pytest.raises(HarnessError, match=rf"pi\.yaml:\d+: .*{told}"):
        read_settings(path)


def test_an_entry_is_taken_for_its_file_runtime_and_word_only() -> None:
    known = [entry(), entry(objective="memory", settings=USUAL)]
    taken, sentence = find_entry(known, "a" * 64, "onnxruntime", "best", NOW)
    assert taken == known[0]
    assert sentence == "best settings of 2026-11-29: threads 2 is faster than the default setting."
    assert find_entry(known, "a" * 64, "onnxruntime", "best-memory", NOW)[0] == known[1]
    for artifact, runtime in (("b" * 64, "onnxruntime"), ("a" * 64, "tflite-runtime")):
        nothing, sentence = find_entry(known, artifact, runtime, "best", NOW)
        assert nothing is None
        assert sentence == "no best settings are known for this file on this board: its defaults are used"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kernel": "Linux 6.6"}, "kernel"),
        ({"runtimes": {"onnxruntime": "1.33.0"}}, "runtime version"),
        ({"isa": {"neon": True, "dotprod": True}}, "isa"),
        ({"cores": 2}, "cores"),
    ],
)
def test_a_board_that_is_not_what_it_was_gets_its_defaults_and_it_is_said(change: dict[str, Any], named: str) -> None:
    now = fingerprint({**FACTS, **change}, "onnxruntime")
    taken, sentence = find_entry([entry()], "a" * 64, "onnxruntime", "best", now)
    assert taken is None
    assert f"of before the board's {named} changed" in sentence
    assert entry_words(entry(), now=now).endswith(f"Not used any more: the board's {named} changed.")


def test_a_check_of_the_board_tells_the_same_version_as_a_run() -> None:
    checked = {**FACTS, "runtimes": {"onnxruntime": {"version": "1.32.0", "numpy": "2.0", "python": "3.11"}}}
    assert fingerprint(checked, "onnxruntime") == NOW


def test_what_best_stands_for_is_settled_once_a_run_though_the_file_changes_meanwhile(tmp_path: Path) -> None:
    home, progress = Home(folder=tmp_path), Progress(quiet=True)
    store = Store.open(home.database_url)
    store.add_note("r", "pi", "board", FACTS)
    board = Board(name="pi", address=LocalAddress(), arch=Arch.ARM64, role=Role.TARGET, runtimes=())
    cell = Cell(
        cell_id="c", board=board, model="m", recipe="fp32", runtime="onnxruntime", settings={"settings": "best"}
    )
    keep_entry(home.settings("pi"), entry())
    assert settled(store, "r", home, cell, "a" * 64, progress) == TWO
    keep_entry(home.settings("pi"), entry(settings=USUAL))
    assert settled(store, "r", home, cell, "a" * 64, progress) == TWO
    assert [note.subject for note in store.notes("r", SETTLED)] == ["c"]
    store.add_note("later", "pi", "board", FACTS)
    assert settled(store, "later", home, cell, "a" * 64, progress) == USUAL
    home.settings("pi").write_text("entrys: []\n")
    store.add_note("broken", "pi", "board", FACTS)
    assert settled(store, "broken", home, cell, "a" * 64, progress) == USUAL
    (note,) = store.notes("broken", SETTLED)
    assert "the best settings cannot be read, so the defaults are used: " in note.facts["sentence"]
    assert 'pi.yaml:1: unknown key "entrys"' in note.facts["sentence"]
    store.close()
