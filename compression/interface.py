"""What a converted file takes and gives, beside what the model takes and gives.

A converter may turn channels first into channels last, rename ports, reorder them, and a quantized file may want
integers. The model's own names, axes and types stay the language of data and tasks; this maps to the file and back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .errors import CompressionError
from .task import Array
from .tensor import TensorSpec
from .tflite_ports import FilePort, FilePorts


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One input or output: `name` in the model, `file_name` in the file.

    `axes` are those of the model in the file's order, samples first: (0, 2, 3, 1) makes NHWC of NCHW. `dtype` is the
    file's, `model_dtype` the model's. In a file of integers `value = scale * (stored - zero_point)`; a `scale` of 0
    means plain values.
    """

    name: str
    file_name: str
    axes: tuple[int, ...]
    dtype: str
    model_dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """All ports of a file, in the model's order. Arrays are [N, ...]."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def to_file(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the model's inputs as the file wants them: names, axes, type."""
        return {port.file_name: _stored(inputs[port.name], port) for port in self.inputs}

    def from_file(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the file's outputs as the model gives them, in the model's order."""
        return {port.name: _plain(outputs[port.file_name], port) for port in self.outputs}

    def as_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads."""
        return asdict(self)


def from_json(data: Mapping[str, Any]) -> Interface:
    """Return the interface that `as_json` wrote. Raises KeyError or TypeError for anything else."""
    return Interface(inputs=_from_json(data["inputs"]), outputs=_from_json(data["outputs"]))


def _from_json(ports: Sequence[Mapping[str, Any]]) -> tuple[Port, ...]:
    found: list[Port] = []
    for port in ports:
        values: dict[str, Any] = {**port, "axes": tuple(port["axes"])}
        found.append(Port(**values))
    return tuple(found)


def same(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Interface:
    """Return the interface of a file that takes and gives exactly what the model does."""
    return Interface(inputs=tuple(map(_same, inputs)), outputs=tuple(map(_same, outputs)))


def _same(spec: TensorSpec) -> Port:
    axes = tuple(range(len(spec.shape)))
    return Port(name=spec.name, file_name=spec.name, axes=axes, dtype=spec.dtype, model_dtype=spec.dtype)


def after_step(before: Interface, source: FilePorts, made: FilePorts) -> Interface:
    """Return the interface of the file `made` of `source` by a step that keeps the order and the axes of its ports.

    `before` describes the source. A quantizer renames an output, or makes it an integer. Raises CompressionError where
    the number of ports changed.
    """
    return Interface(
        inputs=_renewed(before.inputs, source.inputs, made.inputs),
        outputs=_renewed(before.outputs, source.outputs, made.outputs),
    )


def _renewed(ports: Sequence[Port], source: Sequence[FilePort], made: Sequence[FilePort]) -> tuple[Port, ...]:
    if len(source) != len(made):
        raise CompressionError(f"The step made {len(made)} inputs or outputs of {len(source)}.")
    by_name = {old.spec.name: new for old, new in zip(source, made, strict=True)}
    return tuple(bound(port, by_name[port.file_name]) for port in ports)


def bound(port: Port, file: FilePort) -> Port:
    """Return the port with the name, type and scale that it has in a file."""
    return replace(
        port, file_name=file.spec.name, dtype=file.spec.dtype, scale=file.scale, zero_point=file.zero_point
    )  # fmt: skip


def _stored(values: Array, port: Port) -> Array:
    turned = np.ascontiguousarray(np.transpose(values, port.axes))
    dtype = np.dtype(port.dtype)
    # What the user sends in the file's own integers is meant so: only real numbers are quantized.
    if port.scale == 0 or turned.dtype.kind != "f":
        return turned.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    steps = np.rint(turned.astype(np.float64) / port.scale) + port.zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def _plain(values: Array, port: Port) -> Array:
    if port.scale != 0 and np.dtype(port.model_dtype).kind == "f":
        values = (values.astype(np.float32) - np.float32(port.zero_point)) * np.float32(port.scale)
    turned = np.transpose(values, np.argsort(port.axes))
    return np.ascontiguousarray(turned.astype(port.model_dtype, copy=False))
