"""Unstructured pruning: the weights of least magnitude become zero.

Zeros make a file smaller once it is compressed for transfer or storage. They do not make it faster: onnxruntime's
kernels multiply by them like by any other number.

The importance of a weight is its magnitude (L1). `l1_budget` removes weights in the order of their importance, the
least first, until the removed sum passes the budget. For 0.1, 0.2 … 1.0 and a budget of 2.0 the removed sum is 1.5
after 0.5 and 2.1 after 0.6: so 0.1 to 0.6 go and 0.7 to 1.0 stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import CompressionError, RecipeError, UnsupportedRecipeError
from .stepkinds import PruneL1
from .words import nearest

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

Mask = NDArray[np.bool_]
Weights = NDArray[Any]

# Operators with a weight, and the place of the weight among their inputs. A MatMul may have it on either side.
_WEIGHT_INPUTS = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (0, 1), "MatMul": (0, 1)}


def l1_budget_mask(weights: Weights, budget: float) -> Mask:
    """Return which weights go: True for the least in magnitude, until their sum passes `budget`.

    The weight whose addition passes the budget goes too. Sums are float64; equal magnitudes go in the order in which
    they lie in memory. If the budget is never passed, all go.
    """
    magnitude = np.abs(np.asarray(weights, np.float64)).ravel()
    order = np.argsort(magnitude, kind="stable")
    removed_sum = np.cumsum(magnitude[order])
    count = int(np.searchsorted(removed_sum, budget, side="right")) + 1
    return _mask_of(order[:count], weights.shape)


def ratio_mask(weights: Weights, ratio: float) -> Mask:
    """Return which weights go: the `ratio` (0 to 1) of least magnitude, rounded down to whole weights."""
    order = np.argsort(np.abs(np.asarray(weights, np.float64)).ravel(), kind="stable")
    return _mask_of(order[: int(ratio * order.size)], weights.shape)


def _mask_of(indices: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(int(np.prod(shape)), np.bool_)
    mask[indices] = True
    return mask.reshape(shape)


def masks(layers: Mapping[str, Weights], step: PruneL1) -> dict[str, Mask]:
    """Return which weights of each layer go; with scope `global` all layers compete in one order."""
    if step.scope == "per-layer":
        return {name: _mask(weights, step) for name, weights in layers.items()}
    together = _mask(np.concatenate([weights.ravel() for weights in layers.values()]), step)
    ends = np.cumsum([weights.size for weights in layers.values()])
    parts = np.split(together, ends[:-1])
    return {name: part.reshape(layers[name].shape) for name, part in zip(layers, parts, strict=True)}


def _mask(weights: Weights, step: PruneL1) -> Mask:
    if step.l1_budget is not None:
        return l1_budget_mask(weights, step.l1_budget)
    assert step.ratio is not None  # a PruneL1 has one of the two
    return ratio_mask(weights, step.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSparsity:
    """How many weights of one layer are zero after pruning, and of how many."""

    name: str
    zeros: int
    weights: int


def prune_l1(proto: ModelProto, step: PruneL1) -> tuple[LayerSparsity, ...]:
    """Zero weights of the model in place; return the sparsity of each layer, in the order of the graph.

    Raises RecipeError for an excluded name that the model lacks, UnsupportedRecipeError where nothing can be pruned,
    CompressionError where nothing would be left.
    """
    from onnx import numpy_helper

    tensors = _prunable(proto, step.exclude)
    layers = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    if not layers:
        raise UnsupportedRecipeError("prune-l1 found no float weights of Conv, ConvTranspose, Gemm or MatMul.")
    chosen = masks(layers, step)
    if all(mask.all() for mask in chosen.values()):
        total = sum(float(np.abs(weights, dtype=np.float64).sum()) for weights in layers.values())
        raise CompressionError(f"l1_budget {step.l1_budget:g} removes every weight: their magnitudes sum to {total:g}.")
    report: list[LayerSparsity] = []
    for name, weights in layers.items():
        pruned = np.where(chosen[name], weights.dtype.type(0), weights)
        tensors[name].CopyFrom(numpy_helper.from_array(pruned, tensors[name].name))
        report.append(LayerSparsity(name=name, zeros=int((pruned == 0).sum()), weights=pruned.size))
    return tuple(report)


def sparsity_note(layers: Sequence[LayerSparsity]) -> str:
    """Return what pruning achieved as one sentence, the layers by share of zeros."""
    zeros, weights = sum(layer.zeros for layer in layers), sum(layer.weights for layer in layers)
    each = ", ".join(f"{layer.name} {layer.zeros / layer.weights:.1%}" for layer in layers)
    return f"prune-l1: {zeros} of {weights} weights are zero ({zeros / weights:.1%}): {each}"


def _prunable(proto: ModelProto, exclude: Sequence[str]) -> dict[str, TensorProto]:
    """Return the weight tensors by name; a tensor that two operators share occurs once."""
    stored = _stored_tensors(proto)
    found: dict[str, TensorProto] = {}
    excluded: set[str] = set()
    known: set[str] = set()
    for node in proto.graph.node:
        for place in _WEIGHT_INPUTS.get(node.op_type, ()):
            name = node.input[place] if place < len(node.input) else ""
            if name not in stored:
                continue
            known |= {name, node.name} - {""}
            if name in exclude or node.name in exclude:
                excluded.add(name)
            found[name] = stored[name]
    for name in exclude:
        if name not in known:
            raise RecipeError(
                f"`exclude` names `{name}`, which is no layer of the model.{nearest(name, sorted(known))}"
            )
    return {name: tensor for name, tensor in found.items() if name not in excluded}


def _stored_tensors(proto: ModelProto) -> dict[str, TensorProto]:
    """Return float tensors of two and more dimensions: initializers, and what Constant operators hold."""
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            stored[node.output[0]] = node.attribute[0].t
    floats = (1, 10, 11)  # TensorProto.FLOAT, FLOAT16, DOUBLE
    return {name: t for name, t in stored.items() if t.data_type in floats and len(t.dims) >= 2}
