"""The candidates of a plan: artifacts, what this machine computes from them, and the inputs that go to the boards.

This is the harness's door to `compression`. Everything is cached by content, so that going on with a run costs nothing
here. Nothing is timed in this stage.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compression.apply import Artifact, apply_recipe
from ..compression.costs import costs_facts, costs_of
from ..compression.errors import CompressionError, UnsupportedRecipeError
from ..compression.evaluate import Evaluation, evaluate, host_outputs, wanted_answers
from ..compression.input_layout import LaidOut, laid_out
from ..compression.interface import Interface
from ..compression.model import Model
from ..compression.recipe import Recipe
from ..compression.task import Array, Task
from ..reports.record import ArtifactFacts, Outcome
from ..targets.board import Board
from .answers import packed
from .boardinputs import BoardInputs
from .plan import Cell, Plan, expand
from .sources import Source, Sources, Unread, board_samples, formats, golden, read

if TYPE_CHECKING:
    from .progress import Progress, Say

SAY_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardJudgement:
    """How a board's raw outputs for the test samples at `indices` are judged.

    `wanted` is what is right for the whole test set (None where only the task's own metric knows), `host` what this
    machine found for the same artifact (None where it cannot run it), `output` the name of the output with the answer.
    """

    task: Task
    output: str
    indices: np.ndarray[Any, np.dtype[np.intp]]
    wanted: Array | None
    host: Evaluation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model through one recipe, or the reason why there is no artifact.

    `hosts`: the facts of its accuracy on this machine by judging runtime; None without a task.
    """

    model: str
    recipe: Recipe
    made: Artifact | None
    artifact: ArtifactFacts | None
    hosts: Mapping[str, Mapping[str, Any] | None]
    outcome: Outcome
    reason: str | None = None

    @property
    def quantized(self) -> bool:
        """Whether it computes in int8, so that chips may differ by whole steps."""
        return any(step.kind.startswith("int8") or step.kind == "qat" for step in self.recipe.steps)


class Prepared:
    """All candidates of a plan, and what boards need of them."""

    def __init__(self, plan: Plan, sources: Sources, made: Mapping[tuple[str, str], Candidate], cache: Path) -> None:
        self._plan = plan
        self._formats = formats(sources)
        self._sources = read(sources)
        self._made = made
        self._cache = cache
        self._files: dict[tuple[str, str, str], LaidOut] = {}
        self._turned: dict[tuple[BoardInputs, Interface], BoardInputs] = {}

    @property
    def formats(self) -> Mapping[str, str]:
        """The format of each model by its name: `onnx` or `tflite`."""
        return self._formats

    def candidate(self, cell: Cell) -> Candidate:
        """The candidate of a cell."""
        return self._made[cell.model, cell.recipe]

    def artifact(self, cell: Cell) -> Artifact:
        """The artifact of a cell that has one."""
        made = self.candidate(cell).made
        assert made is not None
        return made

    def host(self, cell: Cell) -> Mapping[str, Any] | None:
        """The facts of the accuracy on this machine, by the runtime of the cell."""
        candidate = self.candidate(cell)
        if cell.runtime not in candidate.hosts and candidate.made is not None:  # a board that came in later
            source = self._sources[cell.model]
            return _host(candidate.made, source, cell.runtime, self._cache, None)
        return candidate.hosts.get(cell.runtime)

    def file(self, cell: Cell, layout: str | None = None) -> LaidOut:
        """The file of a cell, taking its images in a layout (`nchw`, `nhwc`); None = as it does.

        Raises UnsupportedRecipeError where the layout cannot be chosen.
        """
        artifact, source = self.artifact(cell), self._sources[cell.model]
        now = source.task.preprocessing.layout
        wanted = now if layout is None else layout.upper()
        key = (cell.model, artifact.sha256, wanted)
        if key not in self._files:
            model = (source.model.inputs, source.model.outputs)
            self._files[key] = laid_out(artifact, model, now, wanted, cache=self._cache)
        return self._files[key]

    def lacks_layout(self, cell: Cell, layout: str | None) -> str | None:
        """Why the file of a cell cannot have a layout, in a sentence; None where it can."""
        try:
            self.file(cell, layout)
        except UnsupportedRecipeError as error:
            return str(error)
        return None

    def inputs(self, cell: Cell, board: Board, layout: str | None = None) -> BoardInputs:
        """The inputs of a cell on a board, as its file takes them; `layout` as in `file`."""
        inputs = self._sources[cell.model].inputs[board_samples(self._plan, board)]
        interface = self.file(cell, layout).interface
        if interface is None:
            return inputs
        key = (inputs, interface)  # all of them: boards share the golden inputs, not the number of images judged
        if key not in self._turned:
            self._turned[key] = inputs.turned(interface, self._cache)
        return self._turned[key]

    def in_models_terms(self, cell: Cell, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """What a board's file gave, as the model gives it; as it is where outputs are missing."""
        interface = self.artifact(cell).interface
        if interface is None or any(port.file_name not in outputs for port in interface.outputs):
            return outputs
        return interface.from_file(outputs)

    def files(self, cell: Cell, board: Board, layout: str | None = None) -> dict[str, Path]:
        """Everything that a cell needs on a board, by sha256; `layout` as in `file`."""
        model, inputs = self.file(cell, layout), self.inputs(cell, board, layout)
        files = [inputs.golden, inputs.timing, *([inputs.accuracy] if inputs.accuracy else [])]
        return {model.sha256: model.path, **{file.sha256: file.path for file in files}}

    def golden_on_host(self, cell: Cell) -> dict[str, Array] | None:
        """Raw outputs of this machine for the golden inputs; None where it has no runtime for the format."""
        source = self._sources[cell.model]
        inputs = golden(source.test, source.model, source.task, self._plan.seed)
        return host_outputs(self.artifact(cell), inputs, cache=self._cache, runtime=cell.runtime)

    def judged(self, cell: Cell, board: Board) -> BoardJudgement | None:
        """What the answers of a board are judged by; None without a task, or where nobody knows the right answers."""
        source = self._sources[cell.model]
        if source.task.metric is None:
            return None
        wanted = wanted_answers(source.model, source.test, source.task, cache=self._cache)
        if wanted is None and source.task.kind != "custom":
            return None
        return BoardJudgement(
            task=source.task,
            output=source.model.outputs[0].name,
            indices=source.judged[board_samples(self._plan, board)],
            wanted=wanted,
            host=evaluate(
                self.artifact(cell), source.model, source.test, source.task, cache=self._cache, runtime=cell.runtime
            ),
        )


def prepare(plan: Plan, sources: Sources, *, cache: Path, progress: Progress) -> Prepared:
    """Make every candidate of a plan and judge it on this machine. A candidate that cannot be made has a reason."""
    made: dict[tuple[str, str], Candidate] = {}
    runtimes = _runtimes(plan, sources)
    for name, source in sources.items():
        for recipe in plan.recipes:
            if isinstance(source, Unread):
                candidate = _failed(name, recipe, Outcome.ERROR, source.reason)
            else:
                judges = runtimes.get((name, recipe.name), [])
                candidate = _candidate(name, recipe, source, judges, plan, cache, _Seldom(progress.about(name)))
            made[name, recipe.name] = candidate
            progress.say(f"{name}/{recipe.name}: {_told(candidate)}")
    return Prepared(plan, sources, made, cache)


def _told(candidate: Candidate) -> str:
    if candidate.artifact is None:
        return f"{candidate.outcome}: {candidate.reason}"
    known = {name: facts["host"] for name, facts in candidate.hosts.items() if facts and facts["host"] is not None}
    told = [f", accuracy {share:.2%} in {name} on this machine" for name, share in known.items()]
    return f"{candidate.artifact.bytes / 1000:.0f} kB{''.join(told)}"


def _runtimes(plan: Plan, sources: Sources) -> dict[tuple[str, str], list[str]]:
    """By which runtimes each candidate is judged on this machine: those that it will meet on the boards."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in expand(plan, formats(sources)):
        judges = found.setdefault((cell.model, cell.recipe), [])
        if cell.skip is None and cell.runtime not in judges:
            judges.append(cell.runtime)
    return found


class _Seldom:
    """Says how far a long step is, every few seconds."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, of: int) -> None:
        if time.monotonic() - self._last >= SAY_EVERY_S:
            self._last = time.monotonic()
            self._say(f"{what}, {done} of {of}")


def _candidate(
    name: str, recipe: Recipe, source: Source, judges: Sequence[str], plan: Plan, cache: Path, seldom: _Seldom
) -> Candidate:
    try:
        artifact = apply_recipe(
            source.model,
            recipe,
            source.calibration,
            source.task,
            cache=cache,
            train=source.train,
            folder=None if plan.path is None else plan.path.parent,
            progress=seldom,
        )
        hosts = {runtime: _host(artifact, source, runtime, cache, seldom) for runtime in judges}
    except UnsupportedRecipeError as error:
        return _failed(name, recipe, Outcome.UNSUPPORTED, str(error))
    except CompressionError as error:
        return _failed(name, recipe, Outcome.ERROR, str(error))
    facts = ArtifactFacts(
        sha256=artifact.sha256,
        bytes=artifact.bytes,
        compressed_bytes=artifact.compressed_bytes,
        format=artifact.format,
        path=str(artifact.path),
        notes=artifact.notes,
        costs=_costs(artifact, source.model),
    )
    return Candidate(model=name, recipe=recipe, made=artifact, artifact=facts, hosts=hosts, outcome=Outcome.OK)


def _host(
    artifact: Artifact, source: Source, runtime: str, cache: Path, seldom: _Seldom | None
) -> Mapping[str, Any] | None:
    """The facts of the accuracy that an artifact has on this machine in a board's runtime."""
    evaluation = evaluate(
        artifact, source.model, source.test, source.task, cache=cache, runtime=runtime, progress=seldom
    )
    judged = host_facts(source.task, evaluation)
    return None if judged is None else {**judged, **_judged_file(artifact, evaluation)}


def _judged_file(artifact: Artifact, evaluation: Evaluation | None) -> Mapping[str, Any]:
    """Which file was judged in which runtime, and the score of each image: candidates are compared image by image."""
    scores = None if evaluation is None else packed(evaluation.scores)
    runtime = None if evaluation is None else evaluation.runtime
    return {"artifact_sha256": artifact.sha256, "host_right": scores, "host_runtime": runtime}


def _costs(artifact: Artifact, model: Model) -> Mapping[str, Any] | None:
    """What is counted in an artifact; None where it cannot be, as that costs no figure of a board."""
    shapes = {spec.name: (1, *spec.sample_shape) for spec in model.inputs}
    if artifact.interface is not None:
        ports = artifact.interface.inputs
        shapes = {port.file_name: tuple(shapes[port.name][axis] for axis in port.axes) for port in ports}
    try:
        return costs_facts(costs_of(artifact.path, artifact.format, shapes))
    except CompressionError:
        return None


def _failed(name: str, recipe: Recipe, outcome: Outcome, told: str) -> Candidate:
    reason = " ".join(told.split())
    return Candidate(model=name, recipe=recipe, made=None, artifact=None, hosts={}, outcome=outcome, reason=reason)


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
        **{f"host_{name}": value for name, value in evaluation.beside.items()},
    }
