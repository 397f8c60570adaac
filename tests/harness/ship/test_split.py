"""Calibration, search and confirmation share no image; each has every class; the same seed gives the same bytes."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from hilbench.compression.data import Dataset, sample_hashes
from hilbench.compression.errors import ModelError
from hilbench.harness.ship.split import PARTS, part_bytes, split


def data(images: np.ndarray, labels: list[int]) -> Dataset:
    return Dataset(name="d.npz", sha256="0", arrays={"images": images}, labels=np.asarray(labels, np.int64))


def random_data(per_class: int = 40, classes: int = 3) -> Dataset:
    generator = np.random.default_rng(5)
    images = generator.integers(0, 256, (per_class * classes, 6, 6), np.uint8)
    return data(images, [place % classes for place in range(len(images))])


def hashes_of(found: Dataset, indices: np.ndarray) -> set[bytes]:
    known = sample_hashes(found)
    return {known[int(place)] for place in indices}


def test_no_image_is_in_two_parts_even_where_data_holds_it_twice() -> None:
    plain = random_data()
    images, labels = plain.arrays["images"], plain.labels
    assert labels is not None
    doubled = data(np.concatenate([images, images[::2]]), [*labels.tolist(), *labels[::2].tolist()])
    dealt = split(doubled, seed=1)
    parts = [hashes_of(doubled, dealt.parts[name]) for name in PARTS]
    assert sum(len(part) for part in parts) == len(set.union(*parts)) == len(images)
    assert dealt.repeated == len(images[::2])


def test_an_image_with_two_labels_is_left_out_altogether() -> None:
    plain = random_data()
    assert plain.labels is not None
    images = np.concatenate([plain.arrays["images"], plain.arrays["images"][:1]])
    dealt = split(data(images, [*plain.labels.tolist(), 1]), seed=1)
    assert (dealt.contradictory, dealt.repeated) == (2, 0)
    assert 0 not in np.concatenate(list(dealt.parts.values()))


def test_each_part_has_every_class_in_its_share() -> None:
    found = random_data()
    assert found.labels is not None
    dealt = split(found, seed=1)
    counts = {name: Counter(found.labels[dealt.parts[name]].tolist()) for name in PARTS}
    assert counts["calibration"] == {0: 4, 1: 4, 2: 4}
    assert counts["search"] == counts["confirmation"] == {0: 18, 1: 18, 2: 18}


def test_halves_stay_even_where_classes_do_not_divide() -> None:
    found = random_data(per_class=11, classes=9)
    sizes = {name: len(part) for name, part in split(found, seed=1).parts.items()}
    assert abs(sizes["search"] - sizes["confirmation"]) <= 1
    assert sum(sizes.values()) == len(found)


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_parts() -> None:
    found = random_data()
    once, again, other = (split(found, seed=seed).parts["confirmation"] for seed in (1, 1, 2))
    assert part_bytes(found, once) == part_bytes(found, again)
    assert once.tolist() != other.tolist()


def test_a_part_reads_as_any_npz() -> None:
    found = random_data()
    indices = split(found, seed=1).parts["search"]
    with np.load(io.BytesIO(part_bytes(found, indices)), allow_pickle=False) as archive:
        assert found.labels is not None
        np.testing.assert_array_equal(archive["images"], found.arrays["images"][indices])
        np.testing.assert_array_equal(archive["labels"], found.labels[indices])


def test_too_few_of_a_class_are_refused_with_the_number_that_would_do() -> None:
    found = random_data(per_class=9)
    with pytest.raises(ModelError, match="9 different images of class 0; at least 10 of each"):
        split(found, seed=1)


def test_copies_do_not_make_a_class_large_enough() -> None:
    found = random_data(per_class=20)
    images = found.arrays["images"].copy()
    images[0::3] = images[0]
    assert found.labels is not None
    with pytest.raises(ModelError, match="1 different images of class 0"):
        split(data(images, found.labels.tolist()), seed=1)


def test_one_class_is_refused() -> None:
    found = random_data(classes=1)
    with pytest.raises(ModelError, match="holds 1 class of usable images: at least 2"):
        split(found, seed=1)
