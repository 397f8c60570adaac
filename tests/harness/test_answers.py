"""Which images were right survives the store, bit by bit."""

from __future__ import annotations

import numpy as np
from hilbench.harness.answers import packed, unpacked


def test_right_answers_come_back_as_one_bit_an_image() -> None:
    predictions, labels = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9]), np.array([1, 2, 0, 4, 5, 6, 7, 0, 9])
    bits = unpacked(packed(predictions, labels))
    assert bits is not None
    assert np.unpackbits(np.frombuffer(bits, np.uint8), count=9).tolist() == [1, 1, 0, 1, 1, 1, 1, 0, 1]


def test_a_run_of_an_earlier_version_has_none() -> None:
    assert unpacked(None) is None
