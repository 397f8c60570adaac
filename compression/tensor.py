"""What a model takes and gives: names, shapes and types, for every file format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output: `shape` has one entry a dimension, None where the file leaves it free; numpy's `dtype`."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: without the first dimension, which counts samples."""
        return tuple(1 if size is None else size for size in self.shape[1:])


def with_declared_shapes(
    inputs: Sequence[TensorSpec], declared: Mapping[str, Sequence[int]], *, where: str
) -> tuple[TensorSpec, ...]:
    """Fill free dimensions from what the user declared, one full shape an input name.

    Samples go in one at a time, so the first dimension must be free or 1. Any other free dimension must be declared.
    Raises ModelError.
    """
    names = [spec.name for spec in inputs]
    for name in declared:
        if name not in names:
            raise ModelError(f"{where} has no input `{name}`; its inputs are {', '.join(names)}.")
    return tuple(_filled(spec, declared.get(spec.name), where) for spec in inputs)


def _filled(spec: TensorSpec, declared: Sequence[int] | None, where: str) -> TensorSpec:
    shape = spec.shape
    if not shape:
        raise ModelError(
            f"Input `{spec.name}` of {where} has no shape or is a scalar; its first dimension must count samples."
        )
    if declared is not None:
        shape = _merged(spec, declared, where)
    if shape[0] not in (None, 1):
        raise ModelError(
            f"Input `{spec.name}` of {where} takes {shape[0]} samples at once; boards run one at a time: export the "
            "model with a free first dimension or with 1."
        )
    if None in shape[1:]:
        example = [size or 224 for size in (1, *shape[1:])]
        raise ModelError(
            f"Input `{spec.name}` of {where} has the shape {shown(spec.shape)}: declare its free sizes, for example "
            f"`input_shapes: {{{spec.name}: {example}}}` in the plan."
        )
    return replace(spec, shape=shape)


def _merged(spec: TensorSpec, declared: Sequence[int], where: str) -> tuple[int | None, ...]:
    fits = len(declared) == len(spec.shape) and all(
        new >= 1 and old in (None, new) for old, new in zip(spec.shape, declared, strict=True)
    )
    if not fits:
        raise ModelError(
            f"The shape {list(declared)} declared for input `{spec.name}` does not fit {shown(spec.shape)} of {where}."
        )
    return (spec.shape[0], *declared[1:])


def shown(shape: Sequence[int | None]) -> str:
    """Return a shape as people write it, `?` where it is free."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
