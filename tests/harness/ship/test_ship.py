"""`ship` on this machine with the real runtime: what is shipped, what is not, and what goes on after a stop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.cache import sha256_of
from hilbench.compression.errors import ModelError
from hilbench.harness import protocol
from hilbench.harness.assemble import assemble
from hilbench.harness.errors import Interrupted, PlanError
from hilbench.harness.home import Home
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.ship import confirm, plans, shipping
from hilbench.harness.ship.outcome import outcome_json, outcome_lines
from hilbench.harness.ship.request import Asked, read_request
from hilbench.harness.ship.shipping import ShipResult, ship_model
from hilbench.harness.store import Store
from hilbench.reports.export import export_json
from hilbench.reports.language import Language
from hilbench.reports.page import render
from hilbench.targets.errors import InventoryError
from onnx import TensorProto, helper, numpy_helper, save

BUDGET = "drop<=5pp, latency<=1s, memory<=1GiB"
INVENTORY = """\
boards:
  here: {{connection: local, role: reference, workdir: {work}}}
  sim: {{connection: emulated, arch: arm64, cpu: cortex-a76, runtimes: [onnxruntime]}}
  old: {{connection: emulated, arch: armhf, cpu: cortex-a15, runtimes: [tflite-runtime]}}
"""
SIDE, CLASSES = 12, 3
PHASES = ("load", "first", "steady")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its data, an inventory. One for all tests here: each goes on with what the ones before measured."""
    folder = tmp_path_factory.mktemp("lab")
    save_model(folder / "m.onnx")
    images, labels = made_data(per_class=60)
    np.savez(folder / "data.npz", images=images, labels=labels)
    np.savez(folder / "one.npz", images=images, labels=np.zeros_like(labels))
    np.savez(folder / "few.npz", images=images[:20], labels=labels[:20])
    (folder / "inventory.yaml").write_text(INVENTORY.format(work=folder / "work"))
    return folder


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short processes and a small grid of settings: what is proven here does not hang on how long is measured."""
    monkeypatch.setenv("HILBENCH_HEALTH_WAIT_S", "0")
    quick = replace(protocol.QUICK, warmup_seconds=0.02, min_seconds=0.05, iterations=150, gap_s=0.0)
    monkeypatch.setitem(protocol.BY_NAME, "quick", quick)
    monkeypatch.setattr(plans, "EFFORT", [6])
    monkeypatch.setattr(confirm, "FACTORS", ("memory_pattern",))


def made_data(per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright stripe whose place is the class, faint enough that some are mistaken."""
    generator = np.random.default_rng(3)
    labels = np.arange(per_class * CLASSES) % CLASSES
    images = generator.integers(0, 200, (len(labels), SIDE, SIDE))
    images[np.arange(len(labels)), labels * 3 + 1] += 45
    return images.astype(np.uint8), labels


def save_model(path: Path) -> None:
    """Sums up the row of each class."""
    weights = np.zeros((SIDE * SIDE, CLASSES), np.float32)
    for label in range(CLASSES):
        row = (label * 3 + 1) * SIDE
        weights[row : row + SIDE, label] = 1
    shapes = {"x": [None, 1, SIDE, SIDE], "y": [None, CLASSES]}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    graph = helper.make_graph(nodes, "m", [x], [y], [numpy_helper.from_array(weights, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def asked(lab: Path, *budget: str, **more: Any) -> Asked:
    given: dict[str, Any] = {
        "model": lab / "m.onnx",
        "data": str(lab / "data.npz"),
        "budget": budget or (BUDGET,),
        "boards": ["here"],
        "trials": 1,
        "finalists": 1,
        "protocol": "quick",
        "blocks": 6,
    }
    return Asked(**{**given, **more})


def shipped(lab: Path, *budget: str, **more: Any) -> ShipResult:
    language = more.pop("language", Language.ENGLISH)
    return ship_model(
        asked(lab, *budget, **more),
        Boards(lab / "inventory.yaml"),
        Home(folder=lab / ".hilbench"),
        target=lab / "ship",
        command="hilbench ship m.onnx",
        progress=Progress(quiet=True),
        language=language,
    )


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


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"budget": ["p95<=3ms"], "boards": ["here", "sim"]}, "what is counted there are instructions"),
        ({"budget": ["quickly"]}, '"quickly" is no limit'),
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
