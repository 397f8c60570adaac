"""The score of each image, as it is kept in the store: a bit where all are right or wrong, else a number, as text."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray


def packed(scores: NDArray[np.float64]) -> str:
    """One bit an image where every score is 0 or 1, eight in a byte; else 4 bytes an image (float32, little-endian).

    In base64. Which of the two it is shows in the length, once the number of images is known.
    """
    whole = bool(np.isin(scores, (0.0, 1.0)).all())
    values = np.packbits(scores == 1.0) if whole else scores.astype("<f4")
    return base64.b64encode(values.tobytes()).decode("ascii")


def unpacked(text: str | None) -> bytes | None:
    """The bytes of `packed`; None stays None, as in runs of earlier versions."""
    return None if text is None else base64.b64decode(text)
