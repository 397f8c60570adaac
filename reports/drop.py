"""Accuracy lost against the baseline, with an interval that knows that both were judged on the same images; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .record import Accuracy
from .statistics import ALPHA, normal_quantile, wilson_interval

# metrics that count right answers: Wilson's interval fits
PROPORTIONS = ("top1", "top-1", "top5", "top-5", "accuracy", "agreement")
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Accuracy lost against the baseline, as a fraction (negative: gained), with a 95 % interval where one exists.

    `lost` and `gained` are the images that only the baseline, and only the candidate, answered rightly, or that scored
    lower and higher where scores lie between 0 and 1: the interval is then that of paired answers. Where they are None
    only the two accuracies are known; the interval takes their images for different ones, so the truth is known better
    than it says. `on_board_images` says that it was judged on the board's subset, as the host cannot run this runtime.
    """

    value: float
    low: float | None
    high: float | None
    on_board_images: bool
    lost: int | None = None
    gained: int | None = None

    @property
    def paired(self) -> bool:
        """Whether the interval knows which images each answered rightly."""
        return self.lost is not None


def board_interval(accuracy: Accuracy | None) -> tuple[float, float] | None:
    """Interval of the accuracy on the board's images; None where it is no proportion and no image's score is known."""
    if accuracy is None or accuracy.board is None or not accuracy.board_samples:
        return None
    scores = image_scores(accuracy.board_right, accuracy.board_samples)
    if scores is not None and not (scores == np.round(scores)).all():
        return mean_interval(scores)
    if scores is None and accuracy.metric not in PROPORTIONS:
        return None
    return wilson_interval(accuracy.board, accuracy.board_samples)


def accuracy_drop(candidate: Accuracy | None, baseline: Accuracy | None) -> Drop | None:
    """What a candidate lost: on the host's whole test set if both were judged there, else on the board's images."""
    if candidate is None or baseline is None or candidate.metric != baseline.metric:
        return None
    if candidate.host is not None and baseline.host is not None:
        before, after, samples, on_board = baseline.host, candidate.host, candidate.host_samples, False
        right = (baseline.host_right, candidate.host_right) if baseline.host_samples == samples else (None, None)
    elif candidate.board is not None and baseline.board is not None:
        if candidate.board_samples != baseline.board_samples:
            return None
        before, after, samples, on_board = baseline.board, candidate.board, candidate.board_samples, True
        right = (baseline.board_right, candidate.board_right)
    else:
        return None
    scores = [image_scores(one, samples) if samples else None for one in right]
    if scores[0] is not None and scores[1] is not None:
        lost, gained = int((scores[0] > scores[1]).sum()), int((scores[1] > scores[0]).sum())
        low, high = paired_score_interval(scores[0] - scores[1])
        return Drop(value=before - after, low=low, high=high, on_board_images=on_board, lost=lost, gained=gained)
    if not samples or candidate.metric not in PROPORTIONS:
        return Drop(value=before - after, low=None, high=None, on_board_images=on_board)
    low, high = unpaired_interval(before, after, samples)
    return Drop(value=before - after, low=low, high=high, on_board_images=on_board)


def image_scores(kept: bytes | None, samples: int) -> Scores | None:
    """What each image scored, from 0 to 1, [samples]: from a bit an image or from float32; None where none is kept."""
    if kept is None:
        return None
    if len(kept) == 4 * samples:
        return np.frombuffer(kept, "<f4").astype(np.float64)
    if len(kept) == math.ceil(samples / 8):
        return np.unpackbits(np.frombuffer(kept, np.uint8), count=samples).astype(np.float64)
    return None


def mean_interval(scores: Scores) -> tuple[float, float]:
    """Interval of the mean of scores from 0 to 1: the normal one, with one score of 0 and one of 1 added.

    So it has a width where all scores are equal. (Agresti and Caffo, The American Statistician 54 (2000), 280-288, for
    proportions; here for any scores between 0 and 1.)
    """
    count = len(scores) + 2
    middle = (float(scores.sum()) + 1) / count
    variance = (float(np.square(scores).sum()) + 1) / count - middle**2
    half = normal_quantile(1 - ALPHA / 2) * math.sqrt(variance / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_interval(lost: int, gained: int, samples: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Interval of the accuracy lost, of answers to the same images: Wald's with one image added to each side.

    It needs no iteration, never has a width of zero, and keeps its level where few answers differ. (Bonett and Price,
    Journal of Educational and Behavioral Statistics 37 (2012), 479-488; recommended by Fagerland, Lydersen and Laake,
    Statistics in Medicine 33 (2014), 2850-2875.)
    """
    return _paired(lost - gained, lost + gained, samples, alpha)


def paired_score_interval(differences: Scores, alpha: float = ALPHA) -> tuple[float, float]:
    """Interval of the mean of paired differences of scores, [N] from -1 to 1: `paired_interval` for any scores.

    One difference of 1 and one of -1 are added, as there. Of differences in between it is wider than Student's, as it
    leaves room for an image that goes wrong altogether.
    """
    return _paired(float(differences.sum()), float(np.square(differences).sum()), len(differences), alpha)


def _paired(total: float, squares: float, samples: int, alpha: float) -> tuple[float, float]:
    """The normal interval of a mean of differences, from their sum and the sum of their squares; two are added."""
    count = samples + 2
    middle = total / count
    half = normal_quantile(1 - alpha / 2) * math.sqrt(((squares + 2) / count - middle**2) / count)
    return max(-1.0, middle - half), min(1.0, middle + half)


def unpaired_interval(before: float, after: float, samples: int) -> tuple[float, float]:
    """Newcombe's interval of the difference of two proportions: it keeps sense at accuracies near 1."""
    (a_low, a_high), (b_low, b_high) = wilson_interval(before, samples), wilson_interval(after, samples)
    drop = before - after
    return drop - math.hypot(before - a_low, b_high - after), drop + math.hypot(a_high - before, after - b_low)
