"""How a model is judged: the kind of task, and how its data becomes the model's inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CompressionError, ModelError, RecipeError
from .tensor import TensorSpec, shown
from .userfunction import FunctionName
from .words import nearest

Array = NDArray[Any]
# The metric of each kind of task; a user's own has the name of its function.
METRICS = {
    "classification": "top1",
    "text-recognition": "1-cer",
    "detection": "image-f1",
    "agreement": "agreement",
    "custom": "",
    "none": None,
}
KINDS = tuple(METRICS)
LABELLED = ("classification", "text-recognition", "detection")  # kinds that cannot do without labels
BESIDE = ("top5",)  # metrics that a classification may report beside top-1
LAYOUTS = ("NCHW", "NHWC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """From stored pixels to the model's input: x * scale, then (x - mean) / std for each channel.

    `layout` says where the model wants the channels. Data is stored as [N, H, W], as [N, H, W, C], or in the model's
    own shape.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: str = "NCHW"

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise RecipeError(f"`layout` is `{self.layout}`.{nearest(self.layout, LAYOUTS)}")
        if any(value == 0 for value in self.std):
            raise RecipeError("`std` must not be 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What counts as a right answer.

    `classification`: the label has the highest score (top-1); `metrics` may name `top5` to be reported beside it.
    `text-recognition`: 1 - character error rate of texts decoded with `characters` (see `text.greedy_texts`).
    `detection`: the F1 score of an image's boxes, which the plan's `function` decodes; mAP@0.5 of the whole set stands
    beside it (see `detection.py`). `agreement`: the answer of the uncompressed model on unlabelled inputs. `custom`: a
    user's `function` of the raw outputs and the labels. `none`: random inputs, no accuracy.
    """

    kind: str = "none"
    preprocessing: Preprocessing = Preprocessing()
    metrics: tuple[str, ...] = ()
    characters: tuple[str, ...] = ()
    function: FunctionName | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RecipeError(f"Unknown task `{self.kind}`.{nearest(self.kind, KINDS)}")
        known = [name for name in (METRICS[self.kind], *(BESIDE if self.kind == "classification" else ())) if name]
        for name in self.metrics:
            if name not in known:
                raise RecipeError(f"The task `{self.kind}` has no metric `{name}`.{nearest(name, known)}")
        if (self.kind in ("custom", "detection")) != (self.function is not None):
            raise RecipeError(
                "A `custom` task names a function as its `metric`, a `detection` as its `decode`; others name none."
            )
        if self.kind == "text-recognition" and not self.characters:
            raise RecipeError("A text recognition needs `characters`: without them its outputs are no text.")

    @property
    def metric(self) -> str | None:
        """The name of the accuracy's metric; None where there is none."""
        if self.kind == "custom" and self.function is not None:
            return f"custom:{self.function.name}"
        return METRICS[self.kind]


def preprocess(images: Array, spec: TensorSpec, preprocessing: Preprocessing) -> Array:
    """Return `images` as the input `spec` wants them, [N, ...]. Raises ModelError where they do not fit."""
    arranged = _arranged(images, spec, preprocessing.layout)
    if np.dtype(spec.dtype).kind != "f":
        if preprocessing != Preprocessing(layout=preprocessing.layout):
            raise ModelError(f"Input `{spec.name}` takes {spec.dtype}: `scale`, `mean` and `std` do not apply to it.")
        return as_input(arranged, spec)
    values = arranged.astype(np.float32) * np.float32(preprocessing.scale)
    channels = [1] * values.ndim
    axis = 1 if preprocessing.layout == "NCHW" else values.ndim - 1
    channels[axis] = -1
    for name in ("mean", "std"):
        wanted: tuple[float, ...] = getattr(preprocessing, name)
        if len(wanted) not in (0, 1, values.shape[axis]):
            raise ModelError(f"`{name}` has {len(wanted)} values, but the images have {values.shape[axis]} channels.")
    if preprocessing.mean:
        values -= np.asarray(preprocessing.mean, np.float32).reshape(channels)
    if preprocessing.std:
        values /= np.asarray(preprocessing.std, np.float32).reshape(channels)
    return values.astype(spec.dtype, copy=False)


def _arranged(images: Array, spec: TensorSpec, layout: str) -> Array:
    """Return the images in the shape of the input: with a channel dimension, in the model's order."""
    wanted = spec.sample_shape
    if images.shape[1:] == wanted:
        return images
    tries = [images[..., np.newaxis]] if images.ndim == 3 else [images]
    if layout == "NCHW":
        tries = [np.moveaxis(image, -1, 1) for image in tries]
    if tries[0].shape[1:] == wanted:
        return np.ascontiguousarray(tries[0])
    raise ModelError(
        f"The images have the shape {shown((None, *images.shape[1:]))}, which does not fit input `{spec.name}` "
        f"{shown(spec.shape)} with layout {layout}."
    )


def as_input(values: Array, spec: TensorSpec) -> Array:
    """Return stored values as they are, in the input's type; refuse another shape or a type that would lose values."""
    if values.shape[1:] != spec.sample_shape:
        raise ModelError(
            f"The data for input `{spec.name}` has the shape {shown((None, *values.shape[1:]))}; the model takes "
            f"{shown(spec.shape)}."
        )
    if not np.can_cast(values.dtype, spec.dtype, "same_kind"):
        raise ModelError(f"The data for input `{spec.name}` is {values.dtype}; the model takes {spec.dtype}.")
    return values.astype(spec.dtype, copy=False)


def max_abs_diff(one: Mapping[str, Array], other: Mapping[str, Array]) -> float:
    """Return the largest difference of raw outputs, over all outputs by name. NaN on a side is CompressionError."""
    if set(one) != set(other) or any(one[name].shape != other[name].shape for name in one):
        raise ModelError("Two sets of outputs differ in their names or shapes.")
    largest = 0.0
    for name, values in one.items():
        difference = np.abs(values.astype(np.float64) - other[name].astype(np.float64))
        if np.isnan(difference).any():
            raise CompressionError(f"Output `{name}` holds NaN.")
        largest = max(largest, float(difference.max(initial=0.0)))
    return largest


def subset_indices(n: int, k: int, seed: int) -> NDArray[np.intp]:
    """Return `k` of the indices 0..n-1, ascending; all of them where `k` is no less than `n`.

    They are those whose SHA-256 of "seed:index" is least, so the choice is the same on every machine and with every
    version of numpy, and a smaller choice is part of a larger one.
    """
    ranked = sorted(range(n), key=lambda index: hashlib.sha256(f"{seed}:{index}".encode()).digest())
    return np.asarray(sorted(ranked[:k]), np.intp)
