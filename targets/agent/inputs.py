"""The inputs of a model from an .npz file: one array per input, first axis = samples; one sample per inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .failures import ERROR, CellFailure, one_sentence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What a model wants at one input. `shape` has None for a dimension that may vary; `dtype` is numpy's name."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


def read_arrays(path: str) -> Arrays:
    """All arrays of an .npz file. Raises CellFailure where it cannot be read."""
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise CellFailure(ERROR, f"the inputs {path} cannot be read: {one_sentence(str(error))}") from error


def match_inputs(arrays: Arrays, specs: tuple[InputSpec, ...], path: str) -> list[Arrays]:
    """One dict of arrays per sample, each of shape [1, …], named and typed as the model wants them.

    Arrays are matched by name, else by their order in the file: converted models often rename their inputs.
    Raises CellFailure where number, shape or dtype do not fit.
    """
    if len(arrays) != len(specs):
        raise CellFailure(ERROR, f"{path} holds {len(arrays)} arrays, but the model has {len(specs)} inputs")
    by_name = all(spec.name in arrays for spec in specs)
    chosen = [arrays[spec.name] for spec in specs] if by_name else list(arrays.values())
    columns = [_typed(values, spec, path) for values, spec in zip(chosen, specs, strict=True)]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or lengths == {0}:
        raise CellFailure(ERROR, f"{path}: the arrays must have the same number of samples, at least one")
    names = [spec.name for spec in specs]
    return [dict(zip(names, sample, strict=True)) for sample in _samples(columns)]


def _samples(columns: list[NDArray[Any]]) -> list[list[NDArray[Any]]]:
    return [[column[index : index + 1] for column in columns] for index in range(len(columns[0]))]


def _typed(values: NDArray[Any], spec: InputSpec, path: str) -> NDArray[Any]:
    import numpy as np

    shape = (1, *values.shape[1:])
    if len(shape) != len(spec.shape) or any(
        want is not None and have != want for have, want in zip(shape, spec.shape, strict=True)
    ):
        want = "×".join("?" if size is None else str(size) for size in spec.shape)
        have = "×".join(str(size) for size in shape)
        raise CellFailure(ERROR, f"{path}: a sample for input {spec.name!r} is {have}, but the model wants {want}")
    wanted = np.dtype(spec.dtype)
    if values.dtype == wanted:
        return np.ascontiguousarray(values)
    if not np.can_cast(values.dtype, wanted, "same_kind") or not _keeps_integers(values, wanted):
        raise CellFailure(
            ERROR, f"{path}: input {spec.name!r} is {values.dtype}, which cannot become the model's {wanted} unchanged"
        )
    return np.ascontiguousarray(values, wanted)


def _keeps_integers(values: NDArray[Any], wanted: np.dtype[Any]) -> bool:
    return wanted.kind not in "iu" or bool((values.astype(wanted) == values).all())
