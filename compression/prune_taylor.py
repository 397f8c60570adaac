"""Unstructured pruning by gradients: the weights that the loss would miss least become zero, in the file itself.

The scores come from torch, but only zeros are written: every other byte of the model stays as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from . import libraries
from .apprenticeship import Apprenticeship
from .data import model_inputs
from .errors import UnsupportedRecipeError
from .foreign import foreign_errors
from .frontend import to_torch
from .gradients import gradient_taker, labelled_data
from .layers import Layer, excluded, layers_of
from .prune import LayerSparsity, sparsity_note
from .stepkinds import PruneTaylor
from .task import subset_indices

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto
    from torch import Tensor, nn

CHECKED = 4
Scores = dict[str, NDArray[np.float64]]  # importance of each weight, by the tensor's name in the file


def prune_taylor(
    proto: ModelProto, step: PruneTaylor, apprenticeship: Apprenticeship
) -> tuple[ModelProto, tuple[str, ...]]:
    """Return (the model with a share `ratio` of its weights at zero, notes); the proto given is left as it is.

    Raises UnsupportedRecipeError without labelled training data or where nothing can be pruned, RecipeError for an
    excluded name that the model lacks.
    """
    doing, model = apprenticeship.doing, apprenticeship.model
    data = labelled_data(step.kind, apprenticeship)
    libraries.require("torch", "onnxslim", "onnx2torch", what=doing)
    few = model_inputs(data, model, apprenticeship.task, subset_indices(len(data), CHECKED, 0))
    module = to_torch(proto, model.inputs, few, doing=doing)
    layers = _prunable(proto, module, step)
    take = gradient_taker(data, apprenticeship, step.samples, step.seed)
    zeros: dict[str, NDArray[np.bool_]] = {}
    with foreign_errors(doing), libraries.quiet():
        for number in range(1, step.rounds + 1):
            take(module)
            zeros = _least(_scores(module, layers), step.ratio * number / step.rounds, step.scope)
            _zero_in_torch(module, layers, zeros)
    pruned = type(proto)()
    pruned.CopyFrom(proto)
    report = _zero_in_file(pruned, layers, zeros)
    return pruned, (sparsity_note(report).replace("prune-l1", step.kind, 1),)


def _prunable(proto: ModelProto, module: nn.Module, step: PruneTaylor) -> tuple[Layer, ...]:
    """Return the layers whose weights may go: those that torch holds in the shape of the file, one a tensor."""
    every = layers_of(proto, module)
    spared = {layer.weights for layer in excluded(every, step.exclude)}
    stored = _tensors(proto)
    found = {layer.weights: layer for layer in every if layer.weights in stored and layer.weights not in spared}
    if not found:
        raise UnsupportedRecipeError(f"{step.kind} found no float weights of Conv, ConvTranspose, Gemm or MatMul.")
    return tuple(found.values())


def _weights(module: nn.Module, layer: Layer) -> Tensor:
    return cast("Tensor", module.get_submodule(layer.module).get_parameter("weight"))


def _scores(module: nn.Module, layers: tuple[Layer, ...]) -> Scores:
    found: Scores = {}
    for layer in layers:
        weights = _weights(module, layer)
        assert weights.grad is not None  # gradient_taker has left one everywhere
        score = (weights.detach().double() * weights.grad.double()).abs().numpy()
        found[layer.weights] = score.T if layer.transposed else score
    return found


def _least(scores: Scores, ratio: float, scope: str) -> dict[str, NDArray[np.bool_]]:
    """Return which weights go: the `ratio` of least importance, of all layers together or of each.

    Equal ones go in the order of the file; those that are zero already have no importance and stay zero.
    """
    if scope == "per-layer":
        return {name: _lowest(score, ratio) for name, score in scores.items()}
    together = _lowest(np.concatenate([score.ravel() for score in scores.values()]), ratio)
    ends = np.cumsum([score.size for score in scores.values()])
    parts = np.split(together, ends[:-1])
    return {name: part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}


def _lowest(score: NDArray[np.float64], ratio: float) -> NDArray[np.bool_]:
    order = np.argsort(score, axis=None, kind="stable")
    mask = np.zeros(score.size, np.bool_)
    mask[order[: int(ratio * score.size)]] = True
    return mask.reshape(score.shape)


def _zero_in_torch(module: nn.Module, layers: tuple[Layer, ...], zeros: dict[str, NDArray[np.bool_]]) -> None:
    import torch

    with torch.no_grad():
        for layer in layers:
            mask = zeros[layer.weights].T if layer.transposed else zeros[layer.weights]
            _weights(module, layer)[torch.from_numpy(np.ascontiguousarray(mask))] = 0


def _zero_in_file(
    proto: ModelProto, layers: tuple[Layer, ...], zeros: dict[str, NDArray[np.bool_]]
) -> tuple[LayerSparsity, ...]:
    from onnx import numpy_helper

    stored = _tensors(proto)
    report: list[LayerSparsity] = []
    for layer in layers:
        tensor = stored[layer.weights]
        weights = numpy_helper.to_array(tensor)
        pruned = np.where(zeros[layer.weights], weights.dtype.type(0), weights)
        tensor.CopyFrom(numpy_helper.from_array(pruned, tensor.name))
        report.append(LayerSparsity(name=layer.weights, zeros=int((pruned == 0).sum()), weights=pruned.size))
    return tuple(report)


def _tensors(proto: ModelProto) -> dict[str, TensorProto]:
    """Return the tensors that the file stores, by the name that operators use: initializers and Constants."""
    found = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return found
