"""Accuracy lost against the baseline, with an interval that knows that both were judged on the same images; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .record import Accuracy
from .statistics import ALPHA, normal_quantile, wilson_interval

PROPORTIONS = ("top1", "top-1", "top5", "top-5", "accuracy")  # metrics that count right answers: Wilson's interval fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Accuracy lost against the baseline, as a fraction (negative: gained), with a 95 % interval where one exists.

    `lost` and `gained` are the images that only the baseline, and only the candidate, answered rightly: the interval is
    then that of paired answers. Where they are None only the two accuracies are known; the interval takes their images
    for different ones, so the truth is known better than it says. `on_board_images` says that it was judged on the
    board's subset, as the host cannot run this runtime.
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
    """Wilson's interval of the accuracy on the board's images; None where it is no proportion of a known number."""
    if accuracy is None or accuracy.board is None or not accuracy.board_samples or accuracy.metric not in PROPORTIONS:
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
    if not samples or candidate.metric not in PROPORTIONS:
        return Drop(value=before - after, low=None, high=None, on_board_images=on_board)
    if right[0] is None or right[1] is None:
        low, high = unpaired_interval(before, after, samples)
        return Drop(value=before - after, low=low, high=high, on_board_images=on_board)
    lost, gained = discordant(right[0], right[1], samples)
    low, high = paired_interval(lost, gained, samples)
    return Drop(value=before - after, low=low, high=high, on_board_images=on_board, lost=lost, gained=gained)


def discordant(before: bytes, after: bytes, samples: int) -> tuple[int, int]:
    """How many images only the first, and only the second, answered rightly; one bit an image."""
    first, second = (np.unpackbits(np.frombuffer(bits, np.uint8), count=samples) for bits in (before, after))
    return int(np.count_nonzero(first > second)), int(np.count_nonzero(second > first))


def paired_interval(lost: int, gained: int, samples: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Interval of the accuracy lost, of answers to the same images: Wald's with one image added to each side.

    It needs no iteration, never has a width of zero, and keeps its level where few answers differ. (Bonett and Price,
    Journal of Educational and Behavioral Statistics 37 (2012), 479-488; recommended by Fagerland, Lydersen and Laake,
    Statistics in Medicine 33 (2014), 2850-2875.)
    """
    worse, better = (lost + 1) / (samples + 2), (gained + 1) / (samples + 2)
    half = normal_quantile(1 - alpha / 2) * math.sqrt((worse + better - (worse - better) ** 2) / (samples + 2))
    return max(-1.0, worse - better - half), min(1.0, worse - better + half)


def unpaired_interval(before: float, after: float, samples: int) -> tuple[float, float]:
    """Newcombe's interval of the difference of two proportions: it keeps sense at accuracies near 1."""
    (a_low, a_high), (b_low, b_high) = wilson_interval(before, samples), wilson_interval(after, samples)
    drop = before - after
    return drop - math.hypot(before - a_low, b_high - after), drop + math.hypot(a_high - before, after - b_low)
