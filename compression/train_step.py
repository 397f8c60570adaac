"""The steps `finetune` and `distil`: an ONNX model in, the trained one out."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import batch_norm, libraries
from .apprenticeship import Apprenticeship
from .cache import content_key, sha256_of
from .data import Dataset, model_inputs
from .errors import ModelError, UnsupportedRecipeError
from .foreign import foreign_errors
from .frontend import compare, to_torch
from .labels import require_classes
from .lessons import Lesson, Teaching, meaning_of
from .model import load_proto, read_model
from .sessions import open_proto
from .task import Array, subset_indices
from .torch_export import export_onnx
from .training import FitReport, fit
from .trainsteps import SOURCE, Distil, Finetune, Training

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto
    from torch import nn

CHECKED = 4
STATISTICS_SAMPLES = 256
STATISTICS_BATCHES = 4


def train(
    proto: ModelProto, step: Finetune | Distil, apprenticeship: Apprenticeship
) -> tuple[ModelProto, tuple[str, ...]]:
    """Return (the trained model with the inputs and output names of the source, notes).

    Raises UnsupportedRecipeError where training data, the extra `train` or an operator is lacking, CompressionError for
    a training that diverges or a result whose outputs in onnxruntime are not those of torch.
    """
    data = training_data(step, apprenticeship)
    libraries.require("torch", "onnxslim", "onnx2torch", "onnxscript", what=apprenticeship.doing)
    few = few_inputs(data, apprenticeship, CHECKED)
    module, folded = _pupil(proto, step, data, apprenticeship, few)
    lesson = lesson_of(step, data, apprenticeship)
    checkpoint = checkpoint_path(apprenticeship, step, proto)
    report = fit(module, lesson, checkpoint=checkpoint, doing=apprenticeship.doing, progress=apprenticeship.progress)
    batch_norm.fold(module.eval(), folded)
    names = [spec.name for spec in apprenticeship.model.outputs]
    trained = export_onnx(module, apprenticeship.model.inputs, names, doing=apprenticeship.doing)
    compare(module, trained, few, doing=apprenticeship.doing)
    checkpoint.unlink(missing_ok=True)
    return trained, (_note(step, report, lesson, data, folded),)


def training_data(step: Training, apprenticeship: Apprenticeship) -> Dataset:
    """Return the training data, or raise UnsupportedRecipeError with what the plan lacks."""
    wants_labels = not (isinstance(step, Distil) and not step.labels)
    data = apprenticeship.train
    if data is None or data.random or (wants_labels and data.labels is None):
        kind = "labelled training data" if wants_labels else "training data"
        hint = ", or `labels: false` to learn from the teacher alone" if isinstance(step, Distil) and data else ""
        raise UnsupportedRecipeError(f"`{step.kind}` needs {kind}: `train:` in the plan's task{hint}.")
    if wants_labels:
        require_classes(step.kind, apprenticeship.task.kind)
    if len(apprenticeship.model.inputs) != 1:
        raise UnsupportedRecipeError(
            f"`{step.kind}` trains models with one input; {apprenticeship.model.path.name} has "
            f"{len(apprenticeship.model.inputs)}."
        )
    if len(data) < 2:
        raise ModelError(f"{data.name} has a single sample: nothing can be learned from it.")
    return data


def few_inputs(data: Dataset, apprenticeship: Apprenticeship, samples: int) -> dict[str, Array]:
    """Return inputs of a fixed choice of the training samples, [n, ...] by name."""
    indices = subset_indices(len(data), samples, 0)
    return model_inputs(data, apprenticeship.model, apprenticeship.task, indices)


def lesson_of(step: Training, data: Dataset, apprenticeship: Apprenticeship) -> Lesson:
    """Return the lesson that a step's parameters ask for; raises RecipeError or ModelError where they do not fit."""
    model, task = apprenticeship.model, apprenticeship.task
    spec = model.inputs[0]

    def inputs(indices: NDArray[np.intp]) -> Array:
        return model_inputs(data, model, task, indices)[spec.name]

    if step.shift_pixels and len(spec.shape) != 4:
        raise UnsupportedRecipeError(f"`shift_pixels` of `{step.kind}` moves images; input `{spec.name}` is none.")
    teacher = _teacher(step, apprenticeship)
    probe = teacher if teacher is not None else apprenticeship.teacher
    first = model.outputs[0].name
    outputs = open_proto(probe, doing=apprenticeship.doing)(few_inputs(data, apprenticeship, CHECKED))
    answer = outputs.get(first, next(iter(outputs.values())))
    meaning = meaning_of(answer, scored=task.kind not in ("none", "detection"))
    labels = None if isinstance(step, Distil) and not step.labels else data.labels
    if labels is not None:
        _refuse_foreign_labels(data, labels, answer)
    return Lesson(
        inputs=inputs,
        samples=len(data),
        data_sha256=content_key(data=data.sha256, preprocessing=repr(task.preprocessing), inputs=repr(model.inputs)),
        labels=labels,
        teaching=None if teacher is None else _teaching(step, teacher, apprenticeship),
        meaning=meaning,
        epochs=step.epochs,
        batch=min(step.batch, len(data)),
        learning_rate=step.learning_rate,
        weight_decay=step.weight_decay,
        shift_pixels=step.shift_pixels,
        height_axis=2 if task.preprocessing.layout == "NCHW" else 1,
        seed=step.seed,
        keep_zeros=getattr(step, "keep_zeros", True),
    )


