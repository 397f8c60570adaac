"""Data of a task: out of an .npz file, a folder of images or a function; hashed, checked, turned into model inputs.

The key `images` means stored pixels of the model's only input, which go through the task's preprocessing; a key that is
an input's name means values that are fed as they are.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .image_folder import TEXTS, read_image_folder, read_plain_folder, read_text_folder
from .iterable_data import read_iterable
from .labels import LABELS, checked_labels
from .model import Model
from .task import LABELLED, Array, Task, as_input, preprocess, subset_indices
from .tensor import TensorSpec
from .userfunction import FunctionName

IMAGES = "images"
LabelUse = Literal["needed", "if-any", "dropped"]
RANDOM_SAMPLES = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Samples as they were stored. `arrays` holds `images`, or one array for each input; all are [N, ...].

    `labels` are class numbers (int64 [N]), texts (str [N]), whatever a user's own metric wants ([N, ...]), or None.
    `sha256` covers names, types, shapes and bytes. `random` marks made-up inputs.
    """

    name: str
    sha256: str
    arrays: Mapping[str, Array]
    labels: Array | None = None
    random: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))


def load_data(source: Path | FunctionName, model: Model, task: Task, *, labels: LabelUse = "needed") -> Dataset:
    """Read an .npz file (`images` or a key for each input; `labels`), a folder of images, or what a function yields.

    `labels` says what becomes of them: `needed` by tasks that have any, kept `if-any`, or `dropped`. Raises ModelError
    with one sentence where the data is unreadable or fits the model or the task in no way.
    """
    where = source.written if isinstance(source, FunctionName) else str(source)
    wanted = labels != "dropped" and task.kind not in ("agreement", "none")
    arrays, found = _read(source, model, task, labels if wanted else "dropped")
    kept = checked_labels(found, where, task.kind) if wanted and found is not None else None
    if wanted and labels == "needed" and kept is None and task.kind in LABELLED:
        raise ModelError(f"{where} has no `{LABELS}`; a {task.kind.replace('-', ' ')} needs them.")
    _check_arrays(arrays, kept, where, model)
    name = where if isinstance(source, FunctionName) else source.name
    dataset = Dataset(name=name, sha256=_hash(arrays, kept), arrays=arrays, labels=kept)
    try:
        model_inputs(dataset, model, task, np.arange(1))  # says now, not in an hour, that the data does not fit
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    return dataset


def _read(
    source: Path | FunctionName, model: Model, task: Task, labels: LabelUse
) -> tuple[dict[str, Array], Array | None]:
    """Return (arrays, labels as they were found)."""
    if isinstance(source, FunctionName):
        images, found = read_iterable(source)
        return {IMAGES: images}, found
    if source.is_dir():
        images, found = _read_folder(source, model, task, labels)
        return {IMAGES: images}, found
    arrays = _read_npz(source)
    return arrays, arrays.pop(LABELS, None)


def _read_folder(folder: Path, model: Model, task: Task, labels: LabelUse) -> tuple[Array, Array | None]:
    must = labels == "needed" and task.kind in LABELLED
    if must and task.kind == "detection":
        raise ModelError(f"{folder} is a folder, which cannot hold boxes: give an .npz or a function that yields them.")
    texts = (folder / TEXTS).is_file()
    if labels != "dropped" and (texts or (must and task.kind == "text-recognition")):
        return read_text_folder(folder, model)
    if labels != "dropped" and (must or any(inner.is_dir() for inner in folder.iterdir())):
        return read_image_folder(folder, model)
    return read_plain_folder(folder, model, keep_aspect=texts or bool(task.characters)), None


def random_data(model: Model, *, samples: int = RANDOM_SAMPLES, seed: int = 0) -> Dataset:
    """Return made-up inputs: floats from 0 to 1, bytes over their range, other integers and booleans 0 or 1.

    0 and 1 are valid token numbers and masks of any model.
    """
    generator = np.random.default_rng(seed)
    arrays = {spec.name: _random(spec, samples, generator) for spec in model.inputs}
    name = f"random inputs (seed {seed})"
    return Dataset(name=name, sha256=_hash(arrays, None), arrays=arrays, random=True)


def _random(spec: TensorSpec, samples: int, generator: np.random.Generator) -> Array:
    shape = (samples, *spec.sample_shape)
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return generator.random(shape, np.float32).astype(dtype)
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.itemsize == 1 and dtype.kind in "iu" else (0, 1)
    return generator.integers(low, high, shape, endpoint=True).astype(dtype)


