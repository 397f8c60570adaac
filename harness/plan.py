"""Plans: what to compare, and its expansion into cells. planread.py reads the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compression.formats import given_format
from ..targets.board import COMMAND, Board, BoardRuntime
from .measuring import USUAL, Measuring
from .runtimeplan import RuntimePlan

if TYPE_CHECKING:
    from ..compression.recipe import Recipe
    from ..compression.userfunction import FunctionName
    from .search.spec import SearchSpec
    from .selection import Boards


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """How a model is judged, and with which data; paths are absolute."""

    kind: str
    test: Path | FunctionName | None
    calibration: Path | FunctionName | None
    scale: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str
    train: Path | FunctionName | None = None
    metrics: tuple[str, ...] = ()
    characters: Path | None = None  # None: those in the model's metadata
    function: FunctionName | None = None  # the metric of a `custom` task, the decoder of a `detection`


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """One model to compare; the file's path is absolute. `factory` makes the file where the plan names a function."""

    name: str
    file: Path
    task: TaskPlan
    input_shapes: Mapping[str, tuple[int, ...]]
    factory: FunctionName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan that was read and checked. `source` is the plan as plain data: what is stored and hashed.

    `blocks` are those that the plan asks for itself on timed boards, `processes` the importer processes on emulated
    ones (None = the protocol's), `stop_at_width_pct` the width of the intervals at which it may end earlier; `lines`
    says where keys stand in the file that only the cells can tell wrong.
    `pools` maps a board that `any:K` chose to the others of its kind, which may take its place; `remarks` are sentences
    for the user about the choice of boards. `control`: whether each board gets an A/A control.
    """

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
    blocks: int | None = None
    processes: int | None = None
    stop_at_width_pct: float | None = None
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    pools: Mapping[str, tuple[Board, ...]] = field(default_factory=dict[str, tuple[Board, ...]])
    remarks: tuple[str, ...] = ()
    measuring: Measuring = USUAL
    search: SearchSpec | None = None
    control: bool = True


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


def load_plan(
    path: Path,
    known: Boards,
    *,
    boards: Sequence[str] | None = None,
    excluded: Collection[str] = (),
    text: str | None = None,
) -> Plan:
    """Read and check a plan. `boards` are words that stand in for the plan's own; `excluded` are names of boards that
    `any:K` must not choose; `text` stands in for what the file holds now. Raises PlanError with one line an error."""
    from .planread import read_plan

    return read_plan(path, known, boards=boards, excluded=excluded, text=text)


def expand(plan: Plan, formats: Mapping[str, str]) -> tuple[Cell, ...]:
    """All cells of a plan, board by board; what cannot run is named now. `formats`: the format of each model's
    source by the model's name, `onnx` or `tflite`.

    On each board the first cell of the baseline (else of its stand-in) that can run is measured under a second name
    too: the A/A control.
    """
    cells: list[Cell] = []
    for board in plan.boards:
        mine = [
            _cell(board, model.name, recipe, runtime, formats[model.name])
            for model in plan.models
            for recipe in plan.recipes
            for runtime in plan.runtimes
        ]
        ready = {cell.recipe: i for i, cell in reversed(list(enumerate(mine))) if cell.skip is None}
        subject = ready.get(plan.baseline, ready.get(stand_in(plan) or ""))
        if subject is not None and plan.control:
            mine[subject] = replace(mine[subject], twin=True)
        cells += mine
    return tuple(cells)


def stand_in(plan: Plan) -> str | None:
    """The recipe that only converts the baseline, where the plan has one: the same model in the other format.

    It is what candidates are compared with on boards that cannot run the baseline's own format.
    """
    if plan.baseline != "fp32":
        return None
    return next((recipe.name for recipe in plan.recipes if [s.kind for s in recipe.steps] == ["tflite"]), None)


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


def _cell(board: Board, model: str, recipe: Recipe, runtime: RuntimePlan, source_format: str) -> Cell:
    file_format = given_format([step.kind for step in recipe.steps], source_format)
    name = runtime.name or runtime_for(file_format, board)
    return Cell(
        cell_id=f"{board.name}/{model}/{recipe.name}/{runtime.variant(name)}",
        board=board,
        model=model,
        recipe=recipe.name,
        runtime=name,
        settings=runtime.settings(),
        skip=_why_not(board, name, file_format) or runtime.lacking(name),
    )


def _why_not(board: Board, runtime: str, model_format: str) -> str | None:
    if runtime == COMMAND and board.emulated:
        return "a program as runtime gives times, and an emulated board has none"
    if runtime != COMMAND and (runtime == "onnxruntime") != (model_format == "onnx"):
        return f"{runtime} does not run {model_format.upper()} files"
    has = [known.name for known in board.runtimes]
    if runtime not in has:
        return f"{board.name} has no {runtime} (it has: {', '.join(has) or 'none'})"
    return None
