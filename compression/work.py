"""What the steps of a recipe share: the model, its data, the cache, and the file that the step before made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from .cache import sha256_of
from .data import Dataset, model_inputs
from .foreign import disk_error
from .formats import TRAINING
from .host import Progress
from .interface import Interface
from .model import Model
from .recipe import Step
from .stepkinds import Int8Mixed, Int8Static, PruneChannels, PruneTaylor
from .task import Array, Task, subset_indices
from .trainsteps import SOURCE

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

    def teacher_path(self, teacher: str | None) -> str | None:
        """Return a teacher's file from where the recipe's paths begin; `source` and None stay as they are."""
        return teacher if teacher in (None, SOURCE) else str(self.folder / teacher)

    def _teacher_sha256(self, teacher: str) -> str | None:
        if teacher == SOURCE:
            return None if self.source is None else self.source.sha256
        try:
            return sha256_of((self.folder / teacher).read_bytes())
        except OSError as error:
            raise disk_error(f"Reading the teacher {teacher}", error) from error


def artifact_path(work: Work, made: Made) -> Path:
    """Return where the cache keeps a file."""
    return work.cache / "artifacts" / f"{made.sha256}.{made.format}"


def calibration(work: Work, step: Int8Static | Int8Mixed) -> tuple[list[dict[str, Array]], str]:
    """Return (the samples that ranges are found on, one dict of inputs [1, ...] each; what they were, in words)."""
    indices = subset_indices(len(work.data), step.samples, SEED)
    inputs = model_inputs(work.data, work.model, work.task, indices)
    samples = [{name: values[i : i + 1] for name, values in inputs.items()} for i in range(len(indices))]
    if work.data.random:
        ranges = "so the ranges are not those of real data"
        return samples, f"{step.kind}: calibrated on {len(samples)} random inputs, {ranges}"
    return samples, f"{step.kind}: calibrated on {len(samples)} of {len(work.data)} samples of {work.data.name}"


def scratch(work: Work) -> Path:
    """Return the folder for files that are gone when a step ends."""
    folder = work.cache / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