def model_inputs(
    dataset: Dataset, model: Model, task: Task, indices: NDArray[np.intp] | None = None
) -> dict[str, Array]:
    """Return the model's inputs, [N, ...] by name, of all samples or of those at `indices`."""
    chosen = slice(None) if indices is None else indices
    if set(dataset.arrays) == {IMAGES} and len(model.inputs) == 1:
        spec = model.inputs[0]
        return {spec.name: preprocess(dataset.arrays[IMAGES][chosen], spec, task.preprocessing)}
    return {spec.name: as_input(dataset.arrays[spec.name][chosen], spec) for spec in model.inputs}


def golden_inputs(dataset: Dataset, model: Model, task: Task, *, samples: int = 8, seed: int = 0) -> dict[str, Array]:
    """Return the few inputs whose raw outputs the host and every board are compared on."""
    return model_inputs(dataset, model, task, subset_indices(len(dataset), samples, seed))


def refuse_overlap(one: Dataset, other: Dataset, *, roles: tuple[str, str] = ("calibration", "test")) -> None:
    """Raise ModelError if a sample of `one` is also in `other`: the accuracy would flatter.

    `roles` says in the sentence what the two are for.
    """
    held_out = set(sample_hashes(other))
    shared = sum(digest in held_out for digest in sample_hashes(one))
    if shared:
        raise ModelError(
            f"{shared} of the {len(one)} {roles[0]} samples in {one.name} are also among the "
            f"{len(other)} {roles[1]} samples in {other.name}; they must be disjoint."
        )


def sample_hashes(dataset: Dataset) -> list[bytes]:
    """What each sample is known by: the same image gives the same hash, stored as bytes or as fractions of 255."""
    columns = [_comparable(key, dataset.arrays[key]) for key in sorted(dataset.arrays)]
    return [hashlib.sha256(b"".join(column[i].tobytes() for column in columns)).digest() for i in range(len(dataset))]


def _comparable(key: str, values: Array) -> Array:
    """Return images as bytes where they are bytes or fractions of 255, so that both ways to store them compare."""
    if key == IMAGES and values.dtype.kind == "f" and values.size and values.min() >= 0 and values.max() <= 1:
        return np.rint(values * 255).astype(np.uint8)
    if key == IMAGES and values.dtype.kind in "iu" and values.size and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    return values.astype(np.float32) if values.dtype.kind == "f" else values.astype(np.int64)


def _read_npz(path: Path) -> dict[str, Array]:
    if not path.exists():
        raise ModelError(f"The data {path} does not exist.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if isinstance(archive, np.ndarray):
                raise ModelError(f"{path} is a single array; save it with np.savez(…, images=…, labels=…).")
            return {key: np.asarray(archive[key]) for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise ModelError(f"{path} is no .npz file of plain arrays, or it is damaged.") from error


def _check_arrays(arrays: Mapping[str, Array], labels: Array | None, where: str, model: Model) -> None:
    names = [spec.name for spec in model.inputs]
    if set(arrays) != set(names) and not (set(arrays) == {IMAGES} and len(names) == 1):
        allowed = f"`{IMAGES}` or `{names[0]}`" if len(names) == 1 else ", ".join(f"`{name}`" for name in names)
        found = ", ".join(f"`{key}`" for key in arrays) or "nothing"
        raise ModelError(f"{where} holds {found} besides labels; the model's inputs need {allowed}.")
    lengths = {key: (len(values) if values.ndim else 0) for key, values in arrays.items()}
    lengths |= {LABELS: len(labels)} if labels is not None else {}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        shown = ", ".join(f"`{key}` {length}" for key, length in lengths.items())
        raise ModelError(f"All arrays in {where} must have the same number of samples, 1 at least; it has {shown}.")
    for key, values in arrays.items():
        if values.dtype.kind not in "fiub":
            raise ModelError(f"`{key}` in {where} is {values.dtype}; it must hold numbers.")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelError(f"`{key}` in {where} holds values that are not finite.")


def _hash(arrays: Mapping[str, Array], labels: Array | None) -> str:
    digest = hashlib.sha256()
    for key, values in sorted({**arrays, **({} if labels is None else {LABELS: labels})}.items()):
        digest.update(f"{key} {values.dtype.str} {values.shape}\n".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return what a run keeps of its data: name, hash, number of samples."""
    return {"name": dataset.name, "sha256": dataset.sha256, "samples": len(dataset)}
