"""The tensors, weights and operators of the first graph of a .tflite file, as tables without a runtime.

Field and operator numbers are those of TensorFlow Lite's `schema.fbs`; see `tflite_file.py`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .errors import ModelError
from .tflite_file import DTYPES, Table, read_scalar

_OPERATOR_CODES, _SUBGRAPHS, _BUFFERS = 1, 2, 4  # table Model
_TENSORS, _INPUTS, _OPERATORS = 0, 1, 3  # table SubGraph
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTIZATION, _SPARSITY, _SIGNATURE = 0, 1, 2, 3, 4, 6, 7  # table Tensor
_SCALE, _ZERO_POINT, _AXIS = 2, 3, 6  # table QuantizationParameters
_OLD_CODE, _CUSTOM_CODE, _CODE = 0, 1, 3  # table OperatorCode
_OPCODE_INDEX, _OP_INPUTS, _OP_OUTPUTS, _OPTIONS = 0, 1, 2, 4  # table Operator
_DATA, _OFFSET, _SIZE = 0, 1, 2  # table Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteTensor:
    """A tensor: None sizes are free. `data` are its stored bytes, None where it is computed; `quantized` says that it
    has scales. A `sparse` tensor stores only part of its values, the others are zero."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    buffer: int
    data: memoryview | None
    quantized: bool
    zero_points: tuple[int, ...]
    axis: int
    sparse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteOperator:
    """An operator by its number in `BuiltinOperator`; `custom` names one that the file's author made. `inputs` and
    `outputs` index the tensors, -1 = left out. `options` are its settings, None where it has none."""

    code: int
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteGraph:
    """The first graph of a file."""

    tensors: tuple[TfliteTensor, ...]
    inputs: tuple[int, ...]
    operators: tuple[TfliteOperator, ...]


def read_tflite_graph(data: bytes, *, where: str) -> TfliteGraph:
    """Read the first graph. Raises ModelError where the file is damaged."""
    try:
        model = Table(data, read_scalar(data, "<I", 0))
        graph = model.tables(_SUBGRAPHS)[0]
        codes, buffers = model.tables(_OPERATOR_CODES), model.tables(_BUFFERS)
        return TfliteGraph(
            tensors=tuple(_tensor(table, buffers) for table in graph.tables(_TENSORS)),
            inputs=graph.ints(_INPUTS),
            operators=tuple(_operator(table, codes) for table in graph.tables(_OPERATORS)),
        )
    except (struct.error, IndexError) as error:
        raise ModelError(f"{where} is a damaged TFLite file: its tables point outside the file.") from error


def _tensor(table: Table, buffers: list[Table]) -> TfliteTensor:
    shape = table.ints(_SIGNATURE) or table.ints(_SHAPE)
    buffer = _scalar(table, _BUFFER, "<I")
    code = _scalar(table, _TYPE, "<b")
    at = table.field(_QUANTIZATION)
    scales = 0
    zero_points: tuple[int, ...] = ()
    axis = 0
    if at is not None:
        quantization = Table(table.data, at + read_scalar(table.data, "<I", at))
        scales = quantization.vector(_SCALE)[1]
        zero_points = _longs(quantization, _ZERO_POINT)
        axis = _scalar(quantization, _AXIS, "<i")
    return TfliteTensor(
        name=table.text(_NAME),
        shape=tuple(None if size < 0 else size for size in shape),
        dtype=DTYPES.get(code, f"type {code}"),
        buffer=buffer,
        data=_content(buffers[buffer]),
        quantized=scales > 0,
        zero_points=zero_points,
        axis=axis,
        sparse=table.field(_SPARSITY) is not None,
    )


def _operator(table: Table, codes: list[Table]) -> TfliteOperator:
    code = codes[_scalar(table, _OPCODE_INDEX, "<I")]
    at = table.field(_OPTIONS)
    return TfliteOperator(
        # Numbers up to 126 stand in the old field, too; later ones only in the new one, with 127 in the old.
        code=max(_scalar(code, _OLD_CODE, "<b"), _scalar(code, _CODE, "<i")),
        custom=code.text(_CUSTOM_CODE),
        inputs=table.ints(_OP_INPUTS),
        outputs=table.ints(_OP_OUTPUTS),
        options=None if at is None else Table(table.data, at + read_scalar(table.data, "<I", at)),
    )


def _content(buffer: Table) -> memoryview | None:
    start, length = buffer.vector(_DATA)
    offset = _scalar(buffer, _OFFSET, "<Q")
    if offset > 1:  # files of more than 2 GB keep their weights behind the tables
        start, length = offset, _scalar(buffer, _SIZE, "<Q")
    if start + length > len(buffer.data):
        raise struct.error("a buffer ends behind the file")
    return memoryview(buffer.data)[start : start + length] if length else None


def _scalar(table: Table, number: int, layout: str) -> int:
    at = table.field(number)
    return 0 if at is None else read_scalar(table.data, layout, at)


def _longs(table: Table, number: int) -> tuple[int, ...]:
    start, length = table.vector(number)
    return tuple(read_scalar(table.data, "<q", start + 8 * index) for index in range(length))
