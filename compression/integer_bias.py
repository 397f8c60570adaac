"""Biases as 32-bit integers: onnxruntime computes a convolution in integers only if its bias is one too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .task import Array

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_WITH_BIAS = ("Conv", "Gemm")
_INT32 = np.iinfo(np.int32)


def with_integer_biases(proto: ModelProto) -> ModelProto:
    """Return the model with each float bias of a layer whose input and weights are quantized turned into int32.

    Its scale is the input's times the weights' (one a channel), its zero point 0: so it is added to the sum of products
    as it stands. A bias that several layers share, or that would not fit 32 bits, is left alone.
    """
    made = type(proto)()
    made.CopyFrom(proto)
    graph = _Graph(made)
    before: list[NodeProto] = []
    for node in made.graph.node:
        if node.op_type in _WITH_BIAS and len(node.input) == 3:
            before.extend(graph.quantized_bias(node))
        before.append(node)
    nodes = [type(node).FromString(node.SerializeToString()) for node in before]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    graph.drop_unused()
    return made


class _Graph:
    """The tensors of a model by name, and what is done to them."""

    def __init__(self, proto: ModelProto) -> None:
        self._graph = proto.graph
        self._stored = {tensor.name: tensor for tensor in proto.graph.initializer}
        self._producers = {name: node for node in proto.graph.node for name in node.output}
        self._uses = [name for node in proto.graph.node for name in node.input]

    def quantized_bias(self, node: NodeProto) -> list[NodeProto]:
        """Point the layer at an integer bias; return the DequantizeLinear that makes it a float, or nothing."""
        from onnx import helper, numpy_helper

        name = node.input[2]
        scale = self._bias_scale(node)
        if scale is None or name not in self._stored or self._uses.count(name) != 1:
            return []
        bias = numpy_helper.to_array(self._stored[name]).astype(np.float64)
        if bias.ndim != 1 or scale.size not in (1, bias.size):
            return []
        scale = np.broadcast_to(scale, bias.shape)
        rounded = np.rint(bias / scale)
        if np.abs(rounded).max(initial=0) > _INT32.max:
            return []
        parts = {
            f"{name}_int32": rounded.astype(np.int32),
            f"{name}_scale": scale.astype(np.float32),
            f"{name}_zero": np.zeros(bias.shape, np.int32),
        }
        self._graph.initializer.extend(numpy_helper.from_array(values, key) for key, values in parts.items())
        node.input[2] = f"{name}_float"
        return [helper.make_node("DequantizeLinear", list(parts), [node.input[2]], name=f"{name}_dequantize", axis=0)]

    def _bias_scale(self, node: NodeProto) -> Array | None:
        """Return scale of the input x scale of the weights; None where one of them is no quantized tensor."""
        from onnx import numpy_helper

        scales: list[Array] = []
        for name in node.input[:2]:
            producer = self._producers.get(name)
            if producer is None or producer.op_type != "DequantizeLinear" or producer.input[1] not in self._stored:
                return None
            scales.append(numpy_helper.to_array(self._stored[producer.input[1]]).astype(np.float64).ravel())
        return scales[0] * scales[1] if scales[0].size == 1 and scales[1].min(initial=1) > 0 else None

    def drop_unused(self) -> None:
        """Remove the float biases that nothing reads any more."""
        used = {name for node in self._graph.node for name in node.input}
        used |= {value.name for value in self._graph.output}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        copies = [type(tensor).FromString(tensor.SerializeToString()) for tensor in kept]
        del self._graph.initializer[:]
        self._graph.initializer.extend(copies)
