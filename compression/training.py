"""One loop for all that trains: the same weights each time for the same lesson, also after a kill in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import checkpoints, libraries
from .cache import content_key
from .errors import CompressionError
from .foreign import foreign_errors
from .frontend import as_tuple
from .host import Progress
from .lessons import Lesson, constant_answer, learning_rate, loss_of, shifted
from .task import Array

if TYPE_CHECKING:
    from torch import Tensor, nn

# An epoch's loss beyond this many times the worst of the start cannot be noise; nor can a last epoch beyond the second.
RUNAWAY = 3.0
AT_LAST = 1.2
_REPORTS_PER_EPOCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a training did: the mean loss of each epoch, and at which epoch it was taken up again (0: at the start)."""

    epochs: int
    losses: tuple[float, ...]
    resumed_from: int
    seconds: float


Start = Callable[["nn.Module", int], None]


def start_epoch(module: nn.Module, epoch: int) -> None:
    """Put a plain module into training mode; what `fit` does before each epoch unless told otherwise."""
    _ = epoch
    module.train()


def fit(
    module: nn.Module,
    lesson: Lesson,
    *,
    checkpoint: Path,
    doing: str,
    progress: Progress | None = None,
    before_epoch: Start = start_epoch,
) -> FitReport:
    """Train the module in place and leave it in the state after the last epoch.

    After each epoch all that decides the rest is written to `checkpoint`; the next call with the same module and lesson
    goes on from there and ends with the same weights as an undisturbed one. `before_epoch` (module, epoch from 0) sets
    the module's mode. Raises CompressionError where the loss runs away or the disk refuses; Ctrl-C passes through.
    """
    libraries.require("torch", what=doing)
    started = time.monotonic()
    with foreign_errors(doing), libraries.quiet():
        course = _Course(
            module=module, lesson=lesson, doing=doing, progress=progress, optimizer=_optimizer(module, lesson, doing)
        )
        key = content_key(lesson=lesson.facts(), start=checkpoints.fingerprint(module), versions=libraries.versions())
        masks = _masks(module) if lesson.keep_zeros else []
        first_epoch = _resume(course, checkpoint, key)
        for epoch in range(first_epoch, lesson.epochs):
            before_epoch(module, epoch)
            _run_epoch(course, epoch, masks)
            checkpoints.save(checkpoint, key, _state(course))
        _refuse_what_learned_nothing(course)
    return FitReport(
        epochs=lesson.epochs,
        losses=tuple(course.losses),
        resumed_from=first_epoch,
        seconds=time.monotonic() - started,
    )


@dataclass(slots=True, kw_only=True)
class _Course:
    """A training under way.

    `reference` is the larger of the first batch's loss and of the loss that a constant answer has in the first epoch.
    """

    module: nn.Module
    lesson: Lesson
    doing: str
    progress: Progress | None
    optimizer: Any
    losses: list[float] = field(default_factory=list[float])
    reference: float = 0.0
    steps_here: int = 0
    began: float = field(default_factory=time.monotonic)


def _optimizer(module: nn.Module, lesson: Lesson, doing: str) -> Any:
    import torch

    parameters = [p for p in module.parameters() if p.requires_grad]
    # Decay is for weights: on biases and scales it only shifts the answers.
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": lesson.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    filled = [group for group in groups if group["params"]]
    if not filled:
        raise CompressionError(f"{doing}: the model holds no weights that can be trained.")
    return torch.optim.AdamW(filled, lr=lesson.learning_rate)


def _masks(module: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Return (weights, where they are not zero) of all weights that hold zeros."""
    found = [(p, (p != 0).to(p.dtype)) for p in module.parameters() if p.ndim >= 2]
    return [(p.data, mask) for p, mask in found if not bool(mask.all())]


def _resume(course: _Course, checkpoint: Path, key: str) -> int:
    state = checkpoints.load(checkpoint, key)
    if state is None:
        return 0
    course.module.load_state_dict(state["module"])
    course.optimizer.load_state_dict(state["optimizer"])
    course.losses = list(state["losses"])
    course.reference = state["reference"]
    return len(course.losses)


def _state(course: _Course) -> dict[str, Any]:
    return {
        "module": course.module.state_dict(),
        "optimizer": course.optimizer.state_dict(),
        "losses": course.losses,
        "reference": course.reference,
    }


def _run_epoch(course: _Course, epoch: int, masks: list[tuple[Tensor, Tensor]]) -> None:
    import torch

    lesson = course.lesson
    # Each epoch has generators of its own, so a checkpoint need not hold any.
    generator = np.random.default_rng([lesson.seed, epoch])
    torch.manual_seed(int(generator.integers(2**31)))
    order = generator.permutation(lesson.samples)
    losses: list[float] = []
    constants: list[float] = []
    for number in range(lesson.steps_per_epoch):
        chosen = order[number * lesson.batch : (number + 1) * lesson.batch]
        inputs = shifted(lesson.inputs(chosen), lesson.shift_pixels, lesson.height_axis, generator)
        loss, constant = _step(course, epoch * lesson.steps_per_epoch + number, inputs, chosen)
        for weights, mask in masks:
            weights.mul_(mask)
        losses.append(loss)
        constants.append(constant)
        _report(course, epoch, number + 1, sum(losses) / len(losses))
    if epoch == 0:
        course.reference = max(losses[0], sum(constants) / len(constants))
    course.losses.append(sum(losses) / len(losses))
    if course.losses[-1] > RUNAWAY * course.reference:
        raise _diverged(course, epoch, course.losses[-1])


def _step(course: _Course, step: int, inputs: Array, chosen: NDArray[np.intp]) -> tuple[float, float]:
    """Take one step of the optimizer; return the batch's losses before it: the module's, a constant answer's."""
    import torch

    lesson = course.lesson
    batch = torch.from_numpy(np.ascontiguousarray(inputs))
    labels = None if lesson.labels is None else torch.from_numpy(lesson.labels[chosen])
    answers = None if lesson.teaching is None else torch.from_numpy(lesson.teaching.answers(inputs))
    output = as_tuple(course.module(batch))[0]
    loss = loss_of(lesson, output, labels, answers)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise _diverged(course, step // lesson.steps_per_epoch, value)
    constant = loss_of(lesson, torch.full_like(output, constant_answer(lesson.meaning, output)), labels, answers)
    rate = learning_rate(lesson, step)
    for group in course.optimizer.param_groups:
        group["lr"] = rate
    course.optimizer.zero_grad()
    loss.backward()
    course.optimizer.step()
    return value, float(constant)


def _diverged(course: _Course, epoch: int, loss: float) -> CompressionError:
    return CompressionError(
        f"{course.doing}: training diverged in epoch {epoch + 1} (loss {loss:.3g}): lower `learning_rate`."
    )


def _refuse_what_learned_nothing(course: _Course) -> None:
    """Raise where the last epoch is worse than a constant answer and than the start: all is lost."""
    if course.losses[-1] > AT_LAST * course.reference:
        raise _diverged(course, course.lesson.epochs - 1, course.losses[-1])


def _report(course: _Course, epoch: int, number: int, loss: float) -> None:
    course.steps_here += 1
    each = course.lesson.steps_per_epoch
    if course.progress is None or (number % max(1, each // _REPORTS_PER_EPOCH) and number != each):
        return
    done, of = epoch * each + number, course.lesson.epochs * each
    left_s = (time.monotonic() - course.began) / course.steps_here * (of - done)
    text = f"{course.doing}: epoch {epoch + 1} of {course.lesson.epochs}, loss {loss:.4f}, {left_s:.0f} s left"
    course.progress(text, done, of)
