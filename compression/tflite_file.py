"""Read the inputs and outputs of a .tflite file without a TFLite runtime.

A .tflite file is a FlatBuffer with the identifier `TFL3`. Field numbers are those of TensorFlow Lite's `schema.fbs`
(tensorflow/compiler/mlir/lite/schema/schema.fbs); the encoding of tables, vectors and offsets is that of FlatBuffers
(https://flatbuffers.dev/internals/). All reads are checked against the file's end, as the file comes from outside.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .errors import ModelError
from .tensor import TensorSpec

IDENTIFIER = b"TFL3"

# enum TensorType in schema.fbs
DTYPES = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool", 7: "int16", 8: "complex64",
    9: "int8", 10: "float64", 11: "complex128", 12: "uint64", 15: "uint32", 16: "uint16", 17: "int4", 18: "bfloat16",
}  # fmt: skip

_SUBGRAPHS = 2  # table Model
_TENSORS, _INPUTS, _OUTPUTS = 0, 1, 2  # table SubGraph
_SHAPE, _TYPE, _NAME, _SHAPE_SIGNATURE = 0, 1, 3, 7  # table Tensor


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a FlatBuffer: `at` is its position in `data`. Reads raise struct.error outside the file."""

    data: bytes
    at: int

    def field(self, number: int) -> int | None:
        """Return where a field's value lies, None where the table leaves it out."""
        vtable = self.at - read_scalar(self.data, "<i", self.at)
        entry = 4 + 2 * number
        if entry >= read_scalar(self.data, "<H", vtable):
            return None
        offset = read_scalar(self.data, "<H", vtable + entry)
        return self.at + offset if offset else None

    def vector(self, number: int) -> tuple[int, int]:
        """Return (position of the first element, length) of a vector or string; length 0 where it is left out."""
        at = self.field(number)
        if at is None:
            return 0, 0
        start = at + read_scalar(self.data, "<I", at)
        return start + 4, read_scalar(self.data, "<I", start)

    def ints(self, number: int) -> tuple[int, ...]:
        """Return a vector of 32-bit integers."""
        start, length = self.vector(number)
        if start + 4 * length > len(self.data):
            raise struct.error("a vector ends behind the file")
        return struct.unpack_from(f"<{length}i", self.data, start)

    def tables(self, number: int) -> list[Table]:
        """Return a vector of tables."""
        start, length = self.vector(number)
        if start + 4 * length > len(self.data):
            raise struct.error("a vector ends behind the file")
        positions = range(start, start + 4 * length, 4)
        return [Table(self.data, at + read_scalar(self.data, "<I", at)) for at in positions]

    def text(self, number: int) -> str:
        """Return a string."""
        start, length = self.vector(number)
        return self.data[start : start + length].decode("utf-8", "replace")


def read_scalar(data: bytes, layout: str, at: int) -> int:
    """Return one integer of `struct`'s `layout`. Raises struct.error outside the file."""
    if at < 0:
        raise struct.error("an offset points before the file")
    return int(struct.unpack_from(layout, data, at)[0])


def is_tflite(head: bytes) -> bool:
    """Whether a file that begins with these bytes (8 at least) calls itself TFLite."""
    return head[4:8] == IDENTIFIER


def read_tflite(data: bytes, *, where: str) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return (inputs, outputs) of the first subgraph. Raises ModelError where the file is damaged."""
    try:
        subgraphs = Table(data, read_scalar(data, "<I", 0)).tables(_SUBGRAPHS)
        graph = subgraphs[0]
        tensors = graph.tables(_TENSORS)
        return _specs(tensors, graph.ints(_INPUTS)), _specs(tensors, graph.ints(_OUTPUTS))
    except (struct.error, IndexError) as error:
        raise ModelError(f"{where} is a damaged TFLite file: its tables point outside the file.") from error


def _specs(tensors: list[Table], indices: tuple[int, ...]) -> tuple[TensorSpec, ...]:
    if any(index < 0 for index in indices):
        raise IndexError(indices)
    return tuple(_spec(tensors[index]) for index in indices)


def _spec(tensor: Table) -> TensorSpec:
    # A signature of -1 marks a free dimension that `shape` fills with 1.
    shape = tensor.ints(_SHAPE_SIGNATURE) or tensor.ints(_SHAPE)
    at = tensor.field(_TYPE)
    code = 0 if at is None else read_scalar(tensor.data, "<b", at)  # a FlatBuffer leaves out a field at its default
    return TensorSpec(
        name=tensor.text(_NAME),
        shape=tuple(None if size < 0 else size for size in shape),
        dtype=DTYPES.get(code, f"type {code}"),
    )
