"""The data and the task of a model as the plan names them, read and checked against the model and one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ..compression.data import Dataset, load_data, random_data, refuse_overlap
from ..compression.errors import ModelError
from ..compression.model import Model
from ..compression.task import Preprocessing, Task
from ..compression.text import embedded_characters, read_characters
from ..compression.userfunction import load_function
from .plan import TaskPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskData:
    """What a model is judged on, calibrated with and trained on; `test` is random inputs where the plan names none."""

    task: Task
    test: Dataset
    calibration: Dataset | None
    train: Dataset | None


def read_data(wanted: TaskPlan, model: Model, seed: int) -> TaskData:
    """Read all data of a task and settle its preprocessing: bytes become floats by 1/255 unless a scale is named.

    Raises ModelError where data does not fit the model or two sets of it share a sample, RecipeError where a function
    that the plan names cannot be used.
    """
    if wanted.function is not None:
        load_function(wanted.function)  # a metric that cannot be called is found before anything is compressed
    plain = Preprocessing(layout=wanted.layout.upper())
    task = Task(
        kind=wanted.kind,
        preprocessing=plain,
        metrics=wanted.metrics,
        characters=_characters(wanted, model),
        function=wanted.function,
    )
    test = random_data(model, seed=seed) if wanted.test is None else load_data(wanted.test, model, task)
    scale = _usual_scale(_stored(wanted, model, task, test), model) if wanted.scale is None else wanted.scale
    task = replace(task, preprocessing=replace(plain, scale=scale, mean=wanted.mean, std=wanted.std))
    calibration = None
    if wanted.calibration is not None:
        calibration = load_data(wanted.calibration, model, task, labels="dropped")
    train = None if wanted.train is None else load_data(wanted.train, model, task, labels="if-any")
    named = {"calibration": calibration, "training": train, "test": None if wanted.test is None else test}
    for (role, data), (other_role, other) in combinations(named.items(), 2):
        if data is not None and other is not None:
            refuse_overlap(data, other, roles=(role, other_role))
    return TaskData(task=task, test=test, calibration=calibration, train=train)


def _stored(wanted: TaskPlan, model: Model, task: Task, test: Dataset) -> Dataset:
    """Data of the user's that shows how pixels are stored; without test data the calibration or training data."""
    others = [word for word in (wanted.calibration, wanted.train) if word is not None]
    return load_data(others[0], model, task, labels="dropped") if wanted.test is None and others else test


def _usual_scale(data: Dataset, model: Model) -> float:
    images = data.arrays.get("images")
    is_bytes = images is not None and images.dtype == np.uint8 and np.dtype(model.inputs[0].dtype).kind == "f"
    return 1 / 255 if is_bytes else 1.0


def _characters(wanted: TaskPlan, model: Model) -> tuple[str, ...]:
    """The character set of a model that answers with texts; a model without one answers with classes."""
    if wanted.characters is not None:
        return read_characters(wanted.characters)
    if wanted.kind == "text-recognition":
        return embedded_characters(model)
    if wanted.kind == "agreement":
        try:
            return embedded_characters(model)
        except ModelError:
            return ()
    return ()
