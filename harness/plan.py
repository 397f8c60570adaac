"""Plans: read a plan file, check it against inventory and recipes, and expand it into cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..targets.board import Board, BoardRuntime
from ..targets.errors import TargetError
from .errors import PlanError
from .provenance import digest

if TYPE_CHECKING:
    from ..compression.recipe import Recipe
    from ..targets.yamlfile import Positions
    from .planfile import PlanFile, RuntimeFile, TaskFile
    from .selection import Boards


# Where accuracy is judged and the plan says nothing: nobody ships a model because it is fast and wrong.
DEFAULT_DROP_PP = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """How a model is judged; paths are absolute."""

    kind: str
    test: Path | None
    calibration: Path | None
    scale: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """One model to compare; the file's path is absolute."""

    name: str
    file: Path
    task: TaskPlan
    input_shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePlan:
    """One runtime setting. `name` None means the one that fits the model's format."""

    name: str | None
    threads: int = 1
    graph_optimization: str = "all"
    providers: tuple[str, ...] = ()
    python: str | None = None

    def settings(self) -> dict[str, Any]:
        """What is recorded and exported beside the runtime's name."""
        return {
            "threads": self.threads,
            "graph_optimization": self.graph_optimization,
            "providers": list(self.providers),
            **({} if self.python is None else {"python": self.python}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan that was read and checked. `source` is the plan as plain data: what is stored and hashed."""

    name: str
    path: Path | None
    source: Mapping[str, Any]
    models: tuple[ModelPlan, ...]
    recipes: tuple[Recipe, ...]
    boards: tuple[Board, ...]
    runtimes: tuple[RuntimePlan, ...]
    protocol: str
    baseline: str
    shortlist: tuple[str, ...]
    budget: Mapping[str, float | int | None]
    accuracy_samples: int | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One (artifact, runtime setting, board). `skip` is the reason why it cannot run, known beforehand."""

    cell_id: str
    board: Board
    model: str
    recipe: str
    runtime: str
    settings: Mapping[str, Any]
    twin: bool = False
    skip: str | None = None

    @property
    def board_runtime(self) -> BoardRuntime:
        """The board's runtime for this cell, with the plan's interpreter if it names one."""
        known = next(known for known in self.board.runtimes if known.name == self.runtime)
        python = self.settings.get("python")
        return known if python is None else replace(known, python=python, site=None)


def load_plan(path: Path, known: Boards, *, boards: Sequence[str] | None = None, text: str | None = None) -> Plan:
    """Read and check a plan. `boards` stand in for the plan's own, `text` for what the file holds now.

    Raises PlanError with one line an error.
    """
    from ..targets.yamlfile import YamlFileError, load_yaml
    from .planfile import PlanFile

    try:
        file, positions = load_yaml(path, PlanFile, text)
    except YamlFileError as error:
        raise PlanError(str(error)) from error
    problems: list[str] = []
    recipes = _recipes(file, path, positions, problems)
    names = [recipe.name for recipe in recipes]
    if boards is None:
        found = _boards(file, known, path, positions, problems)
    else:
        found = [known.board(word) for word in dict.fromkeys(boards)]
    for key, wanted in (("baseline", [file.baseline]), ("shortlist", file.shortlist)):
        for name in wanted:
            if name not in names and not problems:
                problems.append(
                    f'{path}:{positions.line((key,))}: {key}: "{name}" is no recipe of this plan{_among(name, names)}'
                )
    for index, runtime in enumerate(file.runtimes):
        if runtime in file.runtimes[:index]:
            problems.append(
                f"{path}:{positions.line(('runtimes', index))}: runtimes: the same setting stands there twice"
            )
    models = tuple(
        _model(name, model.file, model.task, model.input_shapes, path.parent) for name, model in file.models.items()
    )
    for model in models:
        problems += _missing_files(model, path, positions)
    if problems:
        raise PlanError("\n".join(problems))
    return Plan(
        name=file.name,
        path=path.resolve(),
        source={**file.model_dump(mode="json", exclude_defaults=True), "boards": [board.name for board in found]},
        models=models,
        recipes=tuple(recipes),
        boards=tuple(found),
        runtimes=tuple(_runtime(runtime) for runtime in file.runtimes) or (RuntimePlan(name=None),),
        protocol=file.protocol,
        baseline=file.baseline,
        shortlist=tuple(file.shortlist),
        budget=_budget(file),
        accuracy_samples=file.accuracy_samples,
        seed=file.seed,
    )


def expand(plan: Plan, formats: Mapping[str, str]) -> tuple[Cell, ...]:
    """All cells of a plan, board by board; what cannot run is named now. `formats`: model name -> `onnx` | `tflite`.

    On each board the first cell of the baseline that can run is measured under a second name too: the A/A control.
    """
    cells: list[Cell] = []
    for board in plan.boards:
        mine = [
            _cell(board, model.name, recipe.name, runtime, formats[model.name])
            for model in plan.models
            for recipe in plan.recipes
            for runtime in plan.runtimes
        ]
        subject = next((i for i, cell in enumerate(mine) if cell.skip is None and cell.recipe == plan.baseline), None)
        if subject is not None:
            mine[subject] = replace(mine[subject], twin=True)
        cells += mine
    return tuple(cells)


def plan_schema() -> dict[str, Any]:
    """JSON Schema of the plan file."""
    from ..targets.yamlfile import draft7_schema
    from .planfile import PlanFile

    return draft7_schema(PlanFile, title="hilbench plan")


def runtime_for(model_format: str, board: Board) -> str:
    """The runtime that fits a format on a board: onnxruntime, or the first TFLite runtime that the board has."""
    if model_format == "onnx":
        return "onnxruntime"
    names = [runtime.name for runtime in board.runtimes]
    return next((name for name in names if name in ("ai-edge-litert", "tflite-runtime")), "ai-edge-litert")


def _cell(board: Board, model: str, recipe: str, runtime: RuntimePlan, model_format: str) -> Cell:
    name = runtime.name or runtime_for(model_format, board)
    variant = f"{name}-t{runtime.threads}"
    if (runtime.graph_optimization, runtime.providers, runtime.python) != ("all", (), None):
        variant += "-" + digest(runtime.settings())[:6]
    return Cell(
        cell_id=f"{board.name}/{model}/{recipe}/{variant}",
        board=board,
        model=model,
        recipe=recipe,
        runtime=name,
        settings=runtime.settings(),
        skip=_why_not(board, name, model_format),
    )


def _why_not(board: Board, runtime: str, model_format: str) -> str | None:
    if (runtime == "onnxruntime") != (model_format == "onnx"):
        return f"{runtime} does not run {model_format.upper()} files"
    has = [known.name for known in board.runtimes]
    if runtime not in has:
        return f"{board.name} has no {runtime} (it has: {', '.join(has) or 'none'})"
    return None


def _recipes(file: PlanFile, path: Path, positions: Positions, problems: list[str]) -> list[Recipe]:
    from ..compression.errors import RecipeError
    from ..compression.recipe import parse_recipe

    recipes: list[Recipe] = []
    for index, entry in enumerate(file.recipes):
        try:
            recipe = parse_recipe(entry)
        except RecipeError as error:
            problems.append(f"{path}:{positions.line(('recipes', index))}: recipes: {error}")
            continue
        if recipe.name in [known.name for known in recipes]:
            problems.append(f'{path}:{positions.line(("recipes", index))}: recipes: "{recipe.name}" stands there twice')
        recipes.append(recipe)
    return recipes


def _boards(file: PlanFile, known: Boards, path: Path, positions: Positions, problems: list[str]) -> list[Board]:
    found: dict[str, Board] = {}
    for index, word in enumerate(file.boards):
        where = f"{path}:{positions.line(('boards', index))}: boards"
        if word in file.boards[:index]:
            problems.append(f'{where}: "{word}" stands there twice')
            continue
        try:
            found[word] = known.board(word)
        except TargetError as error:
            problems.append(f"{where}: {error}")
    return list(found.values())


def _missing_files(model: ModelPlan, path: Path, positions: Positions) -> list[str]:
    found: list[str] = []
    for key, file in (
        (("file",), model.file),
        (("task", "test"), model.task.test),
        (("task", "calibration"), model.task.calibration),
    ):
        if file is not None and not file.exists():
            line = positions.line(("models", model.name, *key))
            found.append(f"{path}:{line}: models.{model.name}.{'.'.join(key)}: there is no file {file}")
    return found


def _among(name: str, allowed: list[str]) -> str:
    from ..targets.yamlerrors import choice

    return choice(name, allowed)


def _model(name: str, file: Path, task: TaskFile, shapes: Mapping[str, Sequence[int]], folder: Path) -> ModelPlan:
    def absolute(path: Path | None) -> Path | None:
        return None if path is None else (folder / path.expanduser()).resolve()

    return ModelPlan(
        name=name,
        file=(folder / file.expanduser()).resolve(),
        task=TaskPlan(
            kind=task.kind,
            test=absolute(task.test),
            calibration=absolute(task.calibration),
            scale=task.scale,
            mean=_floats(task.mean),
            std=_floats(task.std),
            layout=task.layout,
        ),
        input_shapes={key: tuple(shape) for key, shape in shapes.items()},
    )


def _floats(value: float | list[float] | None) -> tuple[float, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def _runtime(file: RuntimeFile) -> RuntimePlan:
    return RuntimePlan(
        name=file.name,
        threads=file.threads,
        graph_optimization=file.graph_optimization,
        providers=tuple(file.providers),
        python=file.python,
    )


def _budget(file: PlanFile) -> dict[str, float | int | None]:
    """In the units of records: fractions, nanoseconds, bytes."""
    budget = file.budget
    judged = any(model.task.kind != "none" for model in file.models.values())
    drop_pp = DEFAULT_DROP_PP if budget.accuracy_drop_pp is None and judged else budget.accuracy_drop_pp

    def scaled(value: float | None, factor: float) -> float | None:
        return None if value is None else value * factor

    return {
        "accuracy_drop": scaled(drop_pp, 0.01),
        "latency_p95_ns": scaled(budget.latency_p95_ms, 1e6),
        "memory_peak_bytes": None if budget.memory_peak_mib is None else int(budget.memory_peak_mib * 2**20),
        "artifact_bytes": None if budget.artifact_kb is None else int(budget.artifact_kb * 1000),
        "instructions": budget.instructions,
    }
