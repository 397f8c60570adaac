"""From a board's confirmation to its folder: what the report picks is what is shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...compression.cache import read_whole
from ...compression.recipe import step_parameters
from ...reports.deployed import DeployedFile, deployed_file
from ...reports.gaps import not_measured
from ...reports.language import Language
from ...reports.pick import Choice, choices
from ...reports.record import Outcome, RunRecord
from ...reports.searchrecord import SearchRecord, SearchTrial
from ...reports.summary import CellSummary, RunSummary, summarize
from ...targets.board import Board
from ..candidates import prepare
from ..errors import HarnessError
from ..home import Home
from ..plan import Plan, expand
from ..progress import Progress
from ..runtimeplan import LAYOUT
from ..search.budget import Limit
from ..sources import formats, read_sources
from .card import Shipped, card, cell_standings, tried_cells
from .cardtext import card_text
from .confirm import settled_settings
from .confirmations import confirmations
from .finalists import measured_on
from .folder import CARD, board_folder, replace_folder
from .nearest import nearest
from .outcome import NOTHING, SHIPPED, BoardOutcome
from .request import Request, plain_name

_LONGEST_FILE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a board's card says beside the confirmation. `data` are the facts of the three parts.

    `language` is that of the report; the card is in English.
    """

    request: Request
    home: Home
    board: Board
    limits: tuple[Limit, ...]
    plan: Plan
    search: SearchRecord
    finalists: tuple[SearchTrial, ...]
    data: Mapping[str, Any]
    command: str
    target: Path
    language: Language = Language.ENGLISH


def put(context: Context, record: RunRecord) -> BoardOutcome:
    """Write the folder of a board, or say what came nearest where no finalist keeps the budget when measured anew."""
    summary = summarize(record)
    board = context.board.name
    (choice,) = [one for one in choices(summary) if one.board == board]
    failed = {
        cell.record.recipe: str(cell.record.reason)
        for cell in summary.cells
        if cell.record.outcome in (Outcome.ERROR, Outcome.TIMEOUT)
    }
    confirmed = [cell.record.recipe for cell in summary.cells]
    told = confirmations(record, board, context.finalists)
    if choice.chosen is None:
        tried = tried_cells(summary, context.limits)
        why = [line for line in not_measured(summary) if line.startswith(f"{board}: ")]
        return BoardOutcome(
            board=board,
            state=NOTHING,
            sentence=f"nothing keeps the budget: of {len(confirmed)} confirmed none does (run {record.run_id}).",
            run_id=record.run_id,
            confirmed=confirmed,
            failed=failed,
            nearest=nearest(tried),
            confirmations=told,
            warnings=[*(why if any(one.unknown for one in tried) else []), *left_behind(context.target, board)],
        )
    shipped = _shipped(context, summary, choice, choice.chosen)
    folder = replace_folder(board_folder(context.target, board), _files(context, record, shipped))
    return BoardOutcome(
        board=board,
        state=SHIPPED,
        sentence=f"{choice.chosen.record.recipe} keeps the budget: {folder}",
        folder=str(folder),
        recipe=choice.chosen.record.recipe,
        artifact_sha256=shipped.deployed.sha256,
        run_id=record.run_id,
        confirmed=confirmed,
        failed=failed,
        confirmations=told,
        warnings=_warnings(context, summary, choice, choice.chosen),
    )


def _files(context: Context, record: RunRecord, shipped: Shipped) -> dict[str, bytes]:
    from ...reports.page import render

    content = _content(context, shipped.cell.record.cell_id, shipped.deployed)
    found = card(shipped, len(content))
    return {
        shipped.file: content,
        "settings.yaml": _settings_yaml(shipped).encode(),
        CARD: (json.dumps(found, indent=2, ensure_ascii=False) + "\n").encode(),
        "MODEL_CARD.md": card_text(found).encode(),
        "report.html": render(record, language=context.language).encode(),
    }


