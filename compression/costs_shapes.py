"""The shape of every tensor of an ONNX graph for one sample, as far as it is known before it runs; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .costs import Shapes
from .costs_fold import fold_sizes, forget_weights

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

# onnx infers nothing through ONNX Runtime's own operators. Those that keep the shape rules of a standard one stand for
# it while shapes are inferred: which operator, and the slots of the values among scales and zero points.
_STAND_FOR: dict[str, tuple[str, slice]] = {
    "QLinearAdd": ("Add", slice(0, 6, 3)),
    "QLinearMul": ("Mul", slice(0, 6, 3)),
    "QLinearSigmoid": ("Identity", slice(0, 1)),
    "QLinearLeakyRelu": ("Identity", slice(0, 1)),
    "QLinearSoftmax": ("Identity", slice(0, 1)),
    "QLinearAveragePool": ("AveragePool", slice(0, 1)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", slice(0, 1)),
    "QLinearConcat": ("Concat", slice(2, None, 3)),
    "QuantizeLinear": ("Identity", slice(0, 1)),
    "DequantizeLinear": ("Identity", slice(0, 1)),
    "FusedConv": ("Conv", slice(0, 3)),
    "FusedGemm": ("Gemm", slice(0, 3)),
    "DynamicQuantizeMatMul": ("MatMul", slice(0, 2)),
    "MatMulIntegerToFloat": ("MatMul", slice(0, 2)),
    "QGemm": ("Gemm", slice(0, 6, 3)),
    "Gelu": ("Identity", slice(0, 1)),
    "FastGelu": ("Identity", slice(0, 1)),
    "QuickGelu": ("Identity", slice(0, 1)),
}
_KEPT_ATTRIBUTES = {
    "Conv": ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"),
    "AveragePool": ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"),
    "Concat": ("axis",),
    "Gemm": ("transA", "transB"),
}
_STANDARD = ("", "ai.onnx")
_MOST_ROUNDS = 50  # each works out at least one more size


def known_shapes(proto: ModelProto, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Tensor name -> shape, with the first dimension of each input 1; tensors of unknown shape are left out."""
    from onnx.shape_inference import InferenceError, infer_shapes

    whole = _plain_copy(proto, shapes)
    found = _said(whole)
    for _ in range(_MOST_ROUNDS):
        try:
            found |= _said(infer_shapes(whole, data_prop=True))
        except (InferenceError, ValueError):  # a graph that contradicts itself: then only what was known before
            return found
        if not fold_sizes(whole, found):
            return found
    return found


def _said(proto: ModelProto) -> dict[str, tuple[int, ...]]:
    graph = proto.graph
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    shapes = {value.name: _shape(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    return found | {name: shape for name, shape in shapes.items() if shape is not None}


def _plain_copy(proto: ModelProto, shapes: Shapes) -> ModelProto:
    """The model for one sample; what exporters noted of other shapes with free sizes is forgotten."""
    whole = type(proto)()
    whole.CopyFrom(proto)
    forget_weights(whole)
    graph = whole.graph
    stored = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in stored:
            _settle(value, shapes.get(value.name))
    noted = [value for value in graph.value_info if _shape(value) is not None]
    del graph.value_info[:]
    graph.value_info.extend(noted)
    for value in graph.output:
        if value.type.HasField("tensor_type") and _shape(value) is None:
            value.type.tensor_type.ClearField("shape")
    for node in graph.node:
        if node.domain not in _STANDARD and node.op_type in _STAND_FOR:
            _make_standard(node)
    return whole


def _settle(value: ValueInfoProto, declared: Sequence[int] | None) -> None:
    if not value.type.tensor_type.HasField("shape"):
        return
    for number, size in enumerate(value.type.tensor_type.shape.dim):
        if declared is not None and number < len(declared):
            size.dim_value = declared[number]
        if number == 0:
            size.dim_value = 1


def _make_standard(node: NodeProto) -> None:
    op, slots = _STAND_FOR[node.op_type]
    attributes = [a for a in node.attribute if a.name in _KEPT_ATTRIBUTES.get(op, ())]
    inputs = list(node.input)[slots]
    del node.input[:], node.attribute[:]
    node.input.extend(inputs)
    node.attribute.extend(attributes)
    node.op_type, node.domain = op, ""


def _shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    sizes = value.type.tensor_type.shape.dim
    if not all(size.HasField("dim_value") and size.dim_value >= 0 for size in sizes):
        return None
    return tuple(int(size.dim_value) for size in sizes)
