"""Quantization-aware training: the weights learn to live with 8 bits, then are written as 8 bits.

torchao rounds in the forward pass where `qat_scheme` says, and lets the gradient through as if it had not: B. Jacob
et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", arXiv
1712.05877. The result is an ONNX file with QuantizeLinear/DequantizeLinear pairs, as int8-static writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import libraries
from .apprenticeship import Apprenticeship
from .errors import CompressionError
from .foreign import foreign_errors
from .frontend import outputs_of, to_torch
from .integer_bias import with_integer_biases
from .sqnr import exact_outputs, sqnr_db
from .torch_export import export_onnx, export_program
from .train_step import CHECKED, checkpoint_path, few_inputs, lesson_of, training_data
from .training import fit
from .trainsteps import Qat
from .zero_points import with_own_zero_points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onnx import ModelProto
    from torch import nn
    from torch.fx import GraphModule

    from .task import Array
    from .tensor import TensorSpec

# A value on the edge between two steps is rounded up here and down there, which is noise of some 40 dB; a scale or a
# zero point that went astray leaves less than 10.
LEAST_SQNR_DB = 20.0


def qat(proto: ModelProto, step: Qat, apprenticeship: Apprenticeship) -> tuple[ModelProto, tuple[str, ...]]:
    """Return (the trained model with int8 weights, batch as free as the source's, notes).

    Raises UnsupportedRecipeError where training data, the extra `train` or an operator is lacking, CompressionError for
    a training that diverges or a result whose outputs in onnxruntime are not those of torch.
    """
    doing, inputs = apprenticeship.doing, apprenticeship.model.inputs
    data = training_data(step, apprenticeship)
    libraries.require("torch", "torchao", "onnxslim", "onnx2torch", "onnxscript", what=doing)
    few = few_inputs(data, apprenticeship, CHECKED)
    rounding = _with_rounding(to_torch(proto, inputs, few, doing=doing), inputs, few, doing)
    checkpoint = checkpoint_path(apprenticeship, step, proto)
    report = fit(
        rounding,
        lesson_of(step, data, apprenticeship),
        checkpoint=checkpoint,
        doing=doing,
        progress=apprenticeship.progress,
        before_epoch=_start_epoch,
    )
    module = _with_integers(rounding, doing)
    names = [spec.name for spec in apprenticeship.model.outputs]
    made = with_own_zero_points(with_integer_biases(export_onnx(module, inputs, names, doing=doing)))
    _check(module, made, few, doing)
    checkpoint.unlink(missing_ok=True)
    losses = ", ".join(f"{loss:.4f}" for loss in report.losses)
    return made, (f"qat: {report.epochs} epochs on {len(data)} samples of {data.name}, loss {losses}",)


def _with_rounding(
    module: nn.Module, inputs: Sequence[TensorSpec], few: Mapping[str, Array], doing: str
) -> GraphModule:
    """Return the module as a graph that rounds to 8 bits where qat_scheme says, ready to be trained."""
    with foreign_errors(doing), libraries.quiet():
        from torchao.quantization.pt2e import allow_exported_model_train_eval
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

        from .qat_scheme import quantizer

        graph = export_program(module.eval(), inputs).module()
        prepared = prepare_qat_pt2e(graph, quantizer())  # pyright: ignore[reportArgumentType]  it is a GraphModule
        rounding = allow_exported_model_train_eval(prepared)
    # Scales get their shapes, one number a channel, when the first values come: a checkpoint must find them there.
    outputs_of(rounding, few, doing=doing)
    return rounding


def _start_epoch(module: nn.Module, epoch: int) -> None:
    """Let ranges follow the data in every epoch: a restored checkpoint holds them, but not that they are followed."""
    from torchao.quantization.pt2e import enable_fake_quant, enable_observer

    _ = epoch
    module.train()
    module.apply(enable_observer)
    module.apply(enable_fake_quant)


def _with_integers(module: GraphModule, doing: str) -> GraphModule:
    """Return the trained graph with weights stored as integers and fixed scales."""
    with foreign_errors(doing), libraries.quiet():
        from torchao.quantization.pt2e import allow_exported_model_train_eval
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

        module.eval()
        converted = allow_exported_model_train_eval(convert_pt2e(module))
        converted.eval()  # of such a graph it returns nothing
        return converted


def _check(module: nn.Module, made: ModelProto, few: Mapping[str, Array], doing: str) -> None:
    expected = outputs_of(module, few, doing=doing)
    with foreign_errors(doing):
        samples = [{name: values[i : i + 1] for name, values in few.items()} for i in range(CHECKED)]
        found = exact_outputs(made, samples)
    ratio = sqnr_db(expected, [values.reshape(wanted.shape) for values, wanted in zip(found, expected, strict=True)])
    if ratio < LEAST_SQNR_DB:
        raise CompressionError(
            f"{doing}: in onnxruntime the outputs differ from torch's by {ratio:.1f} dB of signal over noise; at least "
            f"{LEAST_SQNR_DB:g} dB are required."
        )