def checkpoint_path(apprenticeship: Apprenticeship, step: Training, proto: ModelProto) -> Path:
    """Return where this training of this model is kept between epochs."""
    data = apprenticeship.train.sha256 if apprenticeship.train is not None else None
    key = content_key(step=repr(step), model=sha256_of(proto.SerializeToString(deterministic=True)), data=data)
    return apprenticeship.checkpoints / f"{key[:32]}.ckpt"


def _refuse_foreign_labels(data: Dataset, labels: NDArray[np.int64], answer: Array) -> None:
    classes, highest = answer.shape[1], int(labels.max())
    if highest >= classes:
        raise ModelError(f"{data.name} has the label {highest}, but the model knows classes 0 to {classes - 1}.")
    if len(np.unique(labels)) < 2:
        raise ModelError(f"{data.name} holds one class only: nothing can be learned from it.")


def _teacher(step: Training, apprenticeship: Apprenticeship) -> ModelProto | None:
    if isinstance(step, Finetune) or step.teacher is None:
        return None
    if step.teacher == SOURCE:
        return apprenticeship.teacher
    model = apprenticeship.model
    shapes = {spec.name: [size or 1 for size in spec.shape] for spec in model.inputs}
    teacher = read_model(Path(step.teacher), shapes=shapes)
    if teacher.format != "onnx":
        raise UnsupportedRecipeError(f"The teacher {step.teacher} is a TFLite file; a teacher is an .onnx file.")
    if [spec.sample_shape for spec in teacher.inputs] != [spec.sample_shape for spec in model.inputs]:
        raise ModelError(f"The teacher {step.teacher} takes other inputs than {model.path.name}.")
    return load_proto(teacher)


def _teaching(step: Training, teacher: ModelProto, apprenticeship: Apprenticeship) -> Teaching:
    assert not isinstance(step, Finetune)
    session = open_proto(teacher, doing=f"{apprenticeship.doing}: the teacher")
    stored = {tensor.name for tensor in teacher.graph.initializer}
    name = next(value.name for value in teacher.graph.input if value.name not in stored)

    def answers(inputs: Array) -> Array:
        return next(iter(session({name: inputs}).values()))

    return Teaching(
        answers=answers,
        sha256=sha256_of(teacher.SerializeToString(deterministic=True)),
        temperature=step.temperature,
        mixing=step.mixing,
    )


def _pupil(
    proto: ModelProto, step: Finetune | Distil, data: Dataset, apprenticeship: Apprenticeship, few: dict[str, Array]
) -> tuple[nn.Module, tuple[str, ...]]:
    """Return (the module to be trained, names of the convolutions whose BatchNorm is folded afterwards)."""
    import torch

    model = apprenticeship.model
    if isinstance(step, Distil) and step.student is not None:
        students = import_module(f"{__package__}.students")
        return students.student(step.student, model.inputs[0], model.outputs[0], step.seed), ()
    module = to_torch(proto, model.inputs, few, doing=apprenticeship.doing)
    values = few_inputs(data, apprenticeship, STATISTICS_SAMPLES)[model.inputs[0].name]
    batches = torch.from_numpy(values).split(max(1, len(values) // STATISTICS_BATCHES))
    with foreign_errors(apprenticeship.doing), libraries.quiet():
        folded = batch_norm.put_back(module, batches)
        # Channels last in memory: a step of the digits model takes three quarters of the time.
        return module.to(memory_format=torch.channels_last), folded  # pyright: ignore[reportCallIssue]


def _note(step: Finetune | Distil, report: FitReport, lesson: Lesson, data: Dataset, folded: Sequence[str]) -> str:
    losses = ", ".join(f"{loss:.4f}" for loss in report.losses)
    norms = f"; BatchNorm was put back behind {len(folded)} convolutions for it" if folded else ""
    epochs = f"{report.epochs} epoch{'s' * (report.epochs > 1)}"
    return f"{step.kind}: {epochs} on {lesson.samples} samples of {data.name}, loss {losses}{norms}"
