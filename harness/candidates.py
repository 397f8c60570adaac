"""The candidates of a plan: artifacts, what this machine computes from them, and the inputs that go to the boards.

This is the harness's door to `compression`. Everything is cached by content, so that going on with a run costs nothing
here. Nothing is timed in this stage.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compression.apply import Artifact, apply_recipe
from ..compression.cache import write_atomically
from ..compression.costs import costs_facts, costs_of
from ..compression.data import Dataset, describe, golden_inputs, load_data, model_inputs, random_data, refuse_overlap
from ..compression.errors import CompressionError, UnsupportedRecipeError
from ..compression.evaluate import Evaluation, evaluate, host_outputs
from ..compression.model import Model, read_model
from ..compression.recipe import Recipe
from ..compression.task import Array, Preprocessing, Task, subset_indices
from ..reports.record import ArtifactFacts, Outcome
from ..targets.board import Board
from .answers import packed
from .plan import Cell, ModelPlan, Plan, TaskPlan
from .provenance import digest

if TYPE_CHECKING:
    from .progress import Progress, Say

GOLDEN_SAMPLES = 8
TIMING_SAMPLES = 16
SAY_EVERY_S = 5.0
BOARD_SAMPLES = {True: 100, False: 500}  # images judged on a board, by whether it is emulated


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """An .npz of model inputs as it goes to a board."""

    sha256: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardInputs:
    """What a board is sent for a model: golden, accuracy (None without a task) and timing inputs."""

    golden: InputFile
    accuracy: InputFile | None
    timing: InputFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model through one recipe, or the reason why there is no artifact. `host`: the facts of its accuracy here."""

    model: str
    recipe: Recipe
    made: Artifact | None
    artifact: ArtifactFacts | None
    host: Mapping[str, Any] | None
    outcome: Outcome
    reason: str | None = None

    @property
    def quantized(self) -> bool:
        """Whether it computes in int8, so that chips may differ by whole steps."""
        return any(step.kind.startswith("int8") for step in self.recipe.steps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A model of the plan with its data."""

    model: Model
    task: Task
    test: Dataset
    calibration: Dataset | None
    inputs: Mapping[int, BoardInputs]  # by the number of images judged on the board
    judged: Mapping[int, np.ndarray[Any, np.dtype[np.intp]]]


class Prepared:
    """All candidates of a plan, and what boards need of them."""

    def __init__(
        self, plan: Plan, sources: Mapping[str, Source], made: Mapping[tuple[str, str], Candidate], cache: Path
    ) -> None:
        self._plan = plan
        self._sources = sources
        self._made = made
        self._cache = cache

    @property
    def formats(self) -> Mapping[str, str]:
        """The format of each model by its name: `onnx` or `tflite`."""
        return {name: source.model.format for name, source in self._sources.items()}

    def candidate(self, cell: Cell) -> Candidate:
        """The candidate of a cell."""
        return self._made[cell.model, cell.recipe]

    def artifact(self, cell: Cell) -> Artifact:
        """The artifact of a cell that has one."""
        made = self.candidate(cell).made
        assert made is not None
        return made

    def inputs(self, cell: Cell, board: Board) -> BoardInputs:
        """The inputs of a cell on a board."""
        return self._sources[cell.model].inputs[board_samples(self._plan, board)]

    def files(self, cell: Cell, board: Board) -> dict[str, Path]:
        """Everything that a cell needs on a board, by sha256."""
        artifact, inputs = self.artifact(cell), self.inputs(cell, board)
        files = [inputs.golden, inputs.timing, *([inputs.accuracy] if inputs.accuracy else [])]
        return {artifact.sha256: artifact.path, **{file.sha256: file.path for file in files}}

    def golden_on_host(self, cell: Cell) -> dict[str, Array] | None:
        """Raw outputs of this machine for the golden inputs; None where it has no runtime for the format."""
        source = self._sources[cell.model]
        inputs = _golden(source.test, source.model, source.task, self._plan.seed)
        return host_outputs(self.artifact(cell), inputs, cache=self._cache)

    def judged(self, cell: Cell, board: Board) -> tuple[Array, Array | None] | None:
        """(labels, this machine's predictions or None) of the images that a board judges; None without a task."""
        source = self._sources[cell.model]
        labels = source.test.labels
        if source.task.metric is None or labels is None:
            return None
        indices = source.judged[board_samples(self._plan, board)]
        evaluation = evaluate(self.artifact(cell), source.model, source.test, source.task, cache=self._cache)
        return labels[indices], None if evaluation is None else evaluation.predictions[indices]

    def first_output(self, cell: Cell) -> str:
        """The name of the output that holds the scores."""
        return self._sources[cell.model].model.outputs[0].name


def plan_hash(plan: Plan, sources: Mapping[str, Source]) -> str:
    """Identifies a plan: its text, what its model and data files hold, its boards."""
    contents = {
        name: [s.model.sha256, s.test.sha256, None if s.calibration is None else s.calibration.sha256]
        for name, s in sources.items()
    }
    return digest({"plan": plan.source, "contents": contents, "boards": [repr(board) for board in plan.boards]})


def datasets(sources: Mapping[str, Source]) -> dict[str, Any]:
    """Name, hash and size of the data of each model: what a run keeps of it."""

    return {
        name: {"test": describe(s.test), "calibration": None if s.calibration is None else describe(s.calibration)}
        for name, s in sources.items()
    }


def board_samples(plan: Plan, board: Board) -> int:
    """How many images are judged on a board."""
    return plan.accuracy_samples or BOARD_SAMPLES[board.emulated]


def read_sources(plan: Plan, *, cache: Path) -> Mapping[str, Source]:
    """Read the plan's models with their data. Raises ModelError, a sentence for the first file that is wrong."""
    stand_ins = [board for pool in plan.pools.values() for board in pool]
    sizes = {board_samples(plan, board) for board in (*plan.boards, *stand_ins)}
    return {entry.name: _source(entry, plan.seed, sizes, cache) for entry in plan.models}


def prepare(plan: Plan, sources: Mapping[str, Source], *, cache: Path, progress: Progress) -> Prepared:
    """Make every candidate of a plan and judge it on this machine. A candidate that cannot be made has a reason."""
    made: dict[tuple[str, str], Candidate] = {}
    for name, source in sources.items():
        for recipe in plan.recipes:
            candidate = _candidate(name, recipe, source, cache, _Seldom(progress.about(name)))
            made[name, recipe.name] = candidate
            progress.say(f"{name}/{recipe.name}: {_told(candidate)}")
    return Prepared(plan, sources, made, cache)


def _told(candidate: Candidate) -> str:
    if candidate.artifact is None:
        return f"{candidate.outcome}: {candidate.reason}"
    accuracy = (
        ""
        if candidate.host is None or candidate.host["host"] is None
        else f", accuracy {candidate.host['host']:.2%} on this machine"
    )
    return f"{candidate.artifact.bytes / 1000:.0f} kB{accuracy}"


def _source(entry: ModelPlan, seed: int, sizes: set[int], cache: Path) -> Source:
    model = read_model(entry.file, shapes=entry.input_shapes)
    test, calibration, task = read_data(entry.task, model, seed)
    inputs: dict[int, BoardInputs] = {}
    judged: dict[int, np.ndarray[Any, np.dtype[np.intp]]] = {}

    def file(indices: np.ndarray[Any, np.dtype[np.intp]]) -> InputFile:
        return _input_file(model_inputs(test, model, task, indices), cache)

    for size in sizes:
        judged[size] = subset_indices(len(test), size, seed)
        inputs[size] = BoardInputs(
            golden=_input_file(_golden(test, model, task, seed), cache),
            accuracy=file(judged[size]) if task.metric else None,
            timing=file(subset_indices(len(test), TIMING_SAMPLES, seed + 1)),
        )
    return Source(model=model, task=task, test=test, calibration=calibration, inputs=inputs, judged=judged)


def _golden(test: Dataset, model: Model, task: Task, seed: int) -> dict[str, Array]:
    return golden_inputs(test, model, task, samples=GOLDEN_SAMPLES, seed=seed)


def read_data(wanted: TaskPlan, model: Model, seed: int) -> tuple[Dataset, Dataset | None, Task]:
    """Test data (random without any), calibration data, and the task with its preprocessing settled."""
    plain = Task(kind=wanted.kind, preprocessing=Preprocessing(layout=wanted.layout.upper()))
    test = random_data(model, seed=seed) if wanted.test is None else load_data(wanted.test, model, plain)
    scale = wanted.scale
    if scale is None:
        images = test.arrays.get("images")
        is_bytes = images is not None and images.dtype == np.uint8 and np.dtype(model.inputs[0].dtype).kind == "f"
        scale = 1 / 255 if is_bytes else 1.0
    preprocessing = Preprocessing(scale=scale, mean=wanted.mean, std=wanted.std, layout=wanted.layout.upper())
    task = Task(kind=wanted.kind, preprocessing=preprocessing)
    calibration = None
    if wanted.calibration is not None:
        calibration = load_data(wanted.calibration, model, Task(kind="none", preprocessing=preprocessing))
        if wanted.test is not None:
            refuse_overlap(calibration, test)
    return test, calibration, task


def _input_file(arrays: Mapping[str, Array], cache: Path) -> InputFile:
    data = _npz(arrays)
    sha256 = hashlib.sha256(data).hexdigest()
    path = cache / "inputs" / f"{sha256}.npz"
    if not path.exists():
        write_atomically(path, data)
    return InputFile(sha256=sha256, path=path)


def _npz(arrays: Mapping[str, Array]) -> bytes:
    """An .npz of arrays under any names, the same bytes for the same arrays (numpy's own takes names as keywords)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: no clock in the bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()


class _Seldom:
    """Says how far a long step is, every few seconds."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, of: int) -> None:
        if time.monotonic() - self._last >= SAY_EVERY_S:
            self._last = time.monotonic()
            self._say(f"{what}, {done} of {of}")


def _candidate(name: str, recipe: Recipe, source: Source, cache: Path, seldom: _Seldom) -> Candidate:
    try:
        artifact = apply_recipe(source.model, recipe, source.calibration, source.task, cache=cache, progress=seldom)
        evaluation = evaluate(artifact, source.model, source.test, source.task, cache=cache, progress=seldom)
    except UnsupportedRecipeError as error:
        return _failed(name, recipe, Outcome.UNSUPPORTED, error)
    except CompressionError as error:
        return _failed(name, recipe, Outcome.ERROR, error)
    facts = ArtifactFacts(
        sha256=artifact.sha256,
        bytes=artifact.bytes,
        compressed_bytes=artifact.compressed_bytes,
        format=artifact.format,
        path=str(artifact.path),
        notes=artifact.notes,
        costs=_costs(artifact, source.model),
    )
    judged = host_facts(source.task, evaluation)
    host = None if judged is None else {**judged, **_judged_file(artifact, evaluation, source.test.labels)}
    return Candidate(model=name, recipe=recipe, made=artifact, artifact=facts, host=host, outcome=Outcome.OK)


def _judged_file(artifact: Artifact, evaluation: Evaluation | None, labels: Array | None) -> Mapping[str, Any]:
    """Which file was judged and which images it got right: candidates are compared image by image."""
    right = None if evaluation is None or labels is None else packed(evaluation.predictions, labels)
    runtime = None if evaluation is None else evaluation.runtime
    return {"artifact_sha256": artifact.sha256, "host_right": right, "host_runtime": runtime}


def _costs(artifact: Artifact, model: Model) -> Mapping[str, Any] | None:
    """What is counted in an artifact; None where it cannot be, as that costs no figure of a board."""
    shapes = {spec.name: (1, *spec.sample_shape) for spec in model.inputs}
    try:
        return costs_facts(costs_of(artifact.path, artifact.format, shapes))
    except CompressionError:
        return None


def _failed(name: str, recipe: Recipe, outcome: Outcome, error: CompressionError) -> Candidate:
    reason = " ".join(str(error).split())
    return Candidate(model=name, recipe=recipe, made=None, artifact=None, host=None, outcome=outcome, reason=reason)


def host_facts(task: Task, evaluation: Evaluation | None) -> Mapping[str, Any] | None:
    """Accuracy facts of this machine; a task without a runtime here still has a metric, a model without a task none."""
    if evaluation is None:
        unknown = dict.fromkeys(("host", "host_ci_low", "host_ci_high", "host_samples"))
        return {"metric": task.metric or "none", **unknown}
    found = evaluation.score
    return {
        "metric": evaluation.metric,
        "host": found.accuracy,
        "host_ci_low": found.ci_low,
        "host_ci_high": found.ci_high,
        "host_samples": found.samples,
    }
