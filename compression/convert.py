"""Conversion to 16-bit floats."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from .errors import CompressionError, UnsupportedRecipeError
from .model import stored_tensors

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


FP16_MAX = 65504.0


def to_fp16(proto: ModelProto) -> tuple[ModelProto, tuple[str, ...]]:
    """Return (the model with weights and arithmetic in float16, notes); inputs and outputs keep float32.

    The conversion is onnxruntime's own (`onnxruntime.transformers.float16`), which needs no torch. CPU kernels for
    float16 are rare: onnxruntime then computes in float32 between casts, so the file shrinks and the time does not.
    Raises UnsupportedRecipeError where the model holds no float32 weights.
    """
    import numpy as np
    from onnx import TensorProto, numpy_helper
    from onnxruntime.transformers.float16 import convert_float_to_float16

    weights = [tensor for tensor in stored_tensors(proto.graph) if tensor.data_type == TensorProto.FLOAT]
    if not weights:
        raise UnsupportedRecipeError("fp16 found no float32 weights in the model.")
    clipped = sum(int((np.abs(numpy_helper.to_array(tensor)) > FP16_MAX).sum()) for tensor in weights)
    converted: ModelProto = convert_float_to_float16(proto, keep_io_types=True)
    sort_nodes(converted)
    note = f"fp16: {clipped} weights beyond ±{FP16_MAX:g} were clipped to it, so answers may be wrong"
    return converted, (note,) if clipped else ()


def sort_nodes(proto: ModelProto) -> None:
    """Put the operators into an order in which each comes after what it reads, as ONNX demands.

    The converter appends its casts at the end. Of the operators that may come next, the first in the file comes first.
    """
    from onnx import NodeProto

    made_by = {name: index for index, node in enumerate(proto.graph.node) for name in node.output if name}
    nodes = list(proto.graph.node)
    before = [{made_by[name] for name in _reads(node) if name in made_by} - {i} for i, node in enumerate(nodes)]
    after: list[list[int]] = [[] for _ in nodes]
    for index, earlier in enumerate(before):
        for other in earlier:
            after[other].append(index)
    waiting = [len(earlier) for earlier in before]
    ready = [index for index, count in enumerate(waiting) if count == 0]
    order: list[int] = []
    while ready:
        order.append(heapq.heappop(ready))
        for index in after[order[-1]]:
            waiting[index] -= 1
            if waiting[index] == 0:
                heapq.heappush(ready, index)
    if len(order) < len(nodes):
        raise CompressionError("The operators of the model read each other in a circle.")
    copies = [NodeProto() for _ in nodes]
    for copy, index in zip(copies, order, strict=True):
        copy.CopyFrom(nodes[index])
    del proto.graph.node[:]
    proto.graph.node.extend(copies)


def _reads(node: NodeProto) -> list[str]:
    """Return all names an operator reads, also those that graphs inside it take from outside."""
    found = list(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            for inner in graph.node:
                found += _reads(inner)
    return found
