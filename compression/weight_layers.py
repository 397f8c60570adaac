"""Layers of an ONNX graph: operators with stored weights, and what a quantizer joins to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_JOINED = ("Relu", "Clip")


def weight_layers(graph: GraphProto) -> dict[str, tuple[str, ...]]:
    """Return the operators with stored weights, in the model's order, and the names of what belongs to each.

    That is the operator itself and the Relu behind it: the quantizer joins the two and stores only what the Relu
    leaves; apart, it would round the values in front of the Relu too, whose range may be a hundred times wider. A
    product of two activations is no layer.
    """
    stored = {tensor.name for tensor in graph.initializer}
    results = {value.name for value in graph.output}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found: dict[str, tuple[str, ...]] = {}
    for node in graph.node:
        if node.op_type in WITH_WEIGHTS and stored.intersection(node.input):
            after = readers.get(node.output[0], [])
            joined = len(after) == 1 and after[0].op_type in _JOINED and node.output[0] not in results
            found[node.name] = (node.name, after[0].name) if joined else (node.name,)
    return found
