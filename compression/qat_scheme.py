"""Which tensors of a torch graph are rounded to 8 bits in training: those that int8-static rounds.

Inputs of convolutions and matrices, sums and joins: unsigned, one scale a tensor, its range a moving average of what
training sees. Weights: -127 to 127, one scale an output channel. Convolutions and sums give 8 bits too (after the Relu
that follows), so that onnxruntime finds a quantized tensor on each side of an operator and computes it in integers. The
model's outputs stay floats, and so does what only averages or reshapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import GraphModule, Node
    from torchao.quantization.pt2e.quantizer import QuantizationSpec, Quantizer


def quantizer() -> Quantizer:
    """Return what torchao asks where to put its fake quantization."""
    from torchao.quantization.pt2e.quantizer import Quantizer

    class EightBits(Quantizer):
        def annotate(self, model: GraphModule) -> GraphModule:
            for node in model.graph.nodes:
                _annotate(node)
            return model

        def validate(self, model: GraphModule) -> None:
            """There is nothing that it could not annotate."""

    return EightBits()


def _annotate(node: Node) -> None:
    from torch import ops

    aten = ops.aten
    match node.target:
        case aten.conv2d.default | aten.conv1d.default | aten.linear.default:
            image, weight = node.all_input_nodes[:2]
            _mark(node, {image: activations(), weight: weights()})
        case aten.matmul.default if _is_stored_matrix(node.all_input_nodes[-1]):
            image, weight = node.all_input_nodes
            _mark(node, {image: activations(), weight: weights(channel_axis=1)})
        case aten.add.Tensor | aten.add_.Tensor if len(node.all_input_nodes) == 2:
            _mark(node, dict.fromkeys(node.all_input_nodes, activations()))
        case aten.cat.default:
            _mark(node, dict.fromkeys(node.all_input_nodes, activations()))
        case aten.max_pool2d.default | aten.flatten.using_ints | aten.view.default | aten.reshape.default:
            _share(node)
        case _:
            return


def _mark(node: Node, inputs: Mapping[Node, QuantizationSpec]) -> None:
    """Quantize an operator's inputs, and its output behind the Relu that belongs to it."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation

    last = _tail(node)
    for part in {node: None, last: None}:
        part.meta["quantization_annotation"] = QuantizationAnnotation(
            input_qspec_map=dict(inputs) if part is node else {},
            output_qspec=activations() if part is last and not _is_result(last) else None,
            _annotated=True,
        )


def _share(node: Node) -> None:
    """Give what only moves or picks values the scale of its input, so that it can be done in integers."""
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, SharedQuantizationSpec

    source = node.all_input_nodes[0]
    before = source.meta.get("quantization_annotation")
    if before is None or before.output_qspec is None:
        return
    shared = SharedQuantizationSpec((source, node))
    node.meta["quantization_annotation"] = QuantizationAnnotation(
        input_qspec_map={source: activations()}, output_qspec=shared, _annotated=True
    )


def _tail(node: Node) -> Node:
    """Return the operator whose output is the first to be stored: the Relu behind it, if that is its only user."""
    from torch import ops

    aten = ops.aten
    users = list(node.users)
    ends = (aten.relu.default, aten.relu_.default, aten.hardtanh.default, aten.clamp.default)
    return users[0] if len(users) == 1 and users[0].target in ends else node


def _is_stored_matrix(node: Node) -> bool:
    """Tell a matrix of weights, [in, out], from a product of two activations."""
    value = node.meta.get("val")
    return node.op == "get_attr" and value is not None and value.ndim == 2


def _is_result(node: Node) -> bool:
    return any(user.op == "output" for user in node.users)


def activations() -> QuantizationSpec:
    """Return the scheme of activations: 0 to 255, any zero point."""
    import torch
    from torchao.quantization.pt2e import FusedMovingAvgObsFakeQuantize, MovingAverageMinMaxObserver
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    return QuantizationSpec(
        dtype=torch.uint8,
        quant_min=0,
        quant_max=255,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=FusedMovingAvgObsFakeQuantize.with_args(observer=MovingAverageMinMaxObserver),
    )


def weights(channel_axis: int = 0) -> QuantizationSpec:
    """Return the scheme of weights: -127 to 127 around zero, one scale for each output channel as it is now."""
    import torch
    from torchao.quantization.pt2e import FusedMovingAvgObsFakeQuantize, MovingAveragePerChannelMinMaxObserver
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=channel_axis,
        observer_or_fake_quant_ctr=FusedMovingAvgObsFakeQuantize.with_args(
            observer=MovingAveragePerChannelMinMaxObserver, averaging_constant=1.0
        ),
    )
