"""Short names in an ONNX file: in a small quantized model the names weigh as much as the weights.

onnxruntime's quantizer gives each tensor three companions whose names repeat its own (`….weight_bias_quantized_scale`),
and writes each at least twice. A student of 16,000 int8 weights has a file of 39 kB with those names, 24 kB without.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_LETTERS = string.ascii_letters
_COMPANIONS = ("QuantizeLinear", "DequantizeLinear")
_TRACES = ("onnx.infer", "onnx.quant.pre_process")  # notes of the quantizer to itself


def shorten_names(proto: ModelProto) -> ModelProto:
    """Return the same model with short names inside; one file always gives one file.

    Inputs and outputs keep their names, and so do operators, as profiles show them, but for the pairs of
    QuantizeLinear and DequantizeLinear. Constants of equal content become one, since most zero points are the same
    zeros; shapes of inner tensors go, as every runtime infers them.
    """
    short = type(proto)()
    short.CopyFrom(proto)
    kept = [entry for entry in short.metadata_props if entry.key not in _TRACES]
    del short.metadata_props[:]
    short.metadata_props.extend(kept)
    _share_constants(short.graph)
    ports = {value.name for value in (*short.graph.input, *short.graph.output)}
    names: dict[str, str] = {name: name for name in ("", *ports)}
    fresh = (name for name in _counted() if name not in ports)
    for graph in _graphs(short.graph):
        _rename(graph, names, fresh)
    return short


def _counted() -> Iterator[str]:
    """Yield a, b … Z, aa, ab …: every word of letters, the short ones first."""
    yield from _LETTERS
    for head in _counted():
        for letter in _LETTERS:
            yield head + letter


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """Yield a graph and those inside its operators: names of the outer are seen by the inner."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)


def _share_constants(graph: GraphProto) -> None:
    """Keep one of the constants that are equal in type, shape and bytes; an input's or output's own stays.

    Those in int8 stay too: onnxruntime 1.32 cannot load a file whose weights share a zero point where it is asked for
    exact sums on x86 (`session.x64quantprecision`), as it then rewrites the zero point once for each of them.
    """
    from onnx import TensorProto

    ports = {value.name for value in (*graph.input, *graph.output)}
    first: dict[bytes, str] = {}
    same: dict[str, str] = {}
    for tensor in graph.initializer:
        nameless = type(tensor)()
        nameless.CopyFrom(tensor)
        nameless.ClearField("name")
        nameless.ClearField("doc_string")
        if tensor.name not in ports and tensor.data_type != TensorProto.INT8:
            same[tensor.name] = first.setdefault(nameless.SerializeToString(deterministic=True), tensor.name)
    kept = [tensor for tensor in graph.initializer if same.get(tensor.name, tensor.name) == tensor.name]
    for inner in _graphs(graph):
        for node in inner.node:
            _replace_inputs(node, same)
        for value in inner.output:
            value.name = same.get(value.name, value.name)
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _replace_inputs(node: NodeProto, names: dict[str, str]) -> None:
    renamed = [names.get(name, name) for name in node.input]
    del node.input[:]
    node.input.extend(renamed)


def _rename(graph: GraphProto, names: dict[str, str], fresh: Iterator[str]) -> None:
    """Rename everything a graph holds, in the order in which it stands; `names` is what has a new name already."""

    def of(name: str) -> str:
        if name not in names:
            names[name] = next(fresh)
        return names[name]

    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = of(value.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = of(sparse.values.name)
    for node in graph.node:
        outputs = [of(name) for name in node.output]
        inputs = [of(name) for name in node.input]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        if node.op_type in _COMPANIONS:
            node.ClearField("name")
    del graph.value_info[:]
    del graph.quantization_annotation[:]
