"""From a torch module to one ONNX file: the same bytes each time, without traces of the machine that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import libraries
from .foreign import foreign_errors
from .tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn
    from torch.export import ExportedProgram

OPSET = 18


def export_onnx(module: nn.Module, inputs: Sequence[TensorSpec], outputs: Sequence[str], *, doing: str) -> ModelProto:
    """Return the module, in evaluation mode, as a model with these inputs and these names of outputs, in order.

    The first dimension is free where the input's is free, else 1. Raises CompressionError where torch cannot export it.
    """
    libraries.require("torch", "onnxscript", what=doing)
    import torch

    with foreign_errors(doing), libraries.silent(), torch.no_grad():
        module = module.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
        proto = _onnx(export_program(module, inputs), inputs, outputs)
        _forget_the_machine(proto)
        _name_the_batch(proto)
        _check(proto)
    return proto


def export_program(module: nn.Module, inputs: Sequence[TensorSpec]) -> ExportedProgram:
    """Return the module as torch's own graph, its batch free where the inputs' first dimension is."""
    import torch

    # With an example of one sample torch would take a free dimension for the constant 1.
    examples = tuple(
        torch.zeros((2 if spec.shape[0] is None else 1, *spec.sample_shape), dtype=getattr(torch, spec.dtype))
        for spec in inputs
    )
    batch = torch.export.Dim("batch")
    free = tuple({0: batch} if spec.shape[0] is None else None for spec in inputs)
    return torch.export.export(module, examples, dynamic_shapes=_by_parameter(module, free), strict=False)


def _by_parameter(module: nn.Module, free: tuple[Any, ...]) -> tuple[Any, ...]:
    """Nest what `forward` takes as *args: torch asks for one entry a parameter."""
    import inspect

    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    return (free,) if kinds and kinds[0] is inspect.Parameter.VAR_POSITIONAL else free


def _onnx(program: ExportedProgram, inputs: Sequence[TensorSpec], outputs: Sequence[str]) -> ModelProto:
    import torch

    made = torch.onnx.export(
        program,
        (),
        dynamo=True,
        external_data=False,
        opset_version=OPSET,
        input_names=[spec.name for spec in inputs],
        output_names=list(outputs),
        verbose=False,
    )
    assert made is not None
    return made.model_proto


def _forget_the_machine(proto: ModelProto) -> None:
    """Remove the exporter's notes: they hold paths and stack traces."""
    for carrier in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        carrier.ClearField("metadata_props")
        carrier.ClearField("doc_string")
    for value in (*proto.graph.input, *proto.graph.output):
        value.ClearField("metadata_props")
        value.ClearField("doc_string")


def _name_the_batch(proto: ModelProto) -> None:
    """Call the free dimension `batch` everywhere: the exporter numbers it as it likes."""
    first = {value.type.tensor_type.shape.dim[0].dim_param for value in proto.graph.input} - {""}
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in first:
                dim.dim_param = "batch"


def _check(proto: ModelProto) -> None:
    import onnx

    onnx.checker.check_model(proto, full_check=True)
