"""What a training step is given besides the model and its own parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .data import Dataset
from .host import Progress
from .model import Model
from .task import Task

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Apprenticeship:
    """The source model's facts, its task and training data, the teacher, and where checkpoints are kept.

    `train` is None where the plan names no training data. `teacher` is the model that the recipe starts from.
    `doing` begins the sentence of every error.
    """

    model: Model
    task: Task
    train: Dataset | None
    teacher: ModelProto
    checkpoints: Path
    doing: str
    progress: Progress | None = None
