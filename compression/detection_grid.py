"""From a grid of raw numbers to boxes: the decoder of a small one-stage detector without anchors.

A plan names it as the `decode` of a detection: `hilbench.compression.detection_grid:decode_grid`. It runs on the
controller, on what this machine computed and on what a board sent back alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .detection import overlaps

STRIDE = 8  # pixels of the image on a side of a cell
LARGEST = 48.0  # pixels: the longest side that a box can have
LEAST_SCORE = 0.01  # what is less sure is dropped: it moves no figure, and there is much of it
SAME_OBJECT = 0.5  # boxes of one class that overlap by more than this are one object


def decode_grid(outputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    """Return the boxes of each image, [K, 6]: x0, y0, x1, y1 in pixels, score from 0 to 1, class; the surest first.

    The only output is [N, 5 + classes, rows, columns], for each cell: the logit that the middle of an object lies in
    it, logits of that middle within the cell (x, y) and of the box's sides as parts of 48 pixels (x, y), and the logits
    of the classes. A score is the probability of an object times that of its likeliest class.
    """
    (raw,) = outputs.values()
    if raw.ndim != 4 or raw.shape[1] < 6:
        raise ValueError(f"a grid detector gives [N, 5 + classes, rows, columns], not {list(raw.shape)}")
    cells = raw.astype(np.float64).transpose(0, 2, 3, 1)
    classes = np.exp(cells[..., 5:] - cells[..., 5:].max(axis=-1, keepdims=True))
    classes /= classes.sum(axis=-1, keepdims=True)
    scores = _sigmoid(cells[..., 0]) * classes.max(axis=-1)
    boxes = np.concatenate([_corners(_sigmoid(cells[..., 1:5])), scores[..., np.newaxis]], axis=-1)
    every = np.concatenate([boxes, classes.argmax(axis=-1)[..., np.newaxis]], axis=-1)
    return [suppressed(image[image[:, 4] >= LEAST_SCORE]) for image in every.reshape(len(raw), -1, 6)]


def suppressed(boxes: NDArray[Any], *, overlap: float = SAME_OBJECT) -> NDArray[np.float32]:
    """Return `boxes` [K, 6], the surest first, without those that repeat a surer one of their class.

    (Greedy non-maximum suppression: a box goes if its intersection over union with one that stays is over `overlap`.)
    """
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept: list[NDArray[Any]] = []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        repeats = (left[:, 5] == first[5]) & (overlaps(first[np.newaxis, :4], left[:, :4])[0] > overlap)
        left = left[~repeats]
    return np.asarray(kept, np.float32).reshape(-1, 6)


def _corners(parts: NDArray[Any]) -> NDArray[Any]:
    """Return (x0, y0, x1, y1) in pixels, [N, rows, columns, 4], of middles within cells and sides in parts."""
    rows, columns = np.mgrid[: parts.shape[1], : parts.shape[2]]
    middle = (parts[..., :2] + np.stack([columns, rows], axis=-1)) * STRIDE
    half = parts[..., 2:] * LARGEST / 2
    return np.concatenate([middle - half, middle + half], axis=-1)


def _sigmoid(values: NDArray[Any]) -> NDArray[Any]:
    return 0.5 * (1 + np.tanh(values / 2))  # without an overflow at either end
