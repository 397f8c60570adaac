"""Mean average precision at an overlap of one half: the figure of detection on a whole set of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .detection import found_boxes, matched, wanted_boxes
from .errors import ModelError

Array = NDArray[Any]


def map50(found: Array, wanted: Array) -> float:
    """Return mAP@0.5 of boxes [N, K, 6] (the surest first) against [N, M, 5]: the mean over the classes that occur.

    The average precision of a class is the area under its precision over recall, where precision is the best one at
    that recall or a higher one (M. Everingham and others, "The Pascal Visual Object Classes (VOC) Challenge",
    International Journal of Computer Vision 88 (2010), 303-338, with all points instead of eleven). Boxes with equal
    scores enter together, since no threshold parts them: of 8-bit outputs there are many. Raises ModelError where
    nothing is wanted in any image.
    """
    boxes = [found_boxes(rows) for rows in found]
    right = [wanted_boxes(rows) for rows in wanted]
    every = np.concatenate([rows[:, 0] for rows in right]) if right else np.empty(0)
    if not len(every):
        raise ModelError("No image holds an object: there is no average precision.")
    hits = [matched(*pair) for pair in zip(boxes, right, strict=True)]
    scores, classes = (np.concatenate([rows[:, column] for rows in boxes]) for column in (4, 5))
    flags = np.concatenate(hits)
    counts = dict(zip(*np.unique(every, return_counts=True), strict=True))
    return float(
        np.mean([_average_precision(scores[classes == c], flags[classes == c], int(n)) for c, n in counts.items()])
    )


def _average_precision(scores: Array, right: Array, wanted: int) -> float:
    """The area under the curve of one class; `right` says of each box whether it is."""
    if not len(scores):
        return 0.0
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(right[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # of each group of equal scores
    recall, precision = found[last] / wanted, found[last] / (last + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * best).sum())
