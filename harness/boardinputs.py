"""The inputs that boards are sent for a model, as files named by their content."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..compression.cache import write_atomically
from ..compression.interface import Interface
from ..compression.task import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """An .npz of model inputs as it goes to a board."""

    sha256: str
    path: Path

    def turned(self, interface: Interface, cache: Path) -> InputFile:
        """The same inputs as a converted file takes them."""
        with np.load(self.path, allow_pickle=False) as archive:
            return input_file(interface.to_file({name: archive[name] for name in archive.files}), cache)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardInputs:
    """What a board is sent for a model: golden, accuracy (None without a task) and timing inputs."""

    golden: InputFile
    accuracy: InputFile | None
    timing: InputFile

    def turned(self, interface: Interface, cache: Path) -> BoardInputs:
        """The same inputs as a converted file takes them."""
        return BoardInputs(
            golden=self.golden.turned(interface, cache),
            accuracy=None if self.accuracy is None else self.accuracy.turned(interface, cache),
            timing=self.timing.turned(interface, cache),
        )


def input_file(arrays: Mapping[str, Array], cache: Path) -> InputFile:
    """Keep inputs, [N, ...] by name, as a file of the cache."""
    data = _npz(arrays)
    sha256 = hashlib.sha256(data).hexdigest()
    path = cache / "inputs" / f"{sha256}.npz"
    if not path.exists():
        write_atomically(path, data)
    return InputFile(sha256=sha256, path=path)


def _npz(arrays: Mapping[str, Array]) -> bytes:
    """An .npz of arrays under any names, the same bytes for the same arrays (numpy's own takes names as keywords)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: no clock in the bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()
