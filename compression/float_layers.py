"""Layers that were left in floats on purpose stay so: onnxruntime would quantize them when it loads the file.

One of its optimizations (WeightBiasQuantization, version 1.32) finds a float convolution between quantized tensors and
quantizes its weights, with one scale for the layer: what mixed precision had won is lost again, on every board. It
looks for a QuantizeLinear behind the layer or behind its Relu, and for nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_LAYERS = ("Conv", "ConvTranspose", "Gemm")
_ACTIVATIONS = ("Relu", "Clip")


def keep_floats(proto: ModelProto) -> ModelProto:
    """Return the model with a Max behind each float layer that would be quantized at load time.

    A Relu becomes Max(x, 0), which is the same and costs the same; anything else is followed by the maximum with the
    lowest float, which changes nothing.
    """
    made = type(proto)()
    made.CopyFrom(proto)
    readers: dict[str, list[NodeProto]] = {}
    producers: dict[str, NodeProto] = {}
    for node in made.graph.node:
        producers.update(dict.fromkeys(node.output, node))
        for name in node.input:
            readers.setdefault(name, []).append(node)
    ends = [_end(node, producers, readers) for node in made.graph.node]
    for end in (end for end in ends if end is not None):
        _shield(made, end, readers)
    return made


def _end(node: NodeProto, producers: dict[str, NodeProto], readers: dict[str, list[NodeProto]]) -> NodeProto | None:
    """Return the last operator of a float layer between quantized tensors, None if the node is no such layer."""
    if node.op_type not in _LAYERS or not _is(producers.get(node.input[0]), "DequantizeLinear"):
        return None
    if _is(producers.get(node.input[1]), "DequantizeLinear"):
        return None
    after = readers.get(node.output[0], [])
    end = after[0] if len(after) == 1 and after[0].op_type in _ACTIVATIONS else node
    return end if any(_is(reader, "QuantizeLinear") for reader in readers.get(end.output[0], [])) else None


def _is(node: NodeProto | None, op_type: str) -> bool:
    return node is not None and node.op_type == op_type


def _shield(proto: ModelProto, end: NodeProto, readers: dict[str, list[NodeProto]]) -> None:
    from onnx import helper, numpy_helper

    graph, output = proto.graph, end.output[0]
    bound, value = f"{output}_least", 0.0 if end.op_type == "Relu" else float(np.finfo(np.float32).min)
    graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), bound))
    if end.op_type == "Relu":
        end.op_type = "Max"
        end.input.append(bound)
        return
    shielded = f"{output}_shielded"
    node = helper.make_node("Max", [output, bound], [shielded], name=f"{end.name or output}_float")
    for reader in readers[output]:
        if reader.op_type == "QuantizeLinear":
            reader.input[0] = shielded
    graph.node.insert(list(graph.node).index(end) + 1, node)
