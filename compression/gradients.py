"""How much the loss would miss a weight: first-order Taylor expansion over training samples.

A batch's loss changes by about weight x gradient when a weight becomes zero; the importance is the root of that
change's mean square over batches, |weight| x rms(gradient). P. Molchanov et al., "Importance estimation for neural
network pruning", CVPR 2019, arXiv 1906.10771. The plain mean of gradients would not do: a trained model's is near 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .apprenticeship import Apprenticeship
from .data import Dataset, model_inputs
from .errors import UnsupportedRecipeError
from .frontend import as_tuple
from .labels import require_classes
from .lessons import meaning_of, scores
from .task import Array, subset_indices

if TYPE_CHECKING:
    from torch import nn

BATCH = 32


def labelled_data(kind: str, apprenticeship: Apprenticeship) -> Dataset:
    """Return the training data that gradients are taken on, or raise UnsupportedRecipeError."""
    data = apprenticeship.train
    if data is None or data.labels is None or len(apprenticeship.model.inputs) != 1:
        raise UnsupportedRecipeError(
            f"`{kind}` needs labelled training data (`train:` in the plan's task) and a model with one input."
        )
    require_classes(kind, apprenticeship.task.kind)
    return data


def gradient_taker(
    data: Dataset, apprenticeship: Apprenticeship, samples: int, seed: int
) -> Callable[[nn.Module], None]:
    """Return a function that leaves in each parameter's `grad` the root mean square of its gradients over batches."""
    indices = subset_indices(len(data), samples, seed)
    name = apprenticeship.model.inputs[0].name
    values = model_inputs(data, apprenticeship.model, apprenticeship.task, indices)[name]
    assert data.labels is not None  # labelled_data has seen to it
    labels = data.labels[indices]

    def take(module: nn.Module) -> None:
        _take(module, values, labels)

    return take


def _take(module: nn.Module, values: Array, labels: NDArray[np.int64]) -> None:
    import torch
    from torch.nn import functional

    module.eval()
    parameters = [p for p in module.parameters() if p.requires_grad]
    squares = [torch.zeros_like(p) for p in parameters]
    starts = range(0, len(values), BATCH)
    for start in starts:
        module.zero_grad()
        output = as_tuple(module(torch.from_numpy(np.ascontiguousarray(values[start : start + BATCH]))))[0]
        meaning = meaning_of(output.detach().numpy(), scored=True)
        functional.cross_entropy(scores(output, meaning), torch.from_numpy(labels[start : start + BATCH])).backward()
        for square, parameter in zip(squares, parameters, strict=True):
            if parameter.grad is not None:
                square.add_(parameter.grad.square())
    for square, parameter in zip(squares, parameters, strict=True):
        parameter.grad = (square / len(starts)).sqrt()