def _content(context: Context, cell_id: str, file: DeployedFile) -> bytes:
    """The bytes that were measured. The cache may have let go of them since (`hilbench gc`): then they are made again.

    Raises HarnessError where what is made now are other bytes, as by other versions of libraries.
    """
    assert file.path is not None
    path = Path(file.path)
    if (content := read_whole(path, file.sha256)) is not None:
        return content
    sources = read_sources(context.plan, cache=context.home.artifacts)
    prepared = prepare(context.plan, sources, cache=context.home.artifacts, progress=Progress(quiet=True))
    cell = next(cell for cell in expand(context.plan, formats(sources)) if cell.cell_id == cell_id)
    made = prepared.file(cell, file.layout) if prepared.candidate(cell).made is not None else None
    content = None if made is None or made.sha256 != file.sha256 else read_whole(made.path, file.sha256)
    if content is None:
        raise HarnessError(
            f"the file that was measured is not in the cache any more ({path}), and what is made of the recipe "
            f"{cell.recipe} now is another one; with another --seed all is measured anew"
        )
    return content


def _shipped(context: Context, summary: RunSummary, choice: Choice, cell: CellSummary) -> Shipped:
    request, record = context.request, cell.record
    recipe = next(one for one in context.plan.recipes if one.name == record.recipe)
    settings, settings_from = settled_settings(context.home, summary.run, record.cell_id)
    trial = next((one for one in context.finalists if one.recipe == record.recipe), None)
    facts, deployed = _artifact(cell), _deployed(cell)
    stem = f"{request.name}.{plain_name(record.recipe)}"[:_LONGEST_FILE].rstrip(".-")
    return Shipped(
        summary=summary,
        choice=choice,
        cell=cell,
        deployed=deployed,
        limits=context.limits,
        steps=tuple(step_parameters(step) for step in recipe.steps),
        settings=settings,
        settings_from=settings_from,
        model={
            "name": request.name,
            "file": request.asked.model.name,
            "sha256": request.model.sha256,
            "bytes": request.model.bytes,
        },
        data=context.data,
        search={
            "id": context.search.search_id,
            "candidates": len(context.search.trials),
            "measured": len(measured_on(context.search, context.board.name)),
            "finalists": [one.recipe for one in context.finalists],
            "same_file": None if trial is None else trial.artifact_sha256 == facts.sha256,
        },
        file=f"{stem}.{facts.format}",
        licence=request.asked.licence,
        command=context.command,
    )


def _settings_yaml(shipped: Shipped) -> str:
    """The runtime and its settings, for whoever deploys the file, and for a plan: `runtimes: [...]` takes the entry.

    The file takes its images in the layout already, so that is no setting any more: a plan says it as the task's.
    """
    import io

    from ruamel.yaml import YAML

    record = shipped.cell.record
    layout = shipped.deployed.layout
    data = {
        "runtime": record.runtime,
        "settings": {key: value for key, value in shipped.settings.items() if key != LAYOUT},
        "artifact_sha256": shipped.deployed.sha256,
        **({} if layout is None else {"task": {"layout": layout}}),
        "board": record.board,
    }
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = False, 4096
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.dump(data, stream)
    return f"# {' '.join(shipped.settings_from.split())}\n{stream.getvalue()}"


def _warnings(context: Context, summary: RunSummary, choice: Choice, cell: CellSummary) -> list[str]:
    """What a person should know before the file goes out."""
    found = ["It is the model as it was: no candidate that keeps the budget has less work."] if cell.baseline else []
    found += [
        f"{one.limit.written} is kept, but the 95 % interval of the figure reaches beyond it."
        for one in cell_standings(cell, summary, context.limits)
        if one.kept and not one.certain
    ]
    missed = [rival.cell.record.recipe for rival in choice.rejected if not rival.cell.baseline]
    if missed:
        found.append(f"Kept in the search and missed when confirmed, so not shipped: {', '.join(missed)}.")
    return found


def left_behind(target: Path, board: str) -> list[str]:
    """What is said of a folder that an earlier ship wrote for a board to which nothing goes now."""
    folder = board_folder(target, board)
    return [f"{folder} is of an earlier ship and was left as it is."] if (folder / CARD).is_file() else []


def _deployed(cell: CellSummary) -> DeployedFile:
    file = deployed_file(cell.record)
    assert file is not None
    return file


def _artifact(cell: CellSummary) -> Any:
    assert cell.record.artifact is not None
    return cell.record.artifact
