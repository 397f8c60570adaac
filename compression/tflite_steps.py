"""The steps whose result is a TFLite file: the conversion from ONNX, and quantization behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .data import model_inputs
from .errors import CompressionError, UnsupportedRecipeError
from .host import run_each, stacked
from .interface import after_step, same
from .interface_search import find_interface
from .openfile import open_file
from .recipe import Step
from .stepkinds import Fp16, Int8Dynamic, Int8Static, Tflite
from .task import Array, subset_indices
from .tflite_by_torch import convert_by_torch
from .tflite_convert import convert_onnx
from .tflite_ports import read_ports
from .tflite_quantize import to_fp16, to_int8_dynamic, to_int8_static
from .work import SEED, Made, Notes, Stepped, Work, artifact_path, calibration, scratch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import ModelProto

Convert = Callable[[], bytes]

ASKED_SAMPLES = 4  # real inputs whose answers tell which port is which


def to_tflite(work: Work, before: Made, proto: ModelProto, step: Tflite, doing: str) -> Stepped:
    """Return the ONNX model as a float32 TFLite file, with what it takes and gives."""

    def say(what: str) -> None:
        if work.progress is not None:
            work.progress(what, 0, 1)

    indices = subset_indices(len(work.data), ASKED_SAMPLES, SEED)
    inputs = model_inputs(work.data, work.model, work.task, indices)

    def by_torch() -> bytes:
        return convert_by_torch(proto, work.model.inputs, inputs, doing=doing, say=say)

    content, via = _converted(step, lambda: convert_onnx(proto, work.model.inputs, say=say), by_torch)
    reference = _run(artifact_path(work, before), "onnx", inputs, doing)
    kept = scratch(work) / f"converted-{before.sha256[:16]}.tflite"
    try:
        kept.write_bytes(content)
        interface = find_interface(
            work.model.inputs,
            read_ports(content, where="The converted file"),
            inputs=inputs,
            reference=reference,
            run=lambda asked: _run(kept, "tflite", asked, doing),
            doing=doing,
        )
    finally:
        kept.unlink(missing_ok=True)
    return Stepped(content=content, notes=(f"tflite: converted by {via}",), format="tflite", interface=interface)


def _converted(step: Tflite, by_onnx2tf: Convert, by_torch: Convert) -> tuple[bytes, str]:
    """Return (file, by what): `auto` takes PyTorch's converter where no Python for onnx2tf is to be had."""
    if step.via == "litert-torch":
        return by_torch(), step.via
    try:
        return by_onnx2tf(), "onnx2tf"
    except UnsupportedRecipeError as error:
        if step.via != "auto":
            raise
        lacking = error
    try:
        return by_torch(), "litert-torch"
    except UnsupportedRecipeError:
        raise lacking from None


def on_tflite(work: Work, before: Made, step: Step) -> Stepped:
    """Return what fp16 or an int8 step makes of a TFLite file."""
    data = artifact_path(work, before).read_bytes()
    interface = before.interface or same(work.model.inputs, work.model.outputs)
    notes: Notes = ()
    match step:
        case Fp16():
            made = to_fp16(data)
        case Int8Dynamic():
            made = to_int8_dynamic(data, exclude=step.exclude)
        case Int8Static():
            _refuse_what_tflite_lacks(step)
            samples, note = calibration(work, step)
            inputs = {name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]}
            made = to_int8_static(data, interface.to_file(inputs), per_channel=step.per_channel, exclude=step.exclude)
            notes = (note,)
        case _:
            raise AssertionError(f"formats.py lets no {step.kind} come after TFLite")
    where = "The quantized file"
    ports = read_ports(data, where=where), read_ports(made, where=where)
    return Stepped(content=made, notes=notes, format="tflite", interface=after_step(interface, *ports))


def _refuse_what_tflite_lacks(step: Int8Static) -> None:
    """Ranges come from the minimum and maximum, and activations are asymmetric: ai-edge-quantizer has no other here."""
    if step.activation != "u8":
        raise UnsupportedRecipeError(
            f"`activation: {step.activation}` is for ONNX files; a TFLite file has asymmetric activations."
        )
    if step.operators:
        raise UnsupportedRecipeError("`operators` of `int8-static` is for ONNX files; a TFLite file takes `exclude`.")
    if step.calibrate != "minmax":
        raise UnsupportedRecipeError(f"`calibrate: {step.calibrate}` is for ONNX files; a TFLite file takes `minmax`.")


def _run(path: Path, file_format: str, inputs: Mapping[str, Array], doing: str) -> dict[str, Array]:
    runtime = open_file(path, file_format, None, doing=doing)
    if runtime is None:
        raise CompressionError(f"{doing}: this machine has no runtime that can run the file.")
    try:
        return stacked(list(run_each(runtime, inputs, doing=doing)))
    finally:
        runtime.close()
