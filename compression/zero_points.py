"""A zero point for each quantized weight: torch's exporter stores equal ones once, which onnxruntime may not bear."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto


def with_own_zero_points(proto: ModelProto) -> ModelProto:
    """Return the model with no int8 zero point read by more than one DequantizeLinear.

    Asked for exact sums on x86 (`session.x64quantprecision`), onnxruntime 1.32 rewrites int8 weights as uint8 and their
    zero points with them, once for each weight; at the second time for the same one it refuses to load the file.
    """
    from onnx import TensorProto

    made = type(proto)()
    made.CopyFrom(proto)
    stored = {tensor.name: tensor for tensor in made.graph.initializer if tensor.data_type == TensorProto.INT8}
    seen: set[str] = set()
    for node in made.graph.node:
        name = node.input[2] if node.op_type == "DequantizeLinear" and len(node.input) == 3 else ""
        if name not in stored:
            continue
        if name in seen:
            own = made.graph.initializer.add()
            own.CopyFrom(stored[name])
            own.name = node.input[2] = f"{node.input[0]}_zero_point"
        seen.add(name)
    return made
