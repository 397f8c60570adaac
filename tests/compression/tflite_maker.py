"""Small .tflite files, table by table: what a converter would never write is made here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np


@dataclass(frozen=True)
class Tensor:
    shape: tuple[int, ...]
    kind: int = 0  # 0 float32, 1 float16, 2 int32, 9 int8, 17 int4
    values: np.ndarray[Any, Any] | None = None
    signature: tuple[int, ...] = ()
    zero_points: tuple[int, ...] | None = None
    axis: int = 0


@dataclass(frozen=True)
class Operator:
    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    flag: bool | None = None  # its first setting, a boolean


def tflite(tensors: Sequence[Tensor], operators: Sequence[Operator], inputs: Sequence[int] = (0,)) -> bytes:
    """A model of one graph."""
    out = flatbuffers.Builder(1024)
    buffers = [_table(out, {})] + [_table(out, {0: ("offset", _bytes(out, t.values))}) for t in tensors]
    made = [_tensor(out, tensor, number + 1) for number, tensor in enumerate(tensors)]
    nodes = [
        _table(
            out,
            {
                0: ("uint32", number),
                1: ("offset", _ints(out, operator.inputs)),
                2: ("offset", _ints(out, operator.outputs)),
                4: ("offset", None if operator.flag is None else _table(out, {0: ("bool", operator.flag)})),
            },
        )
        for number, operator in enumerate(operators)
    ]
    codes = [_table(out, {0: ("int8", min(one.code, 127)), 3: ("int32", one.code)}) for one in operators]
    graph = _table(
        out,
        {0: ("offset", _offsets(out, made)), 1: ("offset", _ints(out, inputs)), 3: ("offset", _offsets(out, nodes))},
    )
    model = _table(
        out,
        {
            1: ("offset", _offsets(out, codes)),
            2: ("offset", _offsets(out, [graph])),
            4: ("offset", _offsets(out, buffers)),
        },
    )
    out.Finish(model, file_identifier=b"TFL3")
    return bytes(out.Output())


def _tensor(out: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    quantization = None
    if tensor.zero_points is not None:
        scales, zeros = _floats(out, len(tensor.zero_points)), _longs(out, tensor.zero_points)
        quantization = _table(out, {2: ("offset", scales), 3: ("offset", zeros), 6: ("int32", tensor.axis)})
    signature = _ints(out, tensor.signature) if tensor.signature else None
    fields = {
        0: ("offset", _ints(out, tensor.shape)),
        1: ("int8", tensor.kind),
        2: ("uint32", buffer),
        4: ("offset", quantization),
        7: ("offset", signature),
    }
    return _table(out, fields)


def _table(out: flatbuffers.Builder, fields: dict[int, tuple[str, int | None]]) -> int:
    out.StartObject(8)
    for number, (kind, value) in fields.items():
        if value is None:
            continue
        match kind:
            case "offset":
                out.PrependUOffsetTRelativeSlot(number, value, 0)
            case "int8":
                out.PrependInt8Slot(number, value, 0)
            case "int32":
                out.PrependInt32Slot(number, value, 0)
            case "bool":
                out.PrependBoolSlot(number, bool(value), 0)
            case _:
                out.PrependUint32Slot(number, value, 0)
    return out.EndObject()


def _vector(out: flatbuffers.Builder, size: int, values: Sequence[int], write: Callable[[int], None]) -> int:
    out.StartVector(size, len(values), size)
    for value in reversed(values):
        write(value)
    return out.EndVector()


def _ints(out: flatbuffers.Builder, values: Sequence[int]) -> int:
    return _vector(out, 4, values, out.PrependInt32)


def _longs(out: flatbuffers.Builder, values: Sequence[int]) -> int:
    return _vector(out, 8, values, out.PrependInt64)


def _floats(out: flatbuffers.Builder, number: int) -> int:
    return _vector(out, 4, [1] * number, out.PrependFloat32)


def _offsets(out: flatbuffers.Builder, values: Sequence[int]) -> int:
    return _vector(out, 4, values, out.PrependUOffsetTRelative)


def _bytes(out: flatbuffers.Builder, values: np.ndarray[Any, Any] | None) -> int | None:
    return None if values is None else out.CreateByteVector(values.tobytes())
