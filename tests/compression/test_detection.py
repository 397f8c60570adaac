"""Boxes: what counts as found, what a whole set scores, and what becomes of a decoder that gives nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.detection import image_f1, matched, overlaps, padded, same_boxes
from hilbench.compression.detection_grid import decode_grid, suppressed
from hilbench.compression.detection_map import map50
from hilbench.compression.errors import CompressionError, ModelError, RecipeError, UnsupportedRecipeError
from hilbench.compression.labels import checked_labels, require_classes
from hilbench.compression.scoring import answer_agreement, judge, set_figures
from hilbench.compression.task import Task
from hilbench.compression.userfunction import FunctionName
from numpy.typing import NDArray

Array = NDArray[Any]
WANTED = np.array([[[3, 0, 0, 10, 10], [7, 20, 20, 30, 40]], [[3, 5, 5, 15, 15], [-1, -1, -1, -1, -1]]], np.float32)
PERFECT = [
    np.array([[0, 0, 10, 10, 0.9, 3], [20, 20, 30, 40, 0.8, 7]], np.float32),
    np.array([[5, 5, 15, 15, 0.7, 3]], np.float32),
]


def box(*values: float) -> Array:
    return np.array([values], np.float32)


def test_overlap_is_intersection_over_union() -> None:
    one = np.array([[0, 0, 10, 10]])
    other = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [4, 4, 4, 4]])
    assert overlaps(one, other)[0].tolist() == pytest.approx([1, 1 / 3, 0, 0])


def test_the_surest_box_takes_what_is_wanted_and_a_second_one_is_wrong() -> None:
    boxes = np.array([[1, 0, 11, 10, 0.9, 3], [0, 0, 10, 10, 0.8, 3], [0, 0, 10, 10, 0.7, 7]])
    assert matched(boxes, np.array([[3, 0, 0, 10, 10]])).tolist() == [True, False, False]


def test_a_box_takes_the_wanted_one_that_it_overlaps_most() -> None:
    wanted = np.array([[1, 0, 0, 10, 10], [1, 3, 0, 13, 10]])
    boxes = np.array([[2.5, 0, 12.5, 10, 0.9, 1], [0, 0, 10, 10, 0.8, 1]])
    assert matched(boxes, wanted).tolist() == [True, True]


@pytest.mark.parametrize(
    ("found", "f1"),
    [
        (PERFECT[0], 1.0),
        (PERFECT[0][:1], 2 / 3),  # one missing
        (np.vstack([PERFECT[0], box(60, 60, 70, 70, 0.6, 1)]), 4 / 5),  # one too many
        (np.vstack([PERFECT[0], box(60, 60, 70, 70, 0.4, 1)]), 1.0),  # not sure enough to be shown
        (np.vstack([box(0, 0, 10, 10, 0.9, 4), PERFECT[0][1:]]), 1 / 2),  # the class is wrong
        (np.empty((0, 6), np.float32), 0.0),
    ],
)
def test_f1_of_an_image(found: Array, f1: float) -> None:
    assert image_f1(padded([found]), WANTED[:1]).tolist() == pytest.approx([f1])


def test_an_image_without_anything_is_right_if_nothing_is_found() -> None:
    nothing = np.full((1, 2, 5), -1, np.float32)
    assert image_f1(padded([np.empty((0, 6))]), nothing).tolist() == [1]
    assert image_f1(padded([PERFECT[0]]), nothing).tolist() == [0]


def test_average_precision_is_the_area_under_the_best_precision() -> None:
    wanted = np.array([[[0, 0, 0, 10, 10], [0, 50, 50, 60, 60]]], np.float32)
    found = np.vstack([box(0, 0, 10, 10, 0.9, 0), box(20, 20, 30, 30, 0.8, 0), box(50, 50, 60, 60, 0.7, 0)])
    assert map50(padded([found]), wanted) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_the_mean_is_over_the_classes_that_occur() -> None:
    assert map50(padded(PERFECT), WANTED) == 1
    stray = np.vstack([PERFECT[1], box(60, 60, 70, 70, 0.99, 5)])  # no image holds class 5
    assert map50(padded([PERFECT[0], stray]), WANTED) == 1
    assert map50(padded([PERFECT[0][:1], PERFECT[1]]), WANTED) == pytest.approx(0.5)  # class 7 was never found


def test_boxes_with_equal_scores_count_in_no_order() -> None:
    wrong = box(60, 60, 70, 70, 0.9, 3)
    first = [np.vstack([wrong, PERFECT[0]]), PERFECT[1]]
    last = [PERFECT[0], np.vstack([wrong, PERFECT[1]])]
    # Of class 3: at 0.9 one of two is right, at 0.7 two of three; class 7 is perfect.
    expected = (2 / 3 + 1) / 2
    assert [map50(padded(boxes), WANTED) for boxes in (first, last)] == pytest.approx([expected, expected])


def test_a_set_without_objects_has_no_average_precision() -> None:
    with pytest.raises(ModelError, match="No image holds an object"):
        map50(padded(PERFECT), np.full((2, 1, 5), -1, np.float32))


def test_a_grid_is_decoded_into_the_boxes_that_it_was_made_of() -> None:
    cells = np.full((1, 15, 12, 12), -12, np.float32)
    # The middle (44, 29) lies in column 5, row 3, at (0.5, 0.625) of it; sides of 12 and 24 pixels of 48.
    cells[0, :5, 3, 5] = [12, *(np.log(p / (1 - p)) for p in (0.5, 0.625, 0.25, 0.5))]
    cells[0, 5 + 6, 3, 5] = 12
    (found,) = decode_grid({"cells": cells})
    assert found.shape == (1, 6)
    assert found[0].tolist() == pytest.approx([38, 17, 50, 41, 1, 6], abs=1e-3)


def test_what_repeats_a_surer_box_of_its_class_goes() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.6, 1], [1, 0, 11, 10, 0.9, 1], [0, 0, 10, 10, 0.7, 2], [6, 0, 16, 10, 0.5, 1]])
    assert suppressed(boxes)[:, 4].tolist() == pytest.approx([0.9, 0.7, 0.5])


def decoder(folder: Path, body: str) -> Task:
    (folder / "mine.py").write_text(f"import numpy as np\ndef boxes(outputs):\n    {body}\n")
    return Task(kind="detection", function=FunctionName(written="mine.py:boxes", folder=folder))


def test_a_detection_is_judged_by_the_plans_decoder(tmp_path: Path) -> None:
    task = decoder(tmp_path, 'return list(outputs["boxes"])')
    found = judge({"boxes": padded(PERFECT)[:, :1]}, WANTED, task, output="boxes")
    assert task.metric == "image-f1"
    assert found.scores["image-f1"].tolist() == pytest.approx([2 / 3, 1])
    assert set_figures(found.answers, WANTED, task) == {"map50": 0.5}
    assert set_figures(np.zeros(2), np.zeros(2), Task(kind="classification")) == {}


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [
        ("return [np.zeros((1, 6))]", CompressionError, "`mine.py:boxes` gave the boxes of 1 images for 2"),
        ("return np.zeros((2, 4, 5))", CompressionError, r"gave \[4, 5\] for an image; it must give \[K, 6\]"),
        ("return np.full((2, 1, 6), np.inf)", CompressionError, "a box that is not finite"),
        ("raise ValueError('no such output')", RecipeError, "mine.py:boxes` raised ValueError: no such output"),
    ],
)
def test_a_decoder_that_gives_nonsense_is_named(tmp_path: Path, body: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        judge({"boxes": padded(PERFECT)}, WANTED, decoder(tmp_path, body), output="boxes")


def test_nan_is_no_box(tmp_path: Path) -> None:
    with pytest.raises(CompressionError, match="NaN"):
        judge({"boxes": np.full((2, 1, 6), np.nan)}, WANTED, decoder(tmp_path, "return []"), output="boxes")


def test_two_machines_agree_as_far_as_they_show_the_same_boxes() -> None:
    faint = np.vstack([PERFECT[1], box(60, 60, 70, 70, 0.3, 1)])
    one, other = padded(PERFECT), padded([PERFECT[0][:1], faint])
    assert same_boxes(one, other).tolist() == pytest.approx([2 / 3, 1])
    assert answer_agreement(one, other) == pytest.approx(5 / 6)
    assert answer_agreement(one, one) == 1


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.zeros((3, 5)), "must be boxes"),
        (np.array([[[1, 5, 5, 5, 9]]]), "has no area"),
        (np.array([[[1.5, 0, 0, 5, 9]]]), "no whole number"),
        (np.full((2, 1, 5), -1), "nothing to detect"),
    ],
)
def test_labels_that_are_no_boxes_are_refused(labels: Array, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        checked_labels(labels, "boxes.npz", "detection")


def test_steps_that_learn_from_classes_say_that_boxes_are_none() -> None:
    with pytest.raises(UnsupportedRecipeError, match=r"`finetune` learns from class numbers, but .* are boxes"):
        require_classes("finetune", "detection")
    require_classes("finetune", "classification")


def test_a_detection_without_a_decoder_is_refused() -> None:
    with pytest.raises(RecipeError, match="a `detection` as its `decode`"):
        Task(kind="detection")
