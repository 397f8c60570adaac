"""What each image scored survives the store: a bit an image, or a number where it takes one."""

from __future__ import annotations

import numpy as np
import pytest
from hilbench.harness.answers import packed, unpacked
from hilbench.reports.drop import image_scores


def test_right_answers_come_back_as_one_bit_an_image() -> None:
    bits = unpacked(packed(np.array([1, 1, 0, 1, 1, 1, 1, 0, 1], np.float64)))
    assert bits is not None
    assert len(bits) == 2
    assert np.unpackbits(np.frombuffer(bits, np.uint8), count=9).tolist() == [1, 1, 0, 1, 1, 1, 1, 0, 1]


@pytest.mark.parametrize("scores", [[1.0, 0.25, 0.0, 0.875], [0.5] * 33, [1.0, 0.0], [1.0]])
def test_reports_read_what_was_packed(scores: list[float]) -> None:
    assert image_scores(unpacked(packed(np.array(scores))), len(scores)) == pytest.approx(scores)


def test_a_run_of_an_earlier_version_has_none() -> None:
    assert unpacked(None) is None
