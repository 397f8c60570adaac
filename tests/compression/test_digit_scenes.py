"""The scenes that a detector is judged on: whose digits they hold, where their boxes are, and what the model finds."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hilbench.compression.apply import apply_recipe
from hilbench.compression.data import Dataset, load_data, refuse_overlap
from hilbench.compression.evaluate import Evaluation, evaluate
from hilbench.compression.model import Model, read_model
from hilbench.compression.recipe import parse_recipe
from hilbench.compression.task import Preprocessing, Task
from hilbench.compression.userfunction import FunctionName, load_function
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[2] / "models" / "digit-scenes"


def named(function: str) -> FunctionName:
    return FunctionName(written=f"scenes.py:{function}", folder=FOLDER)


def module() -> ModuleType:
    return sys.modules[load_function(named("scenes")).__module__]


def made(part: str, samples: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    images, boxes = zip(*load_function(named("scenes"))(part, samples=samples, seed=seed), strict=True)
    return np.stack(images), np.stack(boxes)


def test_scenes_are_the_same_for_the_same_seed() -> None:
    one, two, other = made("test", 5, 3), made("test", 5, 3), made("test", 5, 4)
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])
    assert (one[0].shape, one[0].dtype.name) == ((5, 96, 96), "uint8")


def test_scenes_of_a_part_hold_digits_of_that_part_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for digit, part in enumerate(("train", "calibration", "test")):
        with np.load(FOLDER.parent / "digits" / f"digits-{part}.npz") as stored:
            mine = stored["images"][stored["labels"] == digit]
        np.savez(tmp_path / f"digits-{part}.npz", images=mine, labels=np.full(len(mine), digit, np.uint8))
    scenes = module()
    scenes._digits.cache_clear()
    monkeypatch.setattr(scenes, "DIGITS", tmp_path)
    try:
        found = {part: set(made(part, 20, 1)[1][:, :, 0].ravel().tolist()) for part in ("train", "calibration", "test")}
        judged_on = {float(label) for _, boxes in scenes.test_scenes() for label in boxes[:, 0]}
        calibrated = {float(label) for _, boxes in scenes.calibration_scenes() for label in boxes[:, 0]}
    finally:
        scenes._digits.cache_clear()
    assert found == {"train": {-1, 0}, "calibration": {-1, 1}, "test": {-1, 2}}
    assert (judged_on, calibrated) == ({-1, 2}, {-1, 1})


def test_boxes_lie_around_their_digits_and_apart() -> None:
    images, boxes = made("test", 100, 5)
    for image, rows in zip(images, boxes, strict=True):
        free = np.ones(image.shape, bool)
        real = rows[rows[:, 0] >= 0].astype(int)
        assert len(real) >= 1
        for _, x0, y0, x1, y1 in real:
            assert 0 <= x0 < x1 <= 96
            assert 0 <= y0 < y1 <= 96
            assert free[y0:y1, x0:x1].all()
            free[y0:y1, x0:x1] = False
        inside, outside = image[~free].astype(float), image[free].astype(float)
        assert inside.mean() > outside.mean()


@pytest.fixture(scope="module")
def detector() -> tuple[Model, Task, Dataset, Dataset]:
    model = read_model(FOLDER / "digit-scenes.onnx")
    decode = FunctionName(written="hilbench.compression.detection_grid:decode_grid", folder=FOLDER)
    task = Task(kind="detection", function=decode, preprocessing=Preprocessing(scale=1 / 255))
    test = load_data(named("test_scenes"), model, task)
    calibration = load_data(named("calibration_scenes"), model, task, labels="dropped")
    return model, task, test, calibration


def judged(detector: tuple[Model, Task, Dataset, Dataset], recipe: str, cache: Path) -> Evaluation:
    model, task, test, calibration = detector
    artifact = apply_recipe(model, parse_recipe(recipe), calibration, task, cache=cache)
    found = evaluate(artifact, model, test, task, cache=cache)
    assert found is not None
    assert evaluate(artifact, model, test, task, cache=cache).beside == found.beside  # type: ignore[union-attr]  # kept
    return found


def test_the_detector_finds_what_its_card_says(
    detector: tuple[Model, Task, Dataset, Dataset], shared_cache: Path
) -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text()
    refuse_overlap(detector[3], detector[2])
    floats, ints = (judged(detector, recipe, shared_cache) for recipe in ("fp32", "int8-static"))
    assert floats.metric == "image-f1"
    assert floats.beside["map50"] > 0.85
    assert f"mAP@0.5 **{floats.beside['map50']:.3f}**" in card
    assert f"F1 {floats.score.accuracy:.3f}" in card
    assert floats.beside["map50"] - 0.05 < ints.beside["map50"] <= floats.beside["map50"] + 0.01
    assert floats.predictions is not None
    assert floats.predictions.shape == (300, 100, 6)
