"""Parameters and multiply-accumulates of a TFLite file: from its stored tensors and the shapes that it keeps; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .costs import Costs, Macs, Shapes, Weights, summed
from .tflite_graph import TfliteGraph, TfliteOperator, TfliteTensor, read_tflite_graph

_CUSTOM = 32
_FIRST_STABLEHLO = 160  # the operators from here on are another dialect's: convolutions and products among them
# Multiply, too, and are not counted here.
_UNCOUNTED = {
    16: "LSTM", 24: "RNN", 27: "SVDF", 31: "CALL", 35: "UNIDIRECTIONAL_SEQUENCE_RNN",
    44: "UNIDIRECTIONAL_SEQUENCE_LSTM", 46: "BIDIRECTIONAL_SEQUENCE_RNN", 52: "BIDIRECTIONAL_SEQUENCE_LSTM",
    118: "IF", 119: "WHILE", 131: "RFFT2D", 132: "CONV_3D", 141: "CONV_3D_TRANSPOSE",
}  # fmt: skip
_BIAS_SLOT = {3: 2, 4: 2, 9: 2, 67: 3}  # int32 beside 8-bit weights
_FLOATS = {"float16": np.float16, "float32": np.float32, "float64": np.float64}
_INTEGERS = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "int32": np.int32, "int64": np.int64}

Sizes = tuple[int, ...]


class _Known:
    """The shapes of an operator's tensors; LookupError where one is left out or free."""

    def __init__(self, operator: TfliteOperator, graph: TfliteGraph) -> None:
        self.operator = operator
        self._tensors = graph.tensors

    def input(self, slot: int) -> Sizes:
        return self._sizes(self.operator.inputs[slot])

    @property
    def output(self) -> Sizes:
        return self._sizes(self.operator.outputs[0])

    def flag(self, number: int) -> bool:
        """A setting that is on or off, off where it is left out."""
        options = self.operator.options
        at = None if options is None else options.field(number)
        return options is not None and at is not None and options.data[at] != 0

    def _sizes(self, index: int) -> Sizes:
        if index < 0:
            raise LookupError("an input that is left out")
        first, *others = self._tensors[index].shape or (1,)
        sizes = (1 if first is None else first, *others)  # a free first dimension counts samples
        known = tuple(size for size in sizes if size is not None)
        if len(known) < len(sizes):
            raise LookupError("a free size")
        return known


def _convolution(known: _Known) -> int:
    return prod(known.output) * prod(known.input(1)[1:])  # weights [C out, height, width, C in / group]


def _depthwise(known: _Known) -> int:
    return prod(known.output) * prod(known.input(1)[1:3])  # weights [1, height, width, C out]


def _fully_connected(known: _Known) -> int:
    return prod(known.output) * known.input(1)[-1]  # weights [units, inputs]


def _transposed(known: _Known) -> int:
    # Inputs: output shape, weights [C out, height, width, C in], values [1, height, width, C in].
    return prod(known.input(2)) * prod(known.input(1)[:3])


def _batch_matmul(known: _Known) -> int:
    adjoint = known.flag(0)  # adj_x
    return prod(known.output) * known.input(0)[-2 if adjoint else -1]


_COUNTED: Mapping[int, tuple[str, Callable[[_Known], int]]] = {
    3: ("CONV_2D", _convolution),
    4: ("DEPTHWISE_CONV_2D", _depthwise),
    9: ("FULLY_CONNECTED", _fully_connected),
    67: ("TRANSPOSE_CONV", _transposed),
    126: ("BATCH_MATMUL", _batch_matmul),
}


def tflite_costs(content: bytes, shapes: Shapes, *, where: str) -> Costs:
    """Count a TFLite file. Raises ModelError where it is damaged.

    A file keeps the shapes of its inner tensors for its own input shapes only: with other ones in `shapes`, or free
    sizes beyond the first, MACs are not counted.
    """
    graph = read_tflite_graph(content, where=where)
    return summed(_stored(graph), _macs(graph, fits=_fits(graph, shapes)))


