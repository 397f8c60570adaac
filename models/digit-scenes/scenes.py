"""Composed scenes: real handwritten digits of several sizes on a noisy ground, with the box of each known.

Nothing is stored: the same seed gives the same scenes again out of the three files of `models/digits`. Scenes to judge
on hold digits of `digits-test.npz` only, those to calibrate with `digits-calibration.npz`, those to train on
`digits-train.npz`; the three files share no image. A plan names a function of this file as its data:
`../models/digit-scenes/scenes.py:test_scenes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS = Path(__file__).resolve().parent.parent / "digits"
SIDE = 96  # of a scene, in pixels
SIZES = range(16, 33)  # to which a digit's 28 x 28 pixels are resized
MOST = 5  # digits in a scene
TRIES = 40  # to find a free place for a digit
GAP = 1  # pixels between two boxes, at least
INKED = 0.25  # of the full ink: from here on a pixel belongs to the digit, and the box is drawn around those
NOISE = 28.0  # the largest standard deviation of a pixel, of 255
FAINTEST = 0.35  # the least contrast between a digit and the ground, of what is possible

Scene = tuple[NDArray[np.uint8], NDArray[np.float32]]


def test_scenes() -> Iterator[Scene]:
    """Yield 300 scenes to judge on."""
    return scenes("test", samples=300, seed=11)


def calibration_scenes() -> Iterator[Scene]:
    """Yield 100 scenes to calibrate with."""
    return scenes("calibration", samples=100, seed=12)


def scenes(part: str, *, samples: int, seed: int) -> Iterator[Scene]:
    """Yield (image uint8 [96, 96], boxes float32 [5, 5]), composed of digits of `digits-PART.npz`.

    A box is (class, x0, y0, x1, y1) in pixels, x to the right and y down, its ends exclusive; a scene with fewer than
    five digits is filled up with boxes of the class -1.
    """
    images, labels = _digits(part)
    random = np.random.default_rng(seed)
    for _ in range(samples):
        yield _composed(images, labels, random)


@lru_cache(maxsize=3)
def _digits(part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    with np.load(DIGITS / f"digits-{part}.npz") as stored:
        return stored["images"].astype(np.float32) / 255, stored["labels"].astype(np.int64)


def _composed(images: NDArray[Any], labels: NDArray[Any], random: np.random.Generator) -> Scene:
    ink = np.zeros((SIDE, SIDE), np.float32)
    boxes = np.full((MOST, 5), -1, np.float32)
    placed = 0
    for _ in range(int(random.integers(1, MOST + 1))):
        chosen = int(random.integers(len(images)))
        digit = _resized(images[chosen], int(random.integers(SIZES.start, SIZES.stop)))
        digit = digit[_inked(digit, 1)][:, _inked(digit, 0)]
        place = _free_place(digit.shape, boxes[:placed], random)
        strength = random.uniform(FAINTEST, 1)
        if place is None:
            continue
        (x, y), (height, width) = place, digit.shape
        ink[y : y + height, x : x + width] = digit * strength
        boxes[placed] = labels[chosen], x, y, x + width, y + height
        placed += 1
    ground = random.uniform(0, 90)
    noise = random.normal(0, random.uniform(0, NOISE), ink.shape)
    return np.clip(np.rint(ground + ink * (255 - ground) + noise), 0, 255).astype(np.uint8), boxes


def _resized(image: NDArray[Any], size: int) -> NDArray[Any]:
    """Resize a square image, linearly in both directions."""
    weights = _weights(image.shape[0], size)
    return weights @ image @ weights.T


@lru_cache(maxsize=64)
def _weights(old: int, new: int) -> NDArray[Any]:
    """How much of each old row is in each new one, [new, old]."""
    middles = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(middles[:, np.newaxis] - np.arange(old))).astype(np.float32)


def _inked(digit: NDArray[Any], axis: int) -> slice:
    """Return the rows (axis 1) or columns (axis 0) from the first to the last that belong to the digit."""
    found = np.flatnonzero(digit.max(axis=axis) >= INKED * digit.max())
    return slice(int(found[0]), int(found[-1]) + 1)


def _free_place(
    shape: tuple[int, ...], boxes: NDArray[np.float32], random: np.random.Generator
) -> tuple[int, int] | None:
    """Return (x, y) where a digit of this shape touches no box; None where no try found one."""
    height, width = shape
    for _ in range(TRIES):
        x, y = int(random.integers(SIDE - width + 1)), int(random.integers(SIDE - height + 1))
        apart_x = (x + width + GAP <= boxes[:, 1]) | (boxes[:, 3] + GAP <= x)
        apart_y = (y + height + GAP <= boxes[:, 2]) | (boxes[:, 4] + GAP <= y)
        if (apart_x | apart_y).all():
            return x, y
    return None
