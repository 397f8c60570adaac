"""What is right for each sample: class numbers, texts, or whatever a user's own metric wants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError, UnsupportedRecipeError

LABELS = "labels"


def checked_labels(values: NDArray[Any], where: str, kind: str) -> NDArray[Any]:
    """Return stored labels as the task of this kind wants them, [N]; `where` says what they were read from.

    Raises ModelError where they are of another sort, or leave nothing to tell apart.
    """
    if kind == "text-recognition":
        return _texts(values, where)
    if kind == "detection":
        return _boxes(values, where)
    if kind == "classification":
        return _classes(values, where)
    if values.dtype.kind not in "fiubU" or not values.ndim:
        raise ModelError(f"`{LABELS}` in {where} must be an array of numbers or texts, one entry for each sample.")
    return values


def require_classes(step: str, kind: str) -> None:
    """Raise UnsupportedRecipeError where a step that learns from labels meets a task whose labels are no classes."""
    names = {"text-recognition": "texts", "detection": "boxes"}
    if kind in names:
        raise UnsupportedRecipeError(
            f"`{step}` learns from class numbers, but the labels of a {kind.replace('-', ' ')} are {names[kind]}."
        )


def _texts(values: NDArray[Any], where: str) -> NDArray[Any]:
    if values.ndim != 1 or values.dtype.kind != "U":
        raise ModelError(f"`{LABELS}` in {where} must be texts, one for each sample.")
    if values.size and not any(values.tolist()):
        raise ModelError(f"All texts in {where} are empty: there is nothing to recognize.")
    return values


def _boxes(values: NDArray[Any], where: str) -> NDArray[Any]:
    if values.ndim != 3 or values.shape[2] != 5 or values.dtype.kind not in "fiu":
        raise ModelError(
            f"`{LABELS}` in {where} must be boxes, [N, M, 5]: class, x0, y0, x1, y1 in pixels; the class -1 fills up."
        )
    boxes = values.astype(np.float32)
    real = boxes[boxes[:, :, 0] >= 0]
    if not np.isfinite(boxes).all() or (real[:, 3:] <= real[:, 1:3]).any() or (real[:, 0] % 1 != 0).any():
        raise ModelError(f"A box in {where} has no area, or a class that is no whole number.")
    if not len(real):
        raise ModelError(f"No image in {where} holds a box: there is nothing to detect.")
    return boxes


def _classes(values: NDArray[Any], where: str) -> NDArray[Any]:
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values.size and values.min() < 0):
        raise ModelError(f"`{LABELS}` in {where} must be class numbers from 0, one for each sample.")
    if values.size and values.min() == values.max():
        raise ModelError(
            f"All {len(values)} samples in {where} have the label {values[0]}; a classification needs two classes at "
            "least."
        )
    return values.astype(np.int64)
