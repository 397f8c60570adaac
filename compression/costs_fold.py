"""Work out the sizes that an ONNX graph computes itself, so that shapes can be inferred behind them; pure.

Exporters write a reshape as shape, slice, concat: onnx's own inference follows only part of that. Here a `Shape` of a
tensor whose shape is known becomes a constant, and so does what is computed from constants alone, if it is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_MOST_VALUES = 1024
# Integer arithmetic on sizes. Anything else is left to run on the board.
_ON_SIZES = frozenset(
    {"Cast", "Concat", "Slice", "Gather", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Add", "Sub", "Mul", "Div"}
    | {
        "Mod",
        "Neg",
        "Floor",
        "Ceil",
        "ReduceProd",
        "Expand",
        "ConstantOfShape",
        "Range",
        "Equal",
        "Where",
        "Min",
        "Max",
    }
    | {"Split", "Transpose"}
)

# What onnx's reference implementation raises, which is plain numpy
_FAILURES = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)

Values = dict[str, NDArray[Any]]


def fold_sizes(proto: ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Turn what is known into constants, in place. Says whether anything was."""
    known = _constants(proto)
    kept: list[NodeProto] = []
    folded: Values = {}
    for node in proto.graph.node:
        made = _made(node, known, shapes, proto)
        if made is None:
            kept.append(node)
        else:
            known |= made
            folded |= made
    if not folded:
        return False
    from onnx import numpy_helper

    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    proto.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in folded.items())
    return True


def forget_weights(proto: ModelProto) -> None:
    """Drop the values of large tensors, which no size is computed from; their shapes stay."""
    constants = [a.t for node in proto.graph.node for a in node.attribute if a.HasField("t")]
    for tensor in (*proto.graph.initializer, *constants):
        if np.prod(tensor.dims, dtype=np.int64) > _MOST_VALUES:
            for name in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                tensor.ClearField(name)


def _constants(proto: ModelProto) -> Values:
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.HasField("t"):
                tensors[node.output[0]] = attribute.t
    small = {name: one for name, one in tensors.items() if np.prod(one.dims, dtype=np.int64) <= _MOST_VALUES}
    return {name: numpy_helper.to_array(tensor) for name, tensor in small.items()}


def _made(node: NodeProto, known: Values, shapes: Mapping[str, tuple[int, ...]], proto: ModelProto) -> Values | None:
    if node.op_type == "Shape" and node.input[0] in shapes:
        bounds = {a.name: int(a.i) for a in node.attribute}
        sizes = shapes[node.input[0]][bounds.get("start", 0) : bounds.get("end")]
        return {node.output[0]: np.array(sizes, np.int64)}
    inputs = [name for name in node.input if name]
    if node.op_type not in _ON_SIZES or not all(name in known for name in inputs):
        return None
    return _evaluated(node, {name: known[name] for name in inputs}, proto)


def _evaluated(node: NodeProto, feeds: Values, proto: ModelProto) -> Values | None:
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)

    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(one.dtype), one.shape)
        for name, one in feeds.items()
    ]
    graph = helper.make_graph([node], "sizes", inputs, [value(name) for name in node.output])
    model = helper.make_model(graph, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    try:
        results: Any = ReferenceEvaluator(model).run(None, feeds)  # pyright: ignore[reportUnknownMemberType]
    except _FAILURES:  # a size that cannot be worked out is a size that is not known
        return None
    made = {name: np.asarray(result) for name, result in zip(node.output, results, strict=True)}
    return made if all(one.size <= _MOST_VALUES for one in made.values()) else None
