"""How well boxes were found: an image's score, and how far two machines find the same.

A detection's figure of a whole set, mAP@0.5 (`detection_map.py`), is no mean over images, so candidates cannot be
compared image by image with it. What is compared is the F1 score of each image; mAP is reported beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import CompressionError
from .tensor import shown
from .userfunction import load_function, users_errors

if TYPE_CHECKING:
    from .userfunction import FunctionName

Array = NDArray[Any]
Scores = NDArray[np.float64]
SAME_PLACE = 0.5  # intersection over union from which on a box is in its place
SHOWN_FROM = 0.5  # score from which on a box counts as found
MOST_BOXES = 100  # of an image, the surest ones, as in COCO's rules
NOTHING = -1.0  # the class of a row that only fills up


def detected(outputs: Mapping[str, Array], decode: FunctionName) -> Array:
    """Decode raw outputs ([N, ...] by name) by the plan's function; return the boxes as `padded` does.

    What the function returns is checked. Raises RecipeError where it raises, CompressionError where it gives anything
    but the boxes of N images, [K, 6] each, as finite numbers.
    """
    function, called = load_function(decode), f"The decoder `{decode.written}`"
    samples = len(next(iter(outputs.values())))
    if any(np.isnan(values).any() for values in outputs.values() if values.dtype.kind == "f"):
        raise CompressionError("The outputs hold NaN: there are no boxes in them.")
    with users_errors(called):
        found = [np.asarray(boxes, np.float64) for boxes in function(dict(outputs))]
    if len(found) != samples:
        raise CompressionError(f"{called} gave the boxes of {len(found)} images for {samples}.")
    for boxes in found:
        if boxes.ndim != 2 or boxes.shape[1] != 6:
            raise CompressionError(f"{called} gave {shown(boxes.shape)} for an image; it must give [K, 6].")
        if not np.isfinite(boxes).all() or (boxes[:, 5] < 0).any():
            raise CompressionError(f"{called} gave a box that is not finite, or whose class is below 0.")
    return padded(found)


def padded(found: Sequence[Array]) -> NDArray[np.float32]:
    """Return the surest 100 boxes of each image, [N, 100, 6]: x0, y0, x1, y1, score, class; -1 where there is none."""
    every = np.full((len(found), MOST_BOXES, 6), NOTHING, np.float32)
    for rows, boxes in zip(every, found, strict=True):
        surest = boxes[np.argsort(-boxes[:, 4], kind="stable")][:MOST_BOXES]
        rows[: len(surest)] = surest
    return every


def overlaps(one: Array, other: Array) -> Array:
    """Return the intersection over union of boxes (x0, y0, x1, y1), [A, 4] and [B, 4], as [A, B]."""
    low = np.maximum(one[:, np.newaxis, :2], other[np.newaxis, :, :2])
    high = np.minimum(one[:, np.newaxis, 2:], other[np.newaxis, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (one, other)]
    union = areas[0][:, np.newaxis] + areas[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared, dtype=np.float64), where=union > 0)


def matched(boxes: Array, wanted: Array) -> NDArray[np.bool_]:
    """Return which of an image's found boxes, [K, 6] with the surest first, are right, [K].

    `wanted` is [M, 5]: class, x0, y0, x1, y1. A box is right if it overlaps a wanted one of its class by half or more;
    each wanted one is given once, to the surest box, and a box takes the one that it overlaps most.
    """
    same = boxes[:, np.newaxis, 5] == wanted[np.newaxis, :, 0]
    shared = np.where(same, overlaps(boxes[:, :4], wanted[:, 1:]), 0.0)
    right = np.zeros(len(boxes), bool)
    if not len(wanted):
        return right
    for number, row in enumerate(shared):
        best = int(row.argmax())
        if row[best] >= SAME_PLACE:
            right[number], shared[:, best] = True, 0.0
    return right


def found_boxes(rows: Array) -> Array:
    """Return the boxes of an image that are no filling, of rows [K, 6] as `padded` makes them."""
    return rows[rows[:, 5] >= 0]


def wanted_boxes(rows: Array) -> Array:
    """Return the boxes of an image that are no filling, of labels [M, 5]."""
    return rows[rows[:, 0] >= 0]


def image_f1(found: Array, wanted: Array) -> Scores:
    """Return the F1 score of each image, [N]: 2 x right / (found + wanted), of boxes with a score of 0.5 or more.

    `found` is [N, K, 6], `wanted` [N, M, 5]. 1 where nothing was wanted and nothing was found.
    """
    return np.asarray([_f1(*pair) for pair in zip(found, wanted, strict=True)], np.float64)


def same_boxes(one: Array, other: Array) -> Scores:
    """Return how far two machines find the same in each image, [N]: F1 with the shown boxes of `other` as the right."""
    shown_other = np.where(other[:, :, 4:5] >= SHOWN_FROM, other, NOTHING)
    return image_f1(one, np.concatenate([shown_other[:, :, 5:], shown_other[:, :, :4]], axis=2))


def _f1(found: Array, wanted: Array) -> float:
    boxes, right = found_boxes(found), wanted_boxes(wanted)
    boxes = boxes[boxes[:, 4] >= SHOWN_FROM]
    together = len(boxes) + len(right)
    return 2 * int(matched(boxes, right).sum()) / together if together else 1.0
