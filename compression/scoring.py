"""From raw outputs to answers and scores: the same code for this machine and for what a board sends back.

Every metric gives each sample a score from 0 to 1; the accuracy is their mean. So candidates can be compared sample by
sample whatever the metric is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .detection import detected, image_f1, same_boxes
from .detection_map import map50
from .errors import CompressionError, ModelError
from .tensor import shown
from .text import greedy_texts, similarities
from .userfunction import load_function, users_errors

if TYPE_CHECKING:
    from .task import Task

Array = NDArray[Any]
Scores = NDArray[np.float64]
Z_95 = 1.959963984540054  # the 97.5 % point of the normal distribution
TOP = 5  # how many classes `top5` looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A mean score with its 95 % interval; all are fractions. Of 0/1 scores it is the share of right answers."""

    accuracy: float
    ci_low: float
    ci_high: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Outputs judged: `answers` are class numbers or texts [N], or the boxes of each image [N, 100, 6].

    None for a user's own metric, which has none.

    `scores` holds [N] values from 0 to 1 by metric, the task's own metric first.
    """

    answers: Array | None
    scores: Mapping[str, Scores]


def judge(outputs: Mapping[str, Array], wanted: Array | None, task: Task, *, output: str) -> Judged:
    """Judge raw outputs ([N, ...] by name); `output` names the one that holds the answer.

    `wanted` is [N]: labels, or for `agreement` the answers of the reference; only a user's own metric does without.
    Raises ModelError where outputs are not what the task needs, CompressionError for NaN, RecipeError where the user's
    metric fails.
    """
    if task.kind == "custom":
        return Judged(answers=None, scores={task.metric or "": _custom(outputs, wanted, task)})
    given = answers(outputs, task, output=output)
    if wanted is None or len(wanted) != len(given) or (task.kind != "detection" and wanted.shape != given.shape):
        count = "no" if wanted is None else str(len(wanted))
        raise ModelError(f"There are {len(given)} answers for {count} labels.")
    if task.kind == "text-recognition":
        return Judged(answers=given, scores={"1-cer": similarities(given, wanted)})
    if task.kind == "detection":
        return Judged(answers=given, scores={"image-f1": image_f1(given, wanted)})
    right = (given == wanted).astype(np.float64)
    if task.kind == "agreement":
        return Judged(answers=given, scores={"agreement": right})
    beside = {"top5": top_k(outputs[output], wanted, TOP)} if "top5" in task.metrics else {}
    return Judged(answers=given, scores={"top1": right, **beside})


def answers(outputs: Mapping[str, Array], task: Task, *, output: str) -> Array:
    """Return what the model answers for each sample, [N]: a text where the task has characters, else a class number.

    For a detection it is the boxes of each image, [N, 100, 6], decoded from all outputs by the task's function.
    """
    if task.kind == "detection":
        assert task.function is not None  # held by Task
        return detected(outputs, task.function)
    raw = outputs.get(output)
    if raw is None:
        raise ModelError(f"The outputs are {', '.join(f'`{name}`' for name in outputs)}; `{output}` is missing.")
    return greedy_texts(raw, task.characters) if task.characters else top1(raw)


def set_figures(given: Array | None, wanted: Array | None, task: Task) -> dict[str, float]:
    """Return figures of the whole set that are no means over samples, by name: of a detection `map50`, else none."""
    if task.kind != "detection" or given is None or wanted is None:
        return {}
    return {"map50": map50(given, wanted)}


def answer_agreement(one: Array, other: Array) -> float:
    """Return how far two machines give the same answers, from 0 to 1.

    Equal classes, equal characters of texts, or the F1 score of the boxes of one machine against those of the other.
    """
    if one.shape != other.shape or not len(one):
        raise ModelError(f"{len(one)} answers cannot be compared with {len(other)}.")
    if one.ndim == 3:
        return float(same_boxes(one, other).mean())
    return float(similarities(one, other).mean() if one.dtype.kind == "U" else (one == other).mean())


def top1(outputs: Array) -> NDArray[np.int64]:
    """Return the class with the highest score of each sample; of equal scores, the first. `outputs` is [N, classes].

    Further dimensions of size 1 are allowed. Raises ModelError for another shape and CompressionError for NaN.
    """
    return _classes(outputs).argmax(axis=1).astype(np.int64)


def top_k(outputs: Array, labels: Array, k: int) -> Scores:
    """Return 1 for each sample whose label is among the `k` highest scores, else 0; of equal scores, the first count.

    Raises ModelError where the model has no more than `k` classes: every answer would be right.
    """
    scores = _classes(outputs)
    if scores.shape[1] <= k:
        raise ModelError(f"`top{k}` says nothing of a model with {scores.shape[1]} classes: every answer is right.")
    order = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :k]
    return (order == labels[:, np.newaxis]).any(axis=1).astype(np.float64)


def _classes(outputs: Array) -> Array:
    scores = outputs.reshape(len(outputs), -1) if math.prod(outputs.shape[2:]) == 1 else outputs
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ModelError(
            f"The model's first output has the shape {shown(outputs.shape)}; a classifier gives [N, classes]."
        )
    if np.isnan(scores).any():
        raise CompressionError("The outputs hold NaN: there is no highest score.")
    return scores


def _custom(outputs: Mapping[str, Array], labels: Array | None, task: Task) -> Scores:
    """Ask the user's metric; what it returns is checked, as it decides what is shipped."""
    assert task.function is not None  # held by Task
    metric, called = load_function(task.function), f"The metric `{task.function.written}`"
    samples = len(next(iter(outputs.values())))
    with users_errors(called):
        found: object = metric(dict(outputs), labels)
        scores = np.asarray(found, np.float64)
    if scores.shape != (samples,):
        shape = shown(scores.shape) if scores.ndim else "a single number"
        raise CompressionError(f"{called} gave {shape} for {samples} samples; it must give one score for each.")
    if not np.isfinite(scores).all() or scores.min() < 0 or scores.max() > 1:
        wrong = scores[~((scores >= 0) & (scores <= 1))][0]
        raise CompressionError(f"{called} gave {wrong:g}; scores go from 0 (wrong) to 1 (right).")
    return scores


