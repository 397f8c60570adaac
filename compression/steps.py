"""Run one step of a recipe on the file that the step before it made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .apprenticeship import Apprenticeship
from .convert import to_fp16
from .data import Dataset, model_inputs
from .foreign import disk_error, foreign_errors
from .formats import TRAINING
from .host import Progress
from .interface import Interface
from .mixed import quantize_mixed_int8
from .model import Model
from .prune import prune_l1, sparsity_note
from .prune_channels import prune_channels
from .prune_taylor import prune_taylor
from .qat import qat
from .quantize import quantize_dynamic_int8, quantize_static_int8
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
from .train_step import train
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
    with foreign_errors(doing):
        if before.format == "tflite":
            return _on_tflite(work, before, step, doing)
        import onnx

        proto = onnx.load(artifact_path(work, before))
        if isinstance(step, Tflite):
            return _to_tflite(work, proto, step, doing)
        result, notes = _on_onnx(work, proto, step, doing)
        return Stepped(content=result.SerializeToString(deterministic=True), notes=notes)


def _on_onnx(work: Work, proto: ModelProto, step: Step, doing: str) -> tuple[ModelProto, Notes]:
    match step:
        case PruneL1():
            return proto, (sparsity_note(prune_l1(proto, step)),)
        case Fp16():
            return to_fp16(proto)
        case Int8Dynamic():
            return quantize_dynamic_int8(proto, step, _scratch(work)), ()
        case Int8Static():
            samples, note = _calibration(work, step)
            return quantize_static_int8(proto, step, samples, _scratch(work)), (note,)
        case Int8Mixed():
            samples, note = _calibration(work, step)
            result, notes = quantize_mixed_int8(proto, step, samples, _scratch(work))
            return result, (note, *notes)
        case PruneTaylor():
            return prune_taylor(proto, step, _apprenticeship(work, doing))
        case PruneChannels():
            return prune_channels(proto, step, _apprenticeship(work, doing))
        case Finetune() | Distil():
            return train(proto, step, _apprenticeship(work, doing))
        case Qat():
            return qat(proto, step, _apprenticeship(work, doing))
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
