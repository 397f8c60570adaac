"""Which stored tensors of an ONNX graph are weights, and how many of them are zero; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .costs import Weights

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

# The slots of 8-bit operators: (weights and biases, their zero points by the slot of the weights). All other slots with
# stored tensors are scales and zero points.
_EIGHT_BIT: Mapping[str, tuple[frozenset[int], Mapping[int, int]]] = {
    "DequantizeLinear": (frozenset({0}), {0: 2}),
    "QLinearConv": (frozenset({0, 3, 8}), {0: 2, 3: 5}),
    "QLinearMatMul": (frozenset({0, 3}), {0: 2, 3: 5}),
    "ConvInteger": (frozenset({0, 1}), {0: 2, 1: 3}),
    "MatMulInteger": (frozenset({0, 1}), {0: 2, 1: 3}),
    "MatMulIntegerToFloat": (frozenset({0, 1, 6}), {0: 4, 1: 5}),
    "DynamicQuantizeMatMul": (frozenset({0, 1, 4}), {1: 3}),
    "QGemm": (frozenset({0, 3, 6}), {0: 2, 3: 5}),
    "QLinearAdd": (frozenset({0, 3}), {0: 2, 3: 5}),
    "QLinearMul": (frozenset({0, 3}), {0: 2, 3: 5}),
    "MatMulNBits": (frozenset({1, 5}), {}),
}
_SCALES_ONLY = frozenset({"QuantizeLinear", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearConcat"})
_NOT_WEIGHTS: Mapping[str, frozenset[int]] = {"Resize": frozenset({1, 2}), "Upsample": frozenset({1})}
# One number is a parameter of these; elsewhere it is a constant of arithmetic, such as a bound or an epsilon.
_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "InstanceNormalization", "PRelu"})


@dataclass(slots=True)
class _Use:
    """What a stored tensor is for: a weight in floats or integers, with the zero point of integers."""

    integers: bool = False
    layer: bool = False
    zero_point: str = ""
    axis: int = 0


@dataclass(slots=True)
class _Found:
    stored: dict[str, TensorProto] = field(default_factory=dict[str, "TensorProto"])
    uses: dict[str, _Use] = field(default_factory=dict[str, _Use])


def stored_weights(graph: GraphProto) -> Iterator[Weights]:
    """Yield every tensor of parameters once, those of graphs inside operators included."""
    found = _Found()
    _collect(graph, found)
    for name, use in found.uses.items():
        tensor = found.stored.get(name)
        if tensor is not None:
            yield from _weights(tensor, use, found.stored)


def _collect(graph: GraphProto, found: _Found) -> None:
    found.stored.update({tensor.name: tensor for tensor in graph.initializer})
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    found.stored[node.output[0]] = attribute.t
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _collect(inner, found)
        for slot, name in enumerate(node.input):
            _note_use(node, slot, name, found)


def _note_use(node: NodeProto, slot: int, name: str, found: _Found) -> None:
    if not name or slot in _NOT_WEIGHTS.get(node.op_type, ()) or node.op_type in _SCALES_ONLY:
        return
    if node.op_type not in _EIGHT_BIT:
        found.uses.setdefault(name, _Use()).layer |= node.op_type in _LAYERS
        return
    weights, zero_points = _EIGHT_BIT[node.op_type]
    if slot not in weights:
        return
    use = found.uses.setdefault(name, _Use())
    use.integers = use.layer = True
    zero_slot = zero_points.get(slot)
    if zero_slot is not None and zero_slot < len(node.input):
        use.zero_point = node.input[zero_slot]
        use.axis = _axis(node)


def _axis(node: NodeProto) -> int:
    """The axis of zero points that are one a channel: the output channels."""
    if node.op_type == "DequantizeLinear":
        return next((int(a.i) for a in node.attribute if a.name == "axis"), 1)
    return 0 if node.op_type in ("QLinearConv", "ConvInteger") else -1


def _weights(tensor: TensorProto, use: _Use, stored: Mapping[str, TensorProto]) -> Iterator[Weights]:
    values = _array(tensor)
    dtype = str(values.dtype)
    floats = "float" in dtype
    if not (floats or (use.integers and "int" in dtype)) or (values.size == 1 and not use.layer):
        return
    zero = None if floats or use.zero_point not in stored else _array(stored[use.zero_point])
    yield Weights(dtype=dtype, parameters=int(values.size), nonzero=_nonzero(values, zero, use.axis))


def _nonzero(values: NDArray[Any], zero: NDArray[Any] | None, axis: int) -> int:
    if zero is None or not zero.any():
        return int(np.count_nonzero(values))
    if zero.size == 1:
        return int(np.count_nonzero(values != zero.reshape(())))
    if zero.ndim == 1 and zero.size == values.shape[axis]:
        shape = [1] * values.ndim
        shape[axis] = -1
        return int(np.count_nonzero(values != zero.reshape(shape)))
    return int(np.count_nonzero(values))


def _array(tensor: TensorProto) -> NDArray[Any]:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)
