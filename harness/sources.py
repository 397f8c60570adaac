"""The models of a plan with their data, read once: what candidates are made of and judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compression.cache import sha256_of
from ..compression.data import Dataset, describe, golden_inputs, model_inputs
from ..compression.errors import CompressionError, ModelError
from ..compression.factory import export_factory
from ..compression.input_layout import has_images
from ..compression.model import Model, read_model
from ..compression.recipe import Recipe
from ..compression.task import Array, Task, subset_indices
from ..compression.trainsteps import SOURCE
from ..compression.userfunction import function_sha256
from ..targets.board import Board
from .boardinputs import BoardInputs, InputFile, input_file
from .plan import ModelPlan, Plan
from .provenance import digest
from .taskdata import read_data

GOLDEN_SAMPLES = 8
TIMING_SAMPLES = 16
BOARD_SAMPLES = {True: 100, False: 500}  # images judged on a board, by whether it is emulated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A model of the plan with its data."""

    model: Model
    task: Task
    test: Dataset
    calibration: Dataset | None
    train: Dataset | None
    inputs: Mapping[int, BoardInputs]  # by the number of images judged on the board
    judged: Mapping[int, np.ndarray[Any, np.dtype[np.intp]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A model of the plan that could not be read, why, and the format that its name suggests."""

    reason: str
    format: str


Sources = Mapping[str, Source | Unread]


def image_layout(source: Source | Unread) -> str | None:
    """In which layout a model takes images, `nchw` or `nhwc`; None where no input has their four axes."""
    if isinstance(source, Unread) or not has_images(source.model.inputs):
        return None
    return source.task.preprocessing.layout.lower()


def read(sources: Sources) -> Mapping[str, Source]:
    """Those that could be read."""
    return {name: source for name, source in sources.items() if isinstance(source, Source)}


def formats(sources: Sources) -> Mapping[str, str]:
    """The format of each model by its name: `onnx` or `tflite`."""
    return {name: s.model.format if isinstance(s, Source) else s.format for name, s in sources.items()}


def plan_hash(plan: Plan, sources: Sources) -> str:
    """Identifies a plan: its text, what its model and data files hold, its boards."""
    contents: dict[str, list[Any]] = {
        name: [s.model.sha256, s.test.sha256, *(None if d is None else d.sha256 for d in (s.calibration, s.train))]
        for name, s in read(sources).items()
    }
    for name, s in read(sources).items():  # the text of a metric decides what is shipped, as data does
        contents[name] += [] if s.task.function is None else [function_sha256(s.task.function)]
        contents[name] += [s.task.characters] if s.task.characters else []
    contents |= {name: [s.reason] for name, s in sources.items() if isinstance(s, Unread)}
    taught = {word: _teacher_sha256(word, plan.path) for recipe in plan.recipes for word in _teachers(recipe)}
    return digest(
        {
            "plan": plan.source,
            "contents": contents,
            "boards": [repr(board) for board in plan.boards],
            **({"teachers": taught} if taught else {}),
        }
    )


def _teachers(recipe: Recipe) -> list[str]:
    """The files that a recipe learns from."""
    named = [getattr(step, "teacher", None) for step in recipe.steps]
    return [word for word in named if word is not None and word != SOURCE]


def _teacher_sha256(word: str, plan: Path | None) -> str | None:
    try:
        return sha256_of(((plan.parent if plan else Path()) / word).read_bytes())
    except OSError:
        return None  # the recipe says it


def datasets(sources: Sources) -> dict[str, Any]:
    """Name, hash and size of the data of each model: what a run keeps of it."""

    def told(source: Source) -> dict[str, Any]:
        known = {"test": source.test, "calibration": source.calibration, "train": source.train}
        return {role: None if data is None else describe(data) for role, data in known.items()}

    return {name: told(source) for name, source in read(sources).items()}


def board_samples(plan: Plan, board: Board) -> int:
    """How many images are judged on a board."""
    return plan.accuracy_samples or BOARD_SAMPLES[board.emulated]


def read_sources(plan: Plan, *, cache: Path) -> Sources:
    """Read the plan's models with their data. One that cannot be read keeps the others from nothing.

    Raises ModelError, a sentence for the first that is wrong, where none can be read.
    """
    stand_ins = [board for pool in plan.pools.values() for board in pool]
    sizes = {board_samples(plan, board) for board in (*plan.boards, *stand_ins)}
    found: dict[str, Source | Unread] = {}
    for entry in plan.models:
        try:
            found[entry.name] = _source(entry, plan.seed, sizes, cache)
        except CompressionError as error:
            if len(plan.models) == 1:
                raise
            found[entry.name] = Unread(reason=" ".join(str(error).split()), format=_guessed_format(entry))
    if not read(found):
        raise ModelError("\n".join(f"{name}: {s.reason}" for name, s in found.items() if isinstance(s, Unread)))
    return found


def _guessed_format(entry: ModelPlan) -> str:
    return "tflite" if entry.factory is None and entry.file.suffix == ".tflite" else "onnx"


def _source(entry: ModelPlan, seed: int, sizes: set[int], cache: Path) -> Source:
    model = read_model(_model_file(entry, cache), shapes=entry.input_shapes)
    data = read_data(entry.task, model, seed)
    test, task = data.test, data.task
    inputs: dict[int, BoardInputs] = {}
    judged: dict[int, np.ndarray[Any, np.dtype[np.intp]]] = {}

    def file(indices: np.ndarray[Any, np.dtype[np.intp]]) -> InputFile:
        return input_file(model_inputs(test, model, task, indices), cache)

    for size in sizes:
        judged[size] = subset_indices(len(test), size, seed)
        inputs[size] = BoardInputs(
            golden=input_file(golden(test, model, task, seed), cache),
            accuracy=file(judged[size]) if task.metric else None,
            timing=file(subset_indices(len(test), TIMING_SAMPLES, seed + 1)),
        )
    return Source(
        model=model, task=task, test=test, calibration=data.calibration, train=data.train, inputs=inputs, judged=judged
    )


def _model_file(entry: ModelPlan, cache: Path) -> Path:
    if entry.factory is None:
        return entry.file
    return export_factory(entry.factory.written, entry.input_shapes, cache, folder=entry.factory.folder)


def golden(test: Dataset, model: Model, task: Task, seed: int) -> dict[str, Array]:
    """The inputs whose raw outputs every board is compared on."""
    return golden_inputs(test, model, task, samples=GOLDEN_SAMPLES, seed=seed)
