"""What is right for each sample: class numbers, texts, or whatever a user's own metric wants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError

LABELS = "labels"


def checked_labels(values: NDArray[Any], where: str, kind: str) -> NDArray[Any]:
    """Return stored labels as the task of this kind wants them, [N]; `where` says what they were read from.

    Raises ModelError where they are of another sort, or leave nothing to tell apart.
    """
    if kind == "text-recognition":
        return _texts(values, where)
    if kind == "classification":
        return _classes(values, where)
    if values.dtype.kind not in "fiubU" or not values.ndim:
        raise ModelError(f"`{LABELS}` in {where} must be an array of numbers or texts, one entry for each sample.")
    return values


def _texts(values: NDArray[Any], where: str) -> NDArray[Any]:
    if values.ndim != 1 or values.dtype.kind != "U":
        raise ModelError(f"`{LABELS}` in {where} must be texts, one for each sample.")
    if values.size and not any(values.tolist()):
        raise ModelError(f"All texts in {where} are empty: there is nothing to recognize.")
    return values


def _classes(values: NDArray[Any], where: str) -> NDArray[Any]:
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values.size and values.min() < 0):
        raise ModelError(f"`{LABELS}` in {where} must be class numbers from 0, one for each sample.")
    if values.size and values.min() == values.max():
        raise ModelError(
            f"All {len(values)} samples in {where} have the label {values[0]}; a classification needs two classes at "
            "least."
        )
    return values.astype(np.int64)
