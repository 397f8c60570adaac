"""Which images were answered rightly, as it is kept in the store: one bit an image, as text."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray


def packed(predictions: NDArray[np.generic], labels: NDArray[np.generic]) -> str:
    """One bit an image, set where the prediction is the label, eight in a byte, in base64."""
    return base64.b64encode(np.packbits(predictions == labels).tobytes()).decode("ascii")


def unpacked(text: str | None) -> bytes | None:
    """The bytes of `packed`; None stays None, as in runs of earlier versions."""
    return None if text is None else base64.b64decode(text)
