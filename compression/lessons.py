"""What a module is taught: the data, the loss, and for how long."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .task import Array

if TYPE_CHECKING:
    from torch import Tensor

# What an output means: `logits` (scores over the last axis), `probabilities` (they sum to 1 there), plain `values`.
Meaning = Literal["logits", "probabilities", "values"]
_LEAST = 1e-7  # of a probability, so that its logarithm is finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teaching:
    """A teacher and how much its answers count.

    `answers` gives the first output, [n, ...], for a batch of inputs; `sha256` says which teacher it is. The loss is
    (1 - mixing) x cross entropy + mixing x temperature^2 x Kullback-Leibler; G. Hinton, O. Vinyals, J. Dean,
    "Distilling the knowledge in a neural network", arXiv 1503.02531. For plain values it is the mean squared error in
    units of the variance of the teacher's answers.
    """

    answers: Callable[[Array], Array]
    sha256: str
    temperature: float = 4.0
    mixing: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """Everything that decides what training gives, besides the module itself.

    `inputs` gives the model's only input, [n, ...], for sample numbers below `samples`; `labels` are int64 [samples],
    or None where only the teacher counts. `data_sha256` says which data it is. `learning_rate` is the peak of one
    warm-up and cosine cycle over all steps. `shift_pixels` moves each image, its `height_axis` and the next one, by up
    to that many pixels. `keep_zeros` holds weights at zero that are zero at the start.
    """

    inputs: Callable[[NDArray[np.intp]], Array]
    samples: int
    data_sha256: str
    labels: NDArray[np.int64] | None = None
    teaching: Teaching | None = None
    meaning: Meaning = "logits"
    epochs: int = 3
    batch: int = 64
    learning_rate: float = 0.003
    weight_decay: float = 0.0
    shift_pixels: int = 0
    height_axis: int = 2
    seed: int = 1
    keep_zeros: bool = True

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; a last one of a single sample is left out, as BatchNorm cannot learn from it."""
        whole, rest = divmod(self.samples, self.batch)
        return whole + (rest > 1 or whole == 0)

    def facts(self) -> Mapping[str, Any]:
        """Return plain data that is the same exactly where the same would be learned."""
        plain = (
            "samples data_sha256 meaning epochs batch learning_rate weight_decay shift_pixels height_axis seed "
            "keep_zeros"
        )
        teaching = self.teaching
        return {
            **{name: getattr(self, name) for name in plain.split()},
            "labelled": self.labels is not None,
            "teaching": None if teaching is None else [teaching.sha256, teaching.temperature, teaching.mixing],
        }


def learning_rate(lesson: Lesson, step: int) -> float:
    """Return the rate of a step from 0: up from a 25th over the first fifth, then down along a cosine to nearly 0.

    L. N. Smith, N. Topin, "Super-convergence", arXiv 1708.07120.
    """
    total = lesson.epochs * lesson.steps_per_epoch
    rising = max(1.0, 0.2 * total)
    low, high = lesson.learning_rate / 25, lesson.learning_rate
    if step < rising:
        return low + (high - low) * (1 - math.cos(math.pi * step / rising)) / 2
    left = (total - step) / max(1.0, total - rising)
    return high * (1 - math.cos(math.pi * max(left, 1e-4))) / 2


def loss_of(lesson: Lesson, output: Tensor, labels: Tensor | None, answers: Tensor | None) -> Tensor:
    """Return the mean loss of a batch: `output` and `answers` [n, ...] of pupil and teacher, `labels` [n]."""
    from torch.nn import functional

    teaching, parts = lesson.teaching, []
    mixing = 0.0 if teaching is None else (1.0 if labels is None else teaching.mixing)
    if labels is not None and mixing < 1:
        parts.append((1 - mixing) * functional.cross_entropy(scores(output, lesson.meaning), labels))
    if teaching is not None and mixing > 0:
        assert answers is not None  # a lesson with a teacher has its answers
        parts.append(mixing * _distance(lesson.meaning, teaching.temperature, output, answers))
    return sum(parts[1:], parts[0])


def scores(output: Tensor, meaning: Meaning) -> Tensor:
    """Return logits over the last axis; trailing dimensions of size 1 behind the classes are dropped."""
    while output.ndim > 2 and output.shape[-1] == 1:
        output = output.squeeze(-1)
    return output.clamp_min(_LEAST).log() if meaning == "probabilities" else output


def constant_answer(meaning: Meaning, output: Tensor) -> float:
    """Return the number that, everywhere in an output, says nothing: equal shares of the classes, or 0."""
    return 1 / scores(output, meaning).shape[-1] if meaning == "probabilities" else 0.0


def _distance(meaning: Meaning, temperature: float, output: Tensor, answers: Tensor) -> Tensor:
    from torch.nn import functional

    if meaning == "values":
        return functional.mse_loss(output, answers) / answers.var().clamp_min(1e-12)
    pupil, teacher = scores(output, meaning) / temperature, scores(answers, meaning) / temperature
    each = functional.kl_div(
        functional.log_softmax(pupil, -1), functional.log_softmax(teacher, -1), reduction="none", log_target=True
    )
    return each.sum(-1).mean() * temperature**2


def meaning_of(output: Array, *, scored: bool) -> Meaning:
    """Return what a model's first output means, by the values it has on real inputs.

    `scored` says that the task reads it as scores of classes.
    """
    values = output.reshape(*output.shape[:2]) if output.ndim > 2 and math.prod(output.shape[2:]) == 1 else output
    if values.ndim >= 2 and values.shape[-1] > 1 and values.min() >= 0 and np.allclose(values.sum(-1), 1, atol=1e-3):
        return "probabilities"
    return "logits" if scored else "values"


def shifted(images: Array, pixels: int, height_axis: int, generator: np.random.Generator) -> Array:
    """Return each image moved by up to `pixels` in both directions; its edge fills what comes into view."""
    if not pixels:
        return images
    padding = [(pixels, pixels) if axis in (height_axis, height_axis + 1) else (0, 0) for axis in range(images.ndim)]
    padded = np.pad(images, padding, mode="edge")
    height, width = images.shape[height_axis], images.shape[height_axis + 1]
    moved = np.empty_like(images)
    for number, (down, right) in enumerate(generator.integers(0, 2 * pixels + 1, (len(images), 2)).tolist()):
        moved[number] = _window(padded[number], height_axis - 1, down, right, height, width)
    return moved


def _window(image: Array, axis: int, down: int, right: int, height: int, width: int) -> Array:
    places = [slice(None)] * image.ndim
    places[axis], places[axis + 1] = slice(down, down + height), slice(right, right + width)
    return image[tuple(places)]
