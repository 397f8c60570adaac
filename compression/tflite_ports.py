"""Read what else a .tflite file says: how its ports are quantized, which custom operators it wants.

See tflite_file.py for the encoding.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .errors import ModelError
from .tensor import TensorSpec
from .tflite_file import _INPUTS, _OUTPUTS, _SUBGRAPHS, _TENSORS, Table, read_scalar, read_tflite

_QUANTIZATION = 4  # table Tensor of schema.fbs
_SCALE, _ZERO_POINT = 2, 3  # table QuantizationParameters
_OPERATOR_CODES = 1  # table Model
_CUSTOM_CODE = 1  # table OperatorCode


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePort:
    """An input or output of a file: `value = scale * (stored - zero_point)`; a scale of 0 means plain values."""

    spec: TensorSpec
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePorts:
    """What a file takes and gives, in the file's order."""

    inputs: tuple[FilePort, ...]
    outputs: tuple[FilePort, ...]


def read_ports(data: bytes, *, where: str) -> FilePorts:
    """Return the ports of the first subgraph. Raises ModelError where the file is damaged."""
    inputs, outputs = read_tflite(data, where=where)
    try:
        graph = Table(data, read_scalar(data, "<I", 0)).tables(_SUBGRAPHS)[0]
        tensors = graph.tables(_TENSORS)
        return FilePorts(
            inputs=_ports(inputs, tensors, graph.ints(_INPUTS)), outputs=_ports(outputs, tensors, graph.ints(_OUTPUTS))
        )
    except (struct.error, IndexError) as error:
        raise ModelError(f"{where} is a damaged TFLite file: its tables point outside the file.") from error


def custom_operators(data: bytes, *, where: str) -> tuple[str, ...]:
    """Return the names of the operators that are not TensorFlow Lite's own. Raises ModelError for a damaged file."""
    try:
        codes = Table(data, read_scalar(data, "<I", 0)).tables(_OPERATOR_CODES)
        return tuple(name for code in codes if (name := code.text(_CUSTOM_CODE)))
    except struct.error as error:
        raise ModelError(f"{where} is a damaged TFLite file: its tables point outside the file.") from error


def _ports(specs: tuple[TensorSpec, ...], tensors: list[Table], indices: tuple[int, ...]) -> tuple[FilePort, ...]:
    found: list[FilePort] = []
    for spec, index in zip(specs, indices, strict=True):
        scale, zero_point = _quantization(tensors[index])
        found.append(FilePort(spec=spec, scale=scale, zero_point=zero_point))
    return tuple(found)


def _quantization(tensor: Table) -> tuple[float, int]:
    at = tensor.field(_QUANTIZATION)
    if at is None:
        return 0.0, 0
    table = Table(tensor.data, at + read_scalar(tensor.data, "<I", at))
    scales_at, scales = table.vector(_SCALE)
    zeros_at, zeros = table.vector(_ZERO_POINT)
    if scales != 1:  # none: plain values; several belong to weights, never to an input or output
        return 0.0, 0
    scale: float = struct.unpack_from("<f", tensor.data, scales_at)[0]
    return scale, read_scalar(tensor.data, "<q", zeros_at) if zeros else 0
