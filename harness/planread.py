"""A plan file to a Plan: checked against inventory, recipes and files, every error with its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..compression.errors import ModelError, RecipeError
from ..compression.recipe import Recipe, parse_recipe
from ..compression.userfunction import FunctionName, is_function_name
from ..compression.zoo import is_zoo_name, zoo_model
from ..targets.errors import TargetError
from ..targets.yamlerrors import choice
from ..targets.yamlfile import Positions, YamlFileError, load_yaml
from .errors import PlanError
from .measurefile import measuring_of
from .plan import ModelPlan, Plan, TaskPlan
from .planfile import BudgetFile, ModelFile, PlanFile, RuntimeFile, TaskFile
from .runtimeplan import RuntimePlan
from .search.searchfile import read_search
from .selection import Boards, Selection

# Where accuracy is judged and the plan says nothing: nobody ships a model because it is fast and wrong.
DEFAULT_DROP_PP = 1.0


def read_plan(
    path: Path, known: Boards, *, boards: Sequence[str] | None, excluded: Collection[str], text: str | None = None
) -> Plan:
    """Read and check a plan. `boards` stand in for the plan's own. Raises PlanError with one line an error."""
    try:
        file, positions = load_yaml(path, PlanFile, text)
    except YamlFileError as error:
        raise PlanError(str(error)) from error
    problems: list[str] = []
    recipes = _recipes(file, path, positions, problems)
    if boards is None:
        found = _boards(file, known, path, positions, problems, excluded)
    else:
        found = known.select_all(boards, excluded=excluded)
    if not problems:
        problems += _unknown_recipes(file, path, positions, [recipe.name for recipe in recipes])
    for index, runtime in enumerate(file.runtimes):
        if runtime in file.runtimes[:index]:
            problems.append(
                f"{path}:{positions.line(('runtimes', index))}: runtimes: the same setting stands there twice"
            )
    models = _models(file, path, positions, problems)
    search = read_search(
        file,
        {board.name: board.emulated for board in found.boards},
        tuple(file.models),
        lambda where, told: problems.append(f"{path}:{positions.line(where)}: {told}"),
    )
    if problems:
        raise PlanError("\n".join(problems))
    return Plan(
        name=file.name,
        path=path.resolve(),
        source={
            **file.model_dump(mode="json", exclude_defaults=True),
            "boards": [board.name for board in found.boards],
        },
        models=models,
        recipes=tuple(recipes),
        boards=found.boards,
        runtimes=tuple(_runtime(runtime) for runtime in file.runtimes) or (RuntimePlan(name=None),),
        protocol=file.protocol,
        baseline=file.baseline,
        shortlist=tuple(file.shortlist),
        budget=_budget(file),
        accuracy_samples=file.accuracy_samples,
        seed=file.seed,
        blocks=file.blocks,
        stop_at_width_pct=file.stop_at_width_pct,
        lines={key: positions.line((key,)) for key in ("blocks", "stop_at_width_pct")},
        pools=found.pools,
        remarks=found.remarks,
        measuring=measuring_of(file, file.protocol),
        processes=file.processes,
        search=search,
    )


def _unknown_recipes(file: PlanFile, path: Path, positions: Positions, names: Sequence[str]) -> list[str]:
    """The first name that `baseline` or `shortlist` has and no recipe: a line, or none."""
    for key, wanted in (("baseline", [file.baseline]), ("shortlist", file.shortlist)):
        for name in wanted:
            if name not in names:
                line = positions.line((key,))
                return [f'{path}:{line}: {key}: "{name}" is no recipe of this plan{choice(name, names)}']
    return []


def read_name(path: Path) -> str:
    """What a plan file calls its plan; its boards and models are not looked at. Raises PlanError."""
    try:
        return load_yaml(path, PlanFile)[0].name
    except YamlFileError as error:
        raise PlanError(str(error)) from error


def _recipes(file: PlanFile, path: Path, positions: Positions, problems: list[str]) -> list[Recipe]:
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


def _boards(
    file: PlanFile, known: Boards, path: Path, positions: Positions, problems: list[str], excluded: Collection[str]
) -> Selection:
    def wrong(word: str, error: TargetError | PlanError) -> None:
        line = positions.line(("boards", file.boards.index(word)))
        problems.append(f"{path}:{line}: boards: {error}")

    for index, word in enumerate(file.boards):
        if word in file.boards[:index]:
            problems.append(f'{path}:{positions.line(("boards", index))}: boards: "{word}" stands there twice')
    return known.select_all(file.boards, excluded=excluded, wrong=wrong)


