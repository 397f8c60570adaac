"""Parameters and multiply-accumulates of an ONNX file: from its stored tensors and its inferred shapes; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from .costs import Costs, Macs, Shapes, summed
from .costs_shapes import known_shapes
from .costs_weights import stored_weights
from .errors import ModelError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Multiply, too, and are not counted here: recurrent operators, contractions of any form, graphs inside operators.
_UNCOUNTED = frozenset(
    {"LSTM", "GRU", "RNN", "Einsum", "Attention", "MultiHeadAttention", "DeformConv", "If", "Loop", "Scan", "DFT"}
    | {"DynamicQuantizeLSTM", "QAttention", "LinearAttention", "CausalConvWithState", "STFT"}
)
# Of other domains these only move or scale values; any other operator of theirs may multiply.
_HARMLESS = ("QLinear", "Quantize", "Dequantize", "Bias", "Skip", "Reorder", "Nhwc")
_HARMLESS_NAMES = frozenset({"Gelu", "FastGelu", "QuickGelu", "LayerNormalization", "SimplifiedLayerNormalization"})
_STANDARD = ("", "ai.onnx", "ai.onnx.ml")

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A node whose shapes are looked up; an unknown one raises LookupError."""

    node: NodeProto
    shapes: Mapping[str, Shape]

    def input(self, slot: int) -> Shape:
        return self.shapes[self.node.input[slot]]

    @property
    def output(self) -> Shape:
        return self.shapes[self.node.output[0]]

    def whole(self, name: str) -> int:
        return next((int(a.i) for a in self.node.attribute if a.name == name), 0)


def _conv(weights: int) -> Callable[[_Known], int]:
    # Every output value is a sum over the kernel and the input channels of its group: weights are [C out, C in / group,
    # kernel...].
    return lambda known: prod(known.output) * prod(known.input(weights)[1:])


def _conv_transpose(known: _Known) -> int:
    # Every input value goes into the kernel of each output channel of its group: [C in, C out / group, kernel...].
    return prod(known.input(0)) * prod(known.input(1)[1:])


def _matmul(first: int = 0, transposed: str = "transA") -> Callable[[_Known], int]:
    def count(known: _Known) -> int:
        shape = known.input(first)
        inner = shape[-2] if known.whole(transposed) else shape[-1]
        return prod(known.output) * inner

    return count


_COUNTED: Mapping[str, Callable[[_Known], int]] = {
    "Conv": _conv(1),
    "FusedConv": _conv(1),
    "NhwcFusedConv": _conv(1),
    "ConvInteger": _conv(1),
    "QLinearConv": _conv(3),
    "ConvTranspose": _conv_transpose,
    "Gemm": _matmul(),
    "FusedGemm": _matmul(),
    "QGemm": _matmul(),
    "MatMul": _matmul(),
    "FusedMatMul": _matmul(),
    "QLinearMatMul": _matmul(),
    "MatMulInteger": _matmul(),
    "MatMulIntegerToFloat": _matmul(),
    "DynamicQuantizeMatMul": _matmul(),
    "MatMulNBits": lambda known: prod(known.output) * known.whole("K"),
}


def onnx_costs(content: bytes, shapes: Shapes, *, where: str) -> Costs:
    """Count an ONNX file. Raises ModelError where it is none."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    proto = ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        raise ModelError(f"{where} is not an ONNX file, or it is cut off or damaged.") from error
    return proto_costs(proto, shapes)


def proto_costs(proto: ModelProto, shapes: Shapes) -> Costs:
    """Count an ONNX model with its weights inside; the message stays as it is."""
    if proto.functions:
        from onnx.inliner import inline_local_functions

        proto = inline_local_functions(proto)
    return summed(stored_weights(proto.graph), _macs(proto, known_shapes(proto, shapes)))


def _macs(proto: ModelProto, shapes: Mapping[str, Shape]) -> Iterator[Macs]:
    for node in proto.graph.node:
        count = _COUNTED.get(node.op_type)
        if count is not None:
            yield _counted(node, count, shapes)
        elif node.op_type in _UNCOUNTED:
            yield Macs(op=node.op_type, macs=None, why="its multiplications are not counted")
        elif node.domain not in _STANDARD and not _harmless(node.op_type):
            yield Macs(op=f"{node.domain}.{node.op_type}", macs=None, why="an operator that is not known here")


def _harmless(op: str) -> bool:
    return op in _HARMLESS_NAMES or op.startswith(_HARMLESS)


def _counted(node: NodeProto, count: Callable[[_Known], int], shapes: Mapping[str, Shape]) -> Macs:
    try:
        return Macs(op=node.op_type, macs=count(_Known(node, shapes)))
    except LookupError:
        return Macs(op=node.op_type, macs=None, why="its shapes are not known before it runs")
