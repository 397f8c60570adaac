"""DATA in three parts that share no image: to calibrate with, to search with, and to confirm with. Pure.

The search looks at its part again and again, so what it finds best is partly luck of that part. The figures of what is
shipped come from the confirmation part, which nothing before saw.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...compression.cache import sha256_of
from ...compression.data import Dataset, sample_hashes
from ...compression.errors import ModelError
from ...compression.labels import LABELS

CALIBRATION, SEARCH, CONFIRMATION = "calibration", "search", "confirmation"
PARTS = (CALIBRATION, SEARCH, CONFIRMATION)
CALIBRATION_SHARE = 10  # one in so many
LEAST_OF_A_CLASS = 10  # different images: 1 to calibrate with, 4 or 5 in each half

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Which samples of the data are in which part, in the data's order.

    `repeated` samples are copies of others, and `contradictory` ones stand there with two labels: both are left out.
    """

    parts: Mapping[str, Indices]
    repeated: int
    contradictory: int


def split(data: Dataset, *, seed: int) -> Split:
    """Deal the samples of each class out to the three parts: about a tenth, and half of the rest each.

    The same seed deals the same way. Raises ModelError where there is one class only, or a class is too small.
    """
    assert data.labels is not None
    usable, contradictory = _different(data)
    labels = data.labels[usable]
    sizes = Counter(labels.tolist())
    _refuse_small(data, sizes)
    generator = np.random.default_rng([seed, len(data)])
    dealt: dict[str, list[int]] = {part: [] for part in PARTS}
    for label in sorted(sizes):
        mine = usable[labels == label][generator.permutation(sizes[label])].tolist()
        first = max(1, round(len(mine) / CALIBRATION_SHARE))
        dealt[CALIBRATION] += mine[:first]
        # With an odd number left, classes take turns in which half gets one more.
        offset = len(dealt[SEARCH]) > len(dealt[CONFIRMATION])
        dealt[CONFIRMATION if offset else SEARCH] += mine[first::2]
        dealt[SEARCH if offset else CONFIRMATION] += mine[first + 1 :: 2]
    parts = {part: np.sort(np.asarray(indices, np.intp)) for part, indices in dealt.items()}
    return Split(parts=parts, repeated=len(data) - len(usable) - contradictory, contradictory=contradictory)


def part_bytes(data: Dataset, indices: Indices) -> bytes:
    """One part as an .npz file; the same samples give the same bytes."""
    assert data.labels is not None
    arrays = {key: values[indices] for key, values in data.arrays.items()} | {LABELS: data.labels[indices]}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for key, values in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, values, allow_pickle=False)
            named = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(named, entry.getvalue(), compress_type=zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def part_facts(data: Dataset, indices: Indices, content: bytes) -> dict[str, object]:
    """What a card says of a part: how many samples, of each class, and the hash of its file."""
    assert data.labels is not None
    counts = Counter(data.labels[indices].tolist())
    return {
        "samples": len(indices),
        "samples_by_class": {str(label): counts[label] for label in sorted(counts)},
        "sha256": sha256_of(content),
    }


def _different(data: Dataset) -> tuple[Indices, int]:
    """The first of all samples with the same content, and how many are left out as their copies have other labels."""
    assert data.labels is not None
    labels_of: dict[bytes, set[int]] = {}
    hashes = sample_hashes(data)
    for digest, label in zip(hashes, data.labels.tolist(), strict=True):
        labels_of.setdefault(digest, set()).add(label)
    contradictory = sum(len(labels_of[digest]) > 1 for digest in hashes)
    first: dict[bytes, int] = {}
    for place, digest in enumerate(hashes):
        if len(labels_of[digest]) == 1:
            first.setdefault(digest, place)
    return np.asarray(sorted(first.values()), np.intp), contradictory


def _refuse_small(data: Dataset, sizes: Mapping[int, int]) -> None:
    if len(sizes) < 2:
        raise ModelError(
            f"{data.name} holds {len(sizes)} class{'' if len(sizes) == 1 else 'es'} of usable images: at least 2 are "
            "needed, or every answer is right."
        )
    smallest = min(sizes, key=lambda label: (sizes[label], label))
    if sizes[smallest] < LEAST_OF_A_CLASS:
        raise ModelError(
            f"{data.name} holds {sizes[smallest]} different images of class {smallest}; at least {LEAST_OF_A_CLASS} of "
            "each are needed: some calibrate, the search sees half of the others, and the confirmation the other half."
        )
