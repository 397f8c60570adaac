"""The steps of a recipe that train: fine-tuning, distillation, quantization-aware training.

All need the extra `train` and training data (`train` of the plan's task), labelled unless only a teacher is asked.
`learning_rate` is the peak of one warm-up and cosine cycle over all epochs; `shift_pixels` moves each image by up to
that many pixels, the one augmentation that suits any image.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import RecipeError
from .words import require_choice, require_least, require_positive

SOURCE = "source"  # the teacher is the model that the recipe starts from
STUDENTS = ("mobile-digits", "squeeze-digits")


def _check(kind: str, step: Finetune | Distil | Qat) -> None:
    for key in ("epochs", "batch"):
        require_least(kind, key, getattr(step, key), 1)
    for key in ("shift_pixels", "seed"):
        require_least(kind, key, getattr(step, key), 0)
    require_positive(kind, "learning_rate", step.learning_rate)
    if not 0 <= step.weight_decay < 1:
        raise RecipeError(f"`weight_decay` of `{kind}` is {step.weight_decay:g}; it must be 0 or more and below 1.")


def _check_mixing(kind: str, temperature: float, mixing: float) -> None:
    require_positive(kind, "temperature", temperature)
    if not 0 <= mixing <= 1:
        raise RecipeError(f"`mixing` of `{kind}` is {mixing:g}; it must lie from 0 to 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetune:
    """Train on the labels. Weights that are zero stay zero where `keep_zeros` says so."""

    kind: str = field(default="finetune", init=False)
    epochs: int = 3
    batch: int = 64
    learning_rate: float = 0.003
    weight_decay: float = 0.0
    shift_pixels: int = 0
    seed: int = 1
    keep_zeros: bool = True

    def __post_init__(self) -> None:
        _check(self.kind, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distil:
    """Train on a teacher's answers: (1 - mixing) x cross entropy + mixing x temperature^2 x Kullback-Leibler.

    `teacher` is `source` (the model that the recipe starts from) or an .onnx file. `student` names a small network to
    be trained from scratch in the model's place (`mobile-digits`, `squeeze-digits`); without one the model itself is
    trained. Without `labels` only the teacher counts (`mixing` is then 1). G. Hinton, O. Vinyals, J. Dean, "Distilling
    the knowledge in a neural network", arXiv 1503.02531.
    """

    kind: str = field(default="distil", init=False)
    teacher: str = SOURCE
    student: str | None = None
    temperature: float = 4.0
    mixing: float = 0.7
    labels: bool = True
    epochs: int = 3
    batch: int = 64
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    shift_pixels: int = 0
    seed: int = 1
    keep_zeros: bool = True

    def __post_init__(self) -> None:
        _check(self.kind, self)
        _check_mixing(self.kind, self.temperature, self.mixing)
        if self.student is not None:
            require_choice(self.kind, "student", self.student, STUDENTS)
        if not self.teacher:
            raise RecipeError("`teacher` of `distil` is empty; it is `source` or the path of an .onnx file.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Qat:
    """Train with 8-bit rounding in the loop (torchao, PT2E), then write int8 weights and activation ranges.

    With a `teacher` the loss is that of `distil`, else cross entropy.
    """

    kind: str = field(default="qat", init=False)
    teacher: str | None = SOURCE
    temperature: float = 4.0
    mixing: float = 0.7
    epochs: int = 2
    batch: int = 64
    learning_rate: float = 0.0005
    weight_decay: float = 0.0
    shift_pixels: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        _check(self.kind, self)
        _check_mixing(self.kind, self.temperature, self.mixing)


Training = Finetune | Distil | Qat