def mean_score(scores: Scores) -> Score:
    """Return the mean of [N] scores with its 95 % interval.

    Wilson's interval where every score is 0 or 1. Else the normal interval of a mean, with one score of 0 and one of 1
    added: it then has a width where all scores are equal, and leaves room for failures that the sample did not show
    (the idea of Agresti and Caffo, The American Statistician 54 (2000), 280-288, taken from proportions to any scores
    between 0 and 1).
    """
    if not len(scores):
        raise ModelError("There are no scores: no sample was judged.")
    mean = float(scores.mean())
    if bool(np.isin(scores, (0.0, 1.0)).all()):
        low, high = wilson_interval(int(scores.sum()), len(scores))
    else:
        low, high = _widened_interval(scores)
    return Score(accuracy=mean, ci_low=low, ci_high=high, samples=len(scores))


def _widened_interval(scores: Scores) -> tuple[float, float]:
    count = len(scores) + 2
    middle = (float(scores.sum()) + 1) / count
    variance = (float(np.square(scores).sum()) + 1) / count - middle**2
    half = Z_95 * math.sqrt(variance / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def wilson_interval(right: int, samples: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927), 209-212. Unlike the plain normal interval it stays within 0 and 1 and has a width
    where every answer is right.
    """
    if not 0 <= right <= samples or samples < 1:
        raise ValueError(f"{right} of {samples} is no proportion.")
    share, z2 = right / samples, Z_95**2
    middle = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = Z_95 / (1 + z2 / samples) * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    # At the ends the formula gives 0 and 1 exactly; floats miss them by a rounding.
    return (middle - half if right else 0.0), (middle + half if right < samples else 1.0)
