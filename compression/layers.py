"""Which module of torch is which layer of the ONNX file: by the operator's place, never by guessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import RecipeError
from .repairs import layer_name
from .words import nearest

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that both know: `module` in torch; `node` (its name, may be empty) and `weights` in the file.

    `transposed` says that torch keeps the weights, a matrix, the other way round.
    """

    module: str
    node: str
    weights: str
    transposed: bool


def layers_of(proto: ModelProto, module: nn.Module) -> tuple[Layer, ...]:
    """Return all layers with stored weights that are a layer in torch too, in the order of the file."""
    present = {name for name, child in module.named_modules() if hasattr(child, "weight")}
    found: list[Layer] = []
    for index, node in enumerate(proto.graph.node):
        name = layer_name(index)
        if node.op_type not in _WEIGHTED or name not in present:
            continue
        flipped = any(a.name == "transB" and a.i for a in node.attribute)
        turned = node.op_type == "MatMul" or (node.op_type == "Gemm" and not flipped)
        found.append(Layer(module=name, node=node.name, weights=node.input[1], transposed=turned))
    return tuple(found)


def excluded(layers: Sequence[Layer], exclude: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers that `exclude` names by operator or by weights; raises RecipeError for an unknown name."""
    known = sorted({name for layer in layers for name in (layer.node, layer.weights) if name})
    for name in exclude:
        if name not in known:
            raise RecipeError(f"`exclude` names `{name}`, which is no layer of the model.{nearest(name, known)}")
    return tuple(layer for layer in layers if layer.node in exclude or layer.weights in exclude)
