"""Raw outputs to answers and scores, for every kind of task; and intervals that hold what they claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.errors import CompressionError, ModelError, RecipeError
from hilbench.compression.scoring import answer_agreement, judge, mean_score, top1, top_k, wilson_interval
from hilbench.compression.task import Task
from hilbench.compression.userfunction import FunctionName

CLASSES = Task(kind="classification", metrics=("top1", "top5"))
RANKED = np.array([[7, 6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6, 7], [7, 1, 6, 2, 5, 3, 4]], np.float32)


@pytest.mark.parametrize(
    ("right", "samples", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_equals_published_values(right: int, samples: int, low: float, high: float) -> None:
    assert wilson_interval(right, samples) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_has_a_width_where_all_is_right() -> None:
    for samples in (60, 100):  # of 60 the bare formula gives 0.9999999999999998
        low, high = wilson_interval(samples, samples)
        assert 0.93 < low < high == 1.0


def test_top1_takes_the_first_of_equal_scores_and_ignores_trailing_ones() -> None:
    outputs = np.array([[0.1, 0.9, 0.9], [3.0, 1.0, 2.0]], np.float32)
    assert top1(outputs).tolist() == [1, 0]
    assert top1(outputs.reshape(2, 3, 1, 1)).tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(2, 1), (2, 3, 4), (2,)])
def test_top1_refuses_outputs_that_are_no_classes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"a classifier gives \[N, classes\]"):
        top1(np.zeros(shape, np.float32))


def test_top1_refuses_nan() -> None:
    with pytest.raises(CompressionError, match="NaN"):
        top1(np.array([[np.nan, 1.0]]))


def test_the_accuracy_is_the_mean_of_the_scores() -> None:
    result = mean_score(np.array([1.0, 1.0, 1.0, 0.0]))
    assert (result.ci_low, result.ci_high) == wilson_interval(3, 4)
    assert (result.accuracy, result.samples) == (0.75, 4)
    assert result.ci_low < 0.75 < result.ci_high


def test_scores_between_0_and_1_have_an_interval_with_a_width() -> None:
    result = mean_score(np.array([0.9] * 50 + [0.5] * 50))
    assert result.accuracy == pytest.approx(0.7)
    assert result.ci_low < 0.7 < result.ci_high
    equal = mean_score(np.full(100, 0.9))
    assert equal.ci_high - equal.ci_low > 0.02
    with pytest.raises(ModelError, match="no scores"):
        mean_score(np.array([]))


@pytest.mark.parametrize("samples", [30, 200])
def test_the_interval_of_skewed_scores_holds_their_true_mean(samples: int) -> None:
    rng = np.random.default_rng(samples)
    perfect = rng.random((3000, samples)) < 0.9
    draws = np.where(perfect, 1.0, rng.beta(8, 2, (3000, samples)))
    held = [score.ci_low <= 0.98 <= score.ci_high for score in map(mean_score, draws)]
    assert np.mean(held) >= 0.935


def test_a_classification_reports_top5_beside_top1() -> None:
    found = judge({"y": RANKED}, np.array([0, 2, 3]), CLASSES, output="y")
    assert found.answers is not None
    assert found.answers.tolist() == [0, 6, 0]
    assert {name: scores.tolist() for name, scores in found.scores.items()} == {"top1": [1, 0, 0], "top5": [1, 1, 0]}
    plain = judge({"y": RANKED}, np.array([0, 2, 3]), Task(kind="classification"), output="y")
    assert list(plain.scores) == ["top1"]


def test_of_equal_scores_the_first_are_among_the_top() -> None:
    assert top_k(np.zeros((2, 7)), np.array([4, 5]), 5).tolist() == [1, 0]


def test_top5_of_five_classes_is_refused_as_it_says_nothing() -> None:
    with pytest.raises(ModelError, match="`top5` says nothing of a model with 5 classes"):
        judge({"y": RANKED[:, :5]}, np.array([0, 1, 2]), CLASSES, output="y")


def test_labels_of_another_number_are_refused() -> None:
    with pytest.raises(ModelError, match="3 answers for 2 labels"):
        judge({"y": RANKED}, np.array([0, 1]), CLASSES, output="y")
    with pytest.raises(ModelError, match="3 answers for no labels"):
        judge({"y": RANKED}, None, CLASSES, output="y")
    with pytest.raises(ModelError, match="The outputs are `y`; `z` is missing"):
        judge({"y": RANKED}, np.array([0, 1, 2]), CLASSES, output="z")


def test_agreement_asks_for_the_answer_of_the_reference() -> None:
    found = judge({"y": RANKED}, np.array([0, 0, 0]), Task(kind="agreement"), output="y")
    assert found.scores["agreement"].tolist() == [1, 0, 1]


def test_two_machines_agree_on_classes_or_on_characters() -> None:
    assert answer_agreement(np.array([1, 2, 3, 4]), np.array([1, 2, 0, 0])) == 0.5
    assert answer_agreement(np.array(["abcd", "x"]), np.array(["abxd", "x"])) == pytest.approx(0.875)
    with pytest.raises(ModelError, match="2 answers cannot be compared with 3"):
        answer_agreement(np.array([1, 2]), np.array([1, 2, 3]))


def _custom(folder: Path, body: str) -> Task:
    (folder / "mine.py").write_text(f"import numpy as np\n\ndef near(outputs, labels):\n    {body}\n")
    return Task(kind="custom", function=FunctionName(written="mine.py:near", folder=folder))


def test_a_users_own_metric_gets_outputs_and_labels(tmp_path: Path) -> None:
    task = _custom(tmp_path, "return 1 - np.abs(outputs['y'][:, 0] - labels)")
    outputs = {"y": np.array([[0.5], [0.25]], np.float32), "z": np.zeros((2, 1))}
    found = judge(outputs, np.array([0.5, 0.5]), task, output="y")
    assert found.answers is None
    assert {name: scores.tolist() for name, scores in found.scores.items()} == {"custom:near": [1.0, 0.75]}


@pytest.mark.parametrize(
    ("body", "error", "sentence"),
    [
        ("return outputs['boxes']", RecipeError, r"The metric `mine.py:near` raised KeyError: 'boxes'\.$"),
        ("raise SystemExit(3)", RecipeError, "raised SystemExit: 3"),
        ("return 'good'", RecipeError, "raised ValueError"),
        ("return 0.5", CompressionError, "gave a single number for 2 samples; it must give one score for each"),
        ("return [0.5]", CompressionError, r"gave \[1\] for 2 samples"),
        ("return [0.5, float('nan')]", CompressionError, "gave nan; scores go from 0"),
        ("return [0.5, 98.0]", CompressionError, r"gave 98; scores go from 0 \(wrong\) to 1 \(right\)"),
    ],
)
def test_a_metric_that_fails_is_told_in_one_sentence(tmp_path: Path, body: str, error: Any, sentence: str) -> None:
    with pytest.raises(error, match=sentence) as caught:
        judge({"y": np.zeros((2, 1))}, None, _custom(tmp_path, body), output="y")
    assert "\n" not in str(caught.value)