def _fits(graph: TfliteGraph, shapes: Shapes) -> bool:
    tensors = [graph.tensors[index] for index in graph.inputs]
    free = any(None in tensor.shape[1:] for tensor in tensors)
    other = any(tuple(shapes.get(tensor.name, ()))[1:] not in ((), tensor.shape[1:]) for tensor in tensors)
    return not free and not other


def _macs(graph: TfliteGraph, *, fits: bool) -> Iterator[Macs]:
    for operator in graph.operators:
        if operator.code in _COUNTED:
            name, count = _COUNTED[operator.code]
            try:
                macs = count(_Known(operator, graph)) if fits else None
            except LookupError:
                macs = None
            yield Macs(op=name, macs=macs, why="" if macs is not None else "its shapes are not known before it runs")
        elif operator.code in _UNCOUNTED:
            yield Macs(op=_UNCOUNTED[operator.code], macs=None, why="its multiplications are not counted")
        elif operator.code == _CUSTOM or operator.code >= _FIRST_STABLEHLO:
            name = operator.custom or f"operator {operator.code}"
            yield Macs(op=name, macs=None, why="an operator that is not known here")


def _stored(graph: TfliteGraph) -> Iterator[Weights]:
    """Every stored tensor of parameters, a buffer that several tensors share once."""
    biases = {
        operator.inputs[slot]
        for operator in graph.operators
        if (slot := _BIAS_SLOT.get(operator.code)) is not None and slot < len(operator.inputs)
    }
    weights = {index for operator in graph.operators if operator.code in _COUNTED for index in operator.inputs[:4]}
    used = {index for operator in graph.operators for index in operator.inputs if index >= 0}
    seen: set[int] = set()
    for index in sorted(used):
        tensor = graph.tensors[index]
        if tensor.data is None or tensor.buffer in seen or not _is_weight(tensor, bias=index in biases):
            continue
        size = prod(size or 1 for size in tensor.shape)
        if size > 1 or index in weights:  # elsewhere one number is a constant of arithmetic
            seen.add(tensor.buffer)
            yield Weights(dtype=tensor.dtype, parameters=size, nonzero=_nonzero(tensor, tensor.data))


def _is_weight(tensor: TfliteTensor, *, bias: bool) -> bool:
    if tensor.dtype in _FLOATS or tensor.dtype == "bfloat16":
        return True
    return bias or (tensor.quantized and tensor.dtype in ("int8", "uint8", "int16", "int4"))


def _nonzero(tensor: TfliteTensor, data: memoryview) -> int:
    values = _values(tensor, data)
    zeros = tensor.zero_points
    if not any(zeros):
        return int(np.count_nonzero(values))
    if len(zeros) == 1 or tensor.sparse:
        return int(np.count_nonzero(values != zeros[0]))
    shape = [-1 if axis == tensor.axis else 1 for axis in range(len(tensor.shape))]
    return int(np.count_nonzero(values.reshape([size or 1 for size in tensor.shape]) != np.reshape(zeros, shape)))


def _values(tensor: TfliteTensor, data: memoryview) -> NDArray[Any]:
    """The stored values, flat. Of bfloat16 only the bits, of which the sign says nothing of zero."""
    if tensor.dtype == "bfloat16":
        return np.frombuffer(data, np.uint16) & 0x7FFF
    if tensor.dtype == "int4":  # two in a byte, the lower half first
        halves = np.frombuffer(data, np.uint8)
        both = np.stack([halves & 0x0F, halves >> 4], axis=-1).reshape(-1).astype(np.int8)
        signed = np.where(both > 7, both - 16, both)
        return signed[: prod(size or 1 for size in tensor.shape)]
    dtypes: Mapping[str, Any] = {**_FLOATS, **_INTEGERS}
    return np.frombuffer(data, dtypes[tensor.dtype])
