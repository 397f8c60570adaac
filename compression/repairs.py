"""An ONNX graph brought into the form that onnx2torch understands, and that stays right when channels are cut.

onnx2torch 1.5.15 alone converts few real files. After these repairs all 13 that were tried (digits, PP-OCR's three,
the nine classifiers that the onnx wheel brings) convert, and give onnxruntime's outputs for two samples at once:

- constants folded and sizes fixed by onnxslim; layers stay apart, so that each is still the one that the file names
- Reshape relative to its input: sizes that only pass through are copied, so neither a batch nor a cut breaks it
- MatMul by stored weights as a layer, so that it trains and can be cut
- reductions of opset 18, Slice, Resize: what they read besides the data written into them
- AveragePool with unequal padding, `auto_pad`

What is rewritten becomes an operator of a domain of our own, whose meaning in torch lies in `operators.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

DOMAIN = "hilbench"
# What would rename layers, melt two into one, or let two share their weights.
_LEFT_OUT = ["graph_fusion", "subexpression_elimination", "weight_tying"]
_WINDOWED = ("Conv", "ConvTranspose", "AveragePool", "MaxPool")


def normalised(proto: ModelProto, inputs: Sequence[TensorSpec]) -> ModelProto:
    """Return a copy for onnx2torch, at one sample: operators named by `layer_name`, all sizes known."""
    import onnx
    import onnxslim

    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for index, node in enumerate(copy.graph.node):
        node.name = layer_name(index)
    _fix_inputs(copy.graph, inputs)
    slim = onnxslim.slim(copy, skip_optimizations=_LEFT_OUT)  # pyright: ignore[reportArgumentType]  wrongly annotated
    inferred = onnx.shape_inference.infer_shapes(slim, data_prop=True)
    sizes, constants = _known_sizes(inferred.graph), _constants(inferred.graph)
    for node in inferred.graph.node:
        _repair(node, sizes, constants)
    inferred.opset_import.add(domain=DOMAIN, version=1)
    return inferred


def layer_name(index: int) -> str:
    """Return the name, as a module of torch, of the operator at this place in the file."""
    return f"n{index}"


def _fix_inputs(graph: GraphProto, inputs: Sequence[TensorSpec]) -> None:
    """Set every input to one sample of its declared size, and forget the sizes that followed from others."""
    sizes = {spec.name: (1, *spec.sample_shape) for spec in inputs}
    for value in graph.input:
        if value.name in sizes:
            value.type.tensor_type.ClearField("shape")
            for size in sizes[value.name]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


def _known_sizes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            found[value.name] = tuple(dim.dim_value for dim in dims)
    return found


def _constants(graph: GraphProto) -> dict[str, Any]:
    from onnx import numpy_helper

    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _repair(node: NodeProto, sizes: dict[str, tuple[int, ...]], constants: dict[str, Any]) -> None:
    before = sizes.get(node.input[0]) if node.input else None
    if before is not None and node.op_type in _WINDOWED:
        _write_padding_out(node, before[2:], constants)
    if node.op_type in ("Reshape", "Flatten") and before is not None and node.output[0] in sizes:
        _own(node, "Reshape", target=relative_target(before, sizes[node.output[0]]))
    elif node.op_type.startswith("Reduce") and len(node.input) == 2 and node.input[1] in constants:
        _own(node, "Reduce", kind=node.op_type, axes=constants[node.input[1]].tolist(), keep=_int(node, "keepdims", 1))
    elif node.op_type == "AveragePool" and _unequal(_ints(node, "pads")):
        _own(
            node,
            "AveragePool",
            kernel=_ints(node, "kernel_shape"),
            strides=_ints(node, "strides") or [1, 1],
            pads=_ints(node, "pads"),
            whole=_int(node, "count_include_pad", 0),
        )
    elif node.op_type == "Slice" and before is not None:
        _fix_slice(node, constants)
    elif node.op_type == "Resize" and before is not None and node.output[0] in sizes:
        after = sizes[node.output[0]]
        if len(before) == 4 and before[:2] == after[:2]:
            _own(node, "Resize", size=list(after[2:]), mode=_word(node, "mode", "nearest"), corners=_corners(node))
    elif node.op_type == "MatMul" and node.input[1] in constants and constants[node.input[1]].ndim == 2:
        weights = node.input[1]
        _own(node, "Linear")
        node.input.append(weights)


def relative_target(before: Sequence[int], after: Sequence[int]) -> list[int]:
    """Return a Reshape's target: 0 (copied) for the leading sizes that pass through, -1 if only one size is left.

    Both are the sizes at one sample.
    """
    target = list(after)
    kept = 0
    while kept < min(len(before), len(after)) and before[kept] == after[kept]:
        target[kept] = 0
        kept += 1
    if kept == len(after) - 1:
        target[kept] = -1
    return target


def _own(node: NodeProto, operator: str, **attributes: Any) -> None:
    """Turn an operator with one input into one of our domain."""
    from onnx import helper

    node.op_type, node.domain = operator, DOMAIN
    del node.input[1:]
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())


def _write_padding_out(node: NodeProto, before: Sequence[int], constants: dict[str, Any]) -> None:
    """Replace `auto_pad` by the padding that it stands for (ONNX operators' reference, Conv)."""
    from onnx import helper

    word = _word(node, "auto_pad", "NOTSET")
    if word not in ("SAME_UPPER", "SAME_LOWER") or node.op_type == "ConvTranspose":
        return
    kernel = _ints(node, "kernel_shape") or list(constants[node.input[1]].shape[2:])
    strides = _ints(node, "strides") or [1] * len(kernel)
    dilations = _ints(node, "dilations") or [1] * len(kernel)
    windows = zip(before, kernel, strides, dilations, strict=True)
    totals = [max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0) for size, k, s, d in windows]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    others = [a for a in node.attribute if a.name not in ("auto_pad", "pads")]
    pads = less + more if word == "SAME_UPPER" else more + less
    del node.attribute[:]
    node.attribute.extend([*others, helper.make_attribute("pads", pads)])


def _fix_slice(node: NodeProto, constants: dict[str, Any]) -> None:
    """Take the places of a Slice out of its inputs, where they are stored and run forwards."""
    given = [constants.get(name) for name in node.input[1:] if name]
    if any(value is None for value in given) or len(given) != len(node.input) - 1 or len(given) < 2:
        return
    values: list[list[int]] = [value.tolist() for value in given if value is not None]
    starts, ends = values[:2]
    axes = values[2] if len(values) > 2 else list(range(len(starts)))
    steps = values[3] if len(values) > 3 else [1] * len(starts)
    if min(steps) > 0:
        _own(node, "Slice", starts=starts, ends=ends, axes=axes, steps=steps)


def _word(node: NodeProto, key: str, default: str) -> str:
    return next((a.s.decode() for a in node.attribute if a.name == key), default)


def _corners(node: NodeProto) -> int:
    return int(_word(node, "coordinate_transformation_mode", "half_pixel") == "align_corners")


def _ints(node: NodeProto, key: str) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == key), [])


def _int(node: NodeProto, key: str, default: int) -> int:
    return next((a.i for a in node.attribute if a.name == key), default)


def _unequal(pads: Sequence[int]) -> bool:
    half = len(pads) // 2
    return list(pads[:half]) != list(pads[half:])
