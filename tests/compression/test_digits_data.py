"""The committed digits: what the model card says about the files is checked on the files."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest

DIGITS = Path(__file__).parents[2] / "models" / "digits"
COUNTS = {"train": 7000, "calibration": 500, "test": 2500}


@pytest.mark.parametrize(("part", "count"), COUNTS.items())
def test_each_part_holds_uint8_images_of_all_ten_digits(part: str, count: int) -> None:
    with np.load(DIGITS / f"digits-{part}.npz", allow_pickle=False) as data:
        images, labels = data["images"], data["labels"]
    assert (images.shape, images.dtype) == ((count, 28, 28), np.uint8)
    assert labels.shape == (count,)
    assert set(labels.tolist()) == set(range(10))
    assert images.max() == 255
    assert images.min() == 0


def test_no_image_occurs_twice_within_or_across_parts() -> None:
    hashes: list[str] = []
    for part in COUNTS:
        with np.load(DIGITS / f"digits-{part}.npz", allow_pickle=False) as data:
            hashes += [hashlib.sha256(image.tobytes()).hexdigest() for image in data["images"]]
    assert len(hashes) == len(set(hashes)) == sum(COUNTS.values())


def test_the_model_is_one_small_file_that_names_no_folder_of_any_machine() -> None:
    content = (DIGITS / "digits.onnx").read_bytes()
    assert len(content) <= 1_400_000
    for trace in (b"/home", b"/tmp", b"/root", b".py", b"site-packages"):
        assert trace not in content


def test_all_that_is_committed_stays_small() -> None:
    assert sum(file.stat().st_size for file in DIGITS.iterdir() if file.is_file()) < 6_000_000


def test_the_model_card_gives_the_hash_of_the_committed_model() -> None:
    card = (DIGITS / "MODEL_CARD.md").read_text()
    for name in ("digits.onnx", *(f"digits-{part}.npz" for part in COUNTS)):
        digest = hashlib.sha256((DIGITS / name).read_bytes()).hexdigest()
        assert digest in card, f"MODEL_CARD.md has another hash for {name}"


def test_the_two_licences_are_told_apart() -> None:
    notice = (DIGITS / "DATA_LICENSE.md").read_text()
    for words in ("MIT", "CC BY-SA 3.0", "Yann LeCun", "Juan Cazala"):
        assert words in notice


def test_parts_are_named_only_as_they_are() -> None:
    found = sorted(file.name for file in DIGITS.glob("*.npz"))
    assert found == sorted(f"digits-{part}.npz" for part in COUNTS)
    assert len(list(itertools.chain(DIGITS.glob("*.onnx")))) == 1
