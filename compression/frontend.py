"""From an ONNX file to a torch module that gives the same answers and takes any number of samples at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from . import libraries
from .errors import CompressionError, UnsupportedRecipeError
from .foreign import foreign_errors
from .repairs import normalised
from .sessions import open_proto
from .task import Array
from .tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn
    from torch.fx import GraphModule

TOLERANCE = 1e-3  # of an output's largest value: float32 summed in another order stays below 1e-4
FLOOR = 1e-6  # and this much in any case: near 0 an output is all rounding
CHECKED_SAMPLES = 4
_OPERATOR = re.compile(r"OperationDescription\(domain='([^']*)', operation_type='([^']+)', version=(\d+)\)")


def to_torch(
    proto: ModelProto, inputs: Sequence[TensorSpec], samples: Mapping[str, Array], *, doing: str
) -> GraphModule:
    """Return the model as a module of torch, in evaluation mode; its operators are named by `repairs.layer_name`.

    `samples` are a few real inputs ([N, ...] by name): torch takes them all at once, and all its outputs must agree
    with onnxruntime's within TOLERANCE. Raises UnsupportedRecipeError for an operator that cannot be converted and
    CompressionError, with the figures, for outputs that differ.
    """
    libraries.require("torch", "onnxslim", "onnx2torch", what=doing)
    with foreign_errors(doing), libraries.quiet():
        import_module(f"{__package__}.operators")  # registers our operators
        module = _converted(normalised(proto, inputs), doing)
    compare(module, proto, samples, doing=doing)
    return module


def _converted(proto: ModelProto, doing: str) -> GraphModule:
    from onnx2torch import convert

    try:
        module: GraphModule = convert(proto)
    except NotImplementedError as error:
        raise UnsupportedRecipeError(f"{doing}: {_lacking(str(error))} cannot be brought into torch.") from error
    _train_constants(module)
    return module.eval()


def _lacking(message: str) -> str:
    found = _OPERATOR.search(message)
    if found is None:
        return f"an operator of the model ({message.rstrip('.')})"
    domain, operator, version = found.groups()
    return f"the operator `{operator}` (version {version}{f' of the domain {domain}' if domain else ''})"


def _train_constants(module: GraphModule) -> None:
    """Make parameters of stored float tensors that are added or multiplied: biases, scales, embeddings.

    Single numbers stay what they are: those are constants of the arithmetic, such as the 2 of a square.
    """
    from torch import nn

    container = getattr(module, "initializers", None)
    if not isinstance(container, nn.Module):
        return
    for name, value in list(container.named_buffers()):
        if value.is_floating_point() and value.numel() > 1:
            delattr(container, name)
            container.register_parameter(name, nn.Parameter(value))


def compare(module: nn.Module, proto: ModelProto, samples: Mapping[str, Array], *, doing: str) -> None:
    """Raise CompressionError unless torch and onnxruntime give the same outputs within TOLERANCE."""
    few = {name: values[:CHECKED_SAMPLES] for name, values in samples.items()}
    expected = open_proto(proto, doing=doing)(few)
    found = outputs_of(module, few, doing=doing)
    if len(found) != len(expected):
        raise CompressionError(f"{doing}: in torch the model has {len(found)} outputs instead of {len(expected)}.")
    for (name, wanted), given in zip(expected.items(), found, strict=True):
        if given.shape != wanted.shape:
            raise CompressionError(
                f"{doing}: torch takes {len(wanted)} samples at once into `{name}` {given.shape}, not {wanted.shape}."
            )
        difference, largest = float(np.abs(given - wanted).max(initial=0)), float(np.abs(wanted).max(initial=0))
        if not difference <= TOLERANCE * largest + FLOOR:
            raise CompressionError(
                f"{doing}: in torch output `{name}` differs by {difference:.3g} from onnxruntime's, whose largest "
                f"value is {largest:.3g}; {TOLERANCE:g} of that is allowed."
            )


def outputs_of(module: nn.Module, inputs: Mapping[str, Array], *, doing: str) -> list[Array]:
    """Return all outputs of a module in evaluation mode for inputs in the order of the model's own."""
    import torch

    with foreign_errors(doing), libraries.quiet(), torch.no_grad():
        outputs = module(*(torch.from_numpy(np.ascontiguousarray(values)) for values in inputs.values()))
    return [output.numpy() for output in as_tuple(outputs)]


def as_tuple(outputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return what a module gave as a tuple of tensors, also where it gave a single one."""
    from torch import Tensor

    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