def _models(file: PlanFile, path: Path, positions: Positions, problems: list[str]) -> tuple[ModelPlan, ...]:
    found: list[ModelPlan] = []
    for name, model in file.models.items():
        try:
            found.append(_model(name, model, path.parent))
        except ModelError as error:
            line = positions.line(("models", name, "file"))
            problems.append(f"{path}:{line}: models.{name}.file: {error}")
    for entry in found:
        problems += _missing_files(entry, path, positions)
    return tuple(found)


def _missing_files(model: ModelPlan, path: Path, positions: Positions) -> list[str]:
    found: list[str] = []
    task = model.task
    named = {"test": task.test, "calibration": task.calibration, "train": task.train}
    named |= {"decode" if task.kind == "detection" else "metric": task.function, "characters": task.characters}
    files = {("task", key): value.file if isinstance(value, FunctionName) else value for key, value in named.items()}
    source = model.file if model.factory is None else model.factory.file
    for key, file in {("file",): source, **files}.items():
        if file is not None and not file.exists():
            line = positions.line(("models", model.name, *key))
            found.append(f"{path}:{line}: models.{model.name}.{'.'.join(key)}: there is no file {file}")
    return found


def _model(name: str, model: ModelFile, folder: Path) -> ModelPlan:
    """Raises ModelError for a model of the zoo that is unknown or not installed."""
    shapes: Mapping[str, Sequence[int]] = model.input_shapes
    if is_zoo_name(model.file):
        entry = zoo_model(model.file)
        file, shapes = entry.path, shapes or entry.shapes
    else:
        file = _absolute(model.file, folder)
    is_factory = is_function_name(model.file) and not file.exists()
    return ModelPlan(
        name=name,
        file=file,
        task=_task(model.task, folder),
        input_shapes={key: tuple(shape) for key, shape in shapes.items()},
        factory=FunctionName(written=model.file, folder=folder.resolve()) if is_factory else None,
    )


def _task(task: TaskFile, folder: Path) -> TaskPlan:
    function = task.metric or task.decode
    return TaskPlan(
        kind=task.kind,
        test=data_word(task.test, folder),
        calibration=data_word(task.calibration, folder),
        train=data_word(task.train, folder),
        scale=task.scale,
        mean=_floats(task.mean),
        std=_floats(task.std),
        layout=task.layout,
        metrics=tuple(task.metrics),
        characters=None if task.characters is None else _absolute(str(task.characters), folder),
        function=None if function is None else FunctionName(written=function, folder=folder.resolve()),
    )


def data_word(written: str | None, folder: Path) -> Path | FunctionName | None:
    """What data is meant: a function, or a file from where relative paths begin."""
    if written is None:
        return None
    if is_function_name(written) and not (folder / written).exists():
        return FunctionName(written=written, folder=folder.resolve())
    return _absolute(written, folder)


def _absolute(written: str, folder: Path) -> Path:
    return (folder / Path(written).expanduser()).resolve()


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
        affinity=tuple(file.affinity) if isinstance(file.affinity, list) else file.affinity,
        arena=file.arena,
        memory_pattern=file.memory_pattern,
        spinning=file.spinning,
        xnnpack=file.xnnpack,
        offline_graph=file.offline_graph,
        input_layout=file.input_layout,
        tuned=file.settings,
    )


def read_budget(bounds: Mapping[str, Any]) -> dict[str, float | int | None]:
    """Bounds with the keys of a plan's `budget`, in the units of records. Raises PlanError."""
    from pydantic import ValidationError

    try:
        return _bounds(BudgetFile.model_validate(dict(bounds)))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise PlanError(f"budget: {wrong}; it knows {', '.join(BudgetFile.model_fields)}") from error


def _budget(file: PlanFile) -> dict[str, float | int | None]:
    """The plan's bounds; where accuracy is judged, there is one on its loss in every case."""
    budget = file.budget
    judged = any(model.task.kind != "none" for model in file.models.values())
    if budget.accuracy_drop_pp is None and judged:
        budget = budget.model_copy(update={"accuracy_drop_pp": DEFAULT_DROP_PP})
    return _bounds(budget)


def _bounds(budget: BudgetFile) -> dict[str, float | int | None]:
    """In the units of records: fractions, nanoseconds, bytes."""

    def scaled(value: float | None, factor: float) -> float | None:
        return None if value is None else value * factor

    return {
        "accuracy_drop": scaled(budget.accuracy_drop_pp, 0.01),
        "latency_p95_ns": scaled(budget.latency_p95_ms, 1e6),
        "memory_peak_bytes": None if budget.memory_peak_mib is None else int(budget.memory_peak_mib * 2**20),
        "artifact_bytes": None if budget.artifact_kb is None else round(budget.artifact_kb * 1000),
        "instructions": budget.instructions,
        "latency_median_ns": scaled(budget.latency_median_ms, 1e6),
        "energy_j": scaled(budget.energy_mj, 1e-3),
    }
