"""Run one step of a recipe on the file that the step before it made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .apprenticeship import Apprenticeship
from .convert import to_fp16
from .foreign import foreign_errors
from .mixed import quantize_mixed_int8
from .prune import prune_l1, sparsity_note
from .prune_channels import prune_channels
from .prune_taylor import prune_taylor
from .qat import qat
from .quantize import quantize_dynamic_int8, quantize_static_int8
from .recipe import Step
from .short_names import shorten_names
from .stepkinds import Fp16, Int8Dynamic, Int8Mixed, Int8Static, PruneChannels, PruneL1, PruneTaylor, Tflite
from .tflite_steps import on_tflite, to_tflite
from .train_step import train
from .trainsteps import Distil, Finetune, Qat
from .work import Made, Notes, Stepped, Work, artifact_path, calibration, scratch

if TYPE_CHECKING:
    from onnx import ModelProto


def run_step(work: Work, before: Made, step: Step, doing: str) -> Stepped:
    """Return what the step makes of the artifact `before`. Raises CompressionError and its kinds."""
    with foreign_errors(doing):
        if before.format == "tflite":
            return on_tflite(work, before, step)
        import onnx

        proto = onnx.load(artifact_path(work, before))
        if isinstance(step, Tflite):
            return to_tflite(work, before, proto, step, doing)
        result, notes = _on_onnx(work, proto, step, doing)
        return Stepped(content=result.SerializeToString(deterministic=True), notes=notes)


def _on_onnx(work: Work, proto: ModelProto, step: Step, doing: str) -> tuple[ModelProto, Notes]:
    match step:
        case PruneL1():
            return proto, (sparsity_note(prune_l1(proto, step)),)
        case Fp16():
            return to_fp16(proto)
        case Int8Dynamic():
            return shorten_names(quantize_dynamic_int8(proto, step, scratch(work))), ()
        case Int8Static():
            samples, note = calibration(work, step)
            return shorten_names(quantize_static_int8(proto, step, samples, scratch(work))), (note,)
        case Int8Mixed():
            samples, note = calibration(work, step)
            result, notes = quantize_mixed_int8(proto, step, samples, scratch(work))
            return shorten_names(result), (note, *notes)
        case PruneTaylor():
            return prune_taylor(proto, step, _apprenticeship(work, doing))
        case PruneChannels():
            return prune_channels(proto, step, _apprenticeship(work, doing), work.data)
        case Finetune():
            return train(proto, step, _apprenticeship(work, doing))
        case Distil():
            return train(proto, replace(step, teacher=work.teacher_path(step.teacher)), _apprenticeship(work, doing))
        case Qat():
            step = replace(step, teacher=work.teacher_path(step.teacher))
            result, notes = qat(proto, step, _apprenticeship(work, doing))
            return shorten_names(result), notes
        case Tflite():
            raise AssertionError("a conversion is no step from ONNX to ONNX")


def _apprenticeship(work: Work, doing: str) -> Apprenticeship:
    import onnx

    assert work.source is not None  # the model as it is comes before all steps
    return Apprenticeship(
        model=work.model,
        task=work.task,
        train=work.train,
        teacher=onnx.load(artifact_path(work, work.source)),
        checkpoints=work.cache / "checkpoints",
        doing=doing,
        progress=work.progress,
    )
