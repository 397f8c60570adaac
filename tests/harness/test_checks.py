"""A board's raw outputs are judged by the code that judges this machine, for every kind of task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness.answers import unpacked
from hilbench.harness.candidates import Prepared, prepare
from hilbench.harness.checks import judge_check
from hilbench.harness.plan import Cell, expand
from hilbench.harness.progress import Progress
from hilbench.harness.sources import read_sources
from hilbench.reports.drop import image_scores
from numpy.typing import NDArray

from .test_taskdata import DIGITS, identity, load

TASKS = {
    "classification": "kind: classification, metrics: [top1, top5], test: digits.npz",
    "agreement": "kind: agreement, test: plain.npz",
    "custom": "kind: custom, metric: 'mine.py:margin', test: plain.npz",
    "text": "kind: text-recognition, test: texts.npz",
}
MARGIN = """
import numpy as np

def margin(outputs, labels):
    assert labels is None
    return 1 / (1 + np.exp(-outputs["logits"].max(axis=1)))
"""
METRICS = {"classification": "top1", "agreement": "agreement", "custom": "custom:margin", "text": "1-cer"}
TEXTS = ["ab", "a b", "b", "ba", "aa", "bb"]


def judged(folder: Path, kind: str) -> tuple[Prepared, Cell, dict[str, NDArray[Any]]]:
    """A prepared plan with one cell, and the inputs that its board judges."""
    identity(folder)
    with np.load(DIGITS / "digits-test.npz") as stored:
        np.savez(folder / "plain.npz", images=stored["images"][:60])
        np.savez(folder / "digits.npz", images=stored["images"][:400], labels=stored["labels"][:400])
    steps = [[1, 2, 2, 2], [1, 3, 2, 0], [2, 2, 0, 0], [2, 1, 0, 0], [1, 0, 1, 0], [2, 0, 2, 3]]
    np.savez(folder / "texts.npz", x=np.eye(4, dtype=np.float32)[steps], labels=TEXTS)
    (folder / "mine.py").write_text(MARGIN)
    plan = load(folder, TASKS[kind], *(["text.onnx"] if kind == "text" else []))
    sources = read_sources(plan, cache=folder / "cache")
    prepared = prepare(plan, sources, cache=folder / "cache", progress=Progress(quiet=True))
    (cell,) = expand(plan, {"m": "onnx"})
    file = prepared.inputs(cell, cell.board).accuracy
    assert file is not None
    with np.load(file.path) as arrays:
        return prepared, cell, dict(arrays)


def as_a_board(prepared: Prepared, cell: Cell, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(prepared.artifact(cell).path)
    names = [output.name for output in session.get_outputs()]
    name, values = next(iter(inputs.items()))
    runs = [session.run(names, {name: values[i : i + 1]}) for i in range(len(values))]
    return {name: np.concatenate([np.asarray(run[i]) for run in runs]) for i, name in enumerate(names)}


@pytest.mark.parametrize("kind", TASKS)
def test_the_same_outputs_have_the_same_score_on_board_and_host(tmp_path: Path, kind: str) -> None:
    prepared, cell, inputs = judged(tmp_path, kind)
    golden = prepared.golden_on_host(cell)
    facts = judge_check({"golden": golden, "accuracy": as_a_board(prepared, cell, inputs)}, prepared, cell)
    host = prepared.host(cell)
    assert host is not None
    assert host["metric"] == METRICS[kind]
    assert facts["reason"] is None
    assert facts["board"] == pytest.approx(facts["host_on_board_images"])
    assert facts["board_samples"] == len(next(iter(inputs.values())))
    scores = image_scores(unpacked(facts["board_right"]), facts["board_samples"])
    assert scores is not None
    assert scores.mean() == pytest.approx(facts["board"], abs=1e-6)
    assert facts.get("agreement") == (None if kind == "custom" else 1)
    if kind == "classification":
        assert facts["board"] <= facts["board_top5"] <= 1
        assert host["host"] < host["host_top5"]
    if kind == "text":
        assert facts["board"] == pytest.approx((5 + 1 / 2) / 6)  # `bb ` for `bb` is one letter too many for two


def test_a_board_that_gives_other_texts_is_stopped(tmp_path: Path) -> None:
    prepared, cell, inputs = judged(tmp_path, "text")
    event = {"golden": prepared.golden_on_host(cell), "accuracy": {"y": np.roll(inputs["x"], 1, axis=2)}}
    facts = judge_check(event, prepared, cell)
    assert facts["agreement"] < 0.9
    assert facts["reason"].startswith("the board gives this machine's answer on only")


def test_outputs_that_cannot_be_judged_stop_the_cell_with_the_reason(tmp_path: Path) -> None:
    prepared, cell, _ = judged(tmp_path, "text")
    event = {"golden": prepared.golden_on_host(cell), "accuracy": {"y": np.full((6, 4, 4), np.nan, np.float32)}}
    reason = judge_check(event, prepared, cell)["reason"]
    assert reason == "the board's outputs cannot be judged: The outputs hold NaN: there is no best class."
