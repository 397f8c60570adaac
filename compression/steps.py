"""Run one step of a recipe on the file that the step before it made."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .apprenticeship import Apprenticeship
from .data import Dataset, model_inputs
from .errors import CompressionError
from .foreign import disk_error, foreign_errors
from .formats import TRAINING
from .host import Progress
from .interface import Interface
from .model import Model
from .recipe import Step
from .stepkinds import (
    Fp16,
    Int8Dynamic,
    Int8Mixed,
    Int8Static,
    PruneChannels,
    PruneL1,
    PruneTaylor,
    Tflite,
)
from .task import Array, Task, subset_indices
from .trainsteps import SOURCE, Distil, Finetune, Qat

if TYPE_CHECKING:
    from onnx import ModelProto

SEED = 0
Notes = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a step gave: a file by its content, and how its inputs and outputs differ from the model's."""

    sha256: str
    bytes: int
    compressed_bytes: int
    notes: Notes
    format: str
    interface: Interface | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """The bytes of a new file with what is to be said of it."""

    content: bytes
    notes: Notes
    format: str = "onnx"
    interface: Interface | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all steps of a recipe share. `data` calibrates and checks, `train` teaches; `source` is the uncompressed
    artifact, the usual teacher. Paths in a recipe begin at `folder`."""

    model: Model
    task: Task
    data: Dataset
    train: Dataset | None
    cache: Path
    recipe: str
    folder: Path
    progress: Progress | None
    source: Made | None = None

    def starting_from(self, source: Made) -> Work:
        """Return the same work, its uncompressed artifact known."""
        return replace(self, source=source)

    def training_key(self, step: Step | None) -> list[str | None] | None:
        """Return what training hangs on besides the file and the parameters: its data and its teacher."""
        if step is None or not (step.kind in TRAINING or isinstance(step, PruneTaylor | PruneChannels)):
            return None
        teacher = getattr(step, "teacher", None)
        taught = None if teacher is None else self._teacher_sha256(teacher)
        return [None if self.train is None else self.train.sha256, taught]

    def _teacher_sha256(self, teacher: str) -> str | None:
        from .cache import sha256_of

        if teacher == SOURCE:
            return None if self.source is None else self.source.sha256
        try:
            return sha256_of((self.folder / teacher).read_bytes())
        except OSError as error:
            raise disk_error(f"Reading the teacher {teacher}", error) from error


def artifact_path(work: Work, made: Made) -> Path:
    """Return where the cache keeps a file."""
    return work.cache / "artifacts" / f"{made.sha256}.{made.format}"


def run_step(work: Work, before: Made, step: Step, doing: str) -> Stepped:
    """Return what the step makes of the artifact `before`. Raises CompressionError and its kinds."""
    if before.format == "tflite":
        return _on_tflite(work, before, step, doing)
    import onnx

    with foreign_errors(doing):
        proto = onnx.load(artifact_path(work, before))
        if isinstance(step, Tflite):
            return _to_tflite(work, before, proto, step)
        result, notes = _ON_ONNX[type(step)](work, proto, step, doing)
        return Stepped(content=result.SerializeToString(deterministic=True), notes=notes)


def _prune_l1(work: Work, proto: ModelProto, step: PruneL1, doing: str) -> tuple[ModelProto, Notes]:
    from .prune import prune_l1, sparsity_note

    return proto, (sparsity_note(prune_l1(proto, step)),)


def _fp16(work: Work, proto: ModelProto, step: Fp16, doing: str) -> tuple[ModelProto, Notes]:
    from .convert import to_fp16

    return to_fp16(proto)


def _int8_dynamic(work: Work, proto: ModelProto, step: Int8Dynamic, doing: str) -> tuple[ModelProto, Notes]:
    from .quantize import quantize_dynamic_int8

    return quantize_dynamic_int8(proto, step, _scratch(work)), ()


def _int8_static(work: Work, proto: ModelProto, step: Int8Static, doing: str) -> tuple[ModelProto, Notes]:
    from .quantize import quantize_static_int8

    samples, note = _calibration(work, step)
    return quantize_static_int8(proto, step, samples, _scratch(work)), (note,)


def _int8_mixed(work: Work, proto: ModelProto, step: Int8Mixed, doing: str) -> tuple[ModelProto, Notes]:
    from .mixed import quantize_mixed_int8

    samples, note = _calibration(work, step)
    result, notes = quantize_mixed_int8(proto, step, samples, _scratch(work))
    return result, (note, *notes)


def _prune_taylor(work: Work, proto: ModelProto, step: PruneTaylor, doing: str) -> tuple[ModelProto, Notes]:
    from .prune_taylor import prune_taylor

    return prune_taylor(proto, step, _apprenticeship(work, doing))


def _prune_channels(work: Work, proto: ModelProto, step: PruneChannels, doing: str) -> tuple[ModelProto, Notes]:
    from .prune_channels import prune_channels

    return prune_channels(proto, step, _apprenticeship(work, doing))


def _train(work: Work, proto: ModelProto, step: Finetune | Distil, doing: str) -> tuple[ModelProto, Notes]:
    from .train_step import train

    return train(proto, step, _apprenticeship(work, doing))


def _qat(work: Work, proto: ModelProto, step: Qat, doing: str) -> tuple[ModelProto, Notes]:
    from .qat import qat

    return qat(proto, step, _apprenticeship(work, doing))


_OnOnnx = Callable[[Work, Any, Any, str], tuple[Any, Notes]]
_ON_ONNX: dict[type[Step], _OnOnnx] = {
    PruneL1: _prune_l1,
    PruneTaylor: _prune_taylor,
    PruneChannels: _prune_channels,
    Finetune: _train,
    Distil: _train,
    Qat: _qat,
    Fp16: _fp16,
    Int8Dynamic: _int8_dynamic,
    Int8Static: _int8_static,
    Int8Mixed: _int8_mixed,
}


def _apprenticeship(work: Work, doing: str) -> Apprenticeship:
    import onnx

    assert work.source is not None  # the model as it is comes before all steps
    return Apprenticeship(
        model=work.model,
        task=work.task,
        train=work.train,
        teacher=onnx.load(artifact_path(work, work.source)),
        folder=work.folder,
        checkpoints=work.cache / "checkpoints",
        doing=doing,
        progress=work.progress,
    )


def _calibration(work: Work, step: Int8Static | Int8Mixed) -> tuple[list[dict[str, Array]], str]:
    indices = subset_indices(len(work.data), step.samples, SEED)
    inputs = model_inputs(work.data, work.model, work.task, indices)
    samples = [{name: values[i : i + 1] for name, values in inputs.items()} for i in range(len(indices))]
    if work.data.random:
        ranges = "so the ranges are not those of real data"
        return samples, f"{step.kind}: calibrated on {len(samples)} random inputs, {ranges}"
    return samples, f"{step.kind}: calibrated on {len(samples)} of {len(work.data)} samples of {work.data.name}"


def _scratch(work: Work) -> Path:
    folder = work.cache / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
