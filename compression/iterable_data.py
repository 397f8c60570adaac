"""Samples out of a Python function that a plan names: it yields images, or pairs of an image and its label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .userfunction import FunctionName, load_function, users_errors

MAX_SAMPLES = 100_000
MAX_BYTES = 2 * 2**30  # data is held in memory


def read_iterable(function: FunctionName) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Call the function without arguments and return (images [N, ...], labels [N] or None) of all that it yields.

    Raises ModelError with one sentence where samples differ in shape or type, where there are none, or more than memory
    should hold; RecipeError where the function is not found or raises.
    """
    called = f"`{function.written}`"
    images: list[NDArray[Any]] = []
    labels: list[Any] = []
    size = 0
    for image, label in _samples(function, called):
        if len(images) >= MAX_SAMPLES or size > MAX_BYTES:
            raise ModelError(
                f"{called} does not end: data holds at most {MAX_SAMPLES} samples and {MAX_BYTES >> 30} GiB."
            )
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise ModelError(f"{called}: sample {len(images)} is {_told(image)}, but sample 0 is {_told(images[0])}.")
        images.append(image)
        labels += [] if label is None else [label]
        size += image.nbytes
    if not images:
        raise ModelError(f"{called} yields no samples.")
    if len(labels) not in (0, len(images)):
        raise ModelError(f"{called} yields {len(images)} samples, but labels for {len(labels)} of them.")
    return np.stack(images), _stacked_labels(labels, called)


def _samples(function: FunctionName, called: str) -> Iterator[tuple[NDArray[Any], Any]]:
    """Yield (image, label or None); what the user's code raises on the way becomes one sentence."""
    make = load_function(function)
    with users_errors(called):
        found: object = make()
    if not isinstance(found, Iterable):
        raise ModelError(f"{called} gives {type(found).__name__}; it must yield images or (image, label).")
    samples = iter(cast(Iterable[object], found))
    end = object()
    while True:
        with users_errors(called):
            sample = next(samples, end)
        if sample is end:
            return
        yield _split(sample, called)


def _split(sample: object, called: str) -> tuple[NDArray[Any], Any]:
    image, label = sample, None
    if isinstance(sample, tuple):
        parts = cast(tuple[object, ...], sample)
        if len(parts) != 2:
            raise ModelError(f"{called} yields tuples of {len(parts)}; (image, label) has 2.")
        image, label = parts
    with users_errors(f"{called}: making an array of a sample"):
        array: NDArray[Any] = np.asarray(image)
    if array.dtype.kind not in "fiub" or not array.ndim:
        raise ModelError(f"{called} yields {type(image).__name__}; an image is an array of numbers.")
    return array, label


def _stacked_labels(labels: list[Any], called: str) -> NDArray[Any] | None:
    if not labels:
        return None
    if len({isinstance(label, str) for label in labels}) > 1:
        raise ModelError(f"{called} yields labels of which some are texts and some are not.")
    with users_errors(f"{called}: making an array of the labels"):
        return np.asarray(labels)


def _told(image: NDArray[Any]) -> str:
    return f"{image.dtype} {list(image.shape)}"
