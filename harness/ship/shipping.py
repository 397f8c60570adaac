"""`ship MODEL`: search, settings, confirmation, and a folder for each board. `ship_model` reads like that list.

The same words again go on where a call was stopped, as each step finds what it did before: the search by its id, the
settings beside the board's facts, the confirmation by the hash of its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...compression.cache import write_atomically
from ...reports.language import Language
from ...reports.searchrecord import SearchRecord, SearchTrial
from ...targets.board import Board
from ..errors import HarnessError
from ..home import Home
from ..notify import Event
from ..plan import Plan
from ..progress import Progress
from ..runlock import only_one
from ..search.budget import Limit
from ..search.onboards import recipe_entry
from ..search.records import page_path, write_page, write_record
from ..search.searching import search_plan
from ..selection import Boards
from .confirm import BoardLostError, Shop, board_told, confirm, tune, written_plan
from .finalists import Standing, finalists, measured_on, standings
from .folder import board_folder, refuse_foreign
from .limits import limits_on
from .nearest import Tried, nearest
from .outcome import LOST, NOTHING, BoardOutcome, exit_code
from .plans import confirm_plan_data, search_plan_data, tune_plan_data, work_metric
from .putting import Context, left_behind, put
from .request import Asked, Request, read_request
from .split import part_bytes, part_facts, split

BASELINE = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipResult:
    """What became of each board. `stopped` is why it did not come to its end: a sentence, None where it did."""

    ship_id: str
    outcomes: tuple[BoardOutcome, ...]
    exit_code: int
    search: SearchRecord
    plans: Path
    stopped: str | None = None


def ship_model(
    asked: Asked,
    known: Boards,
    home: Home,
    *,
    target: Path,
    command: str,
    progress: Progress,
    tell: Callable[[Event], None] = lambda _: None,
    language: Language = Language.ENGLISH,
) -> ShipResult:
    """Find and confirm what goes on each board, and write `target/BOARD/` for those where something keeps the budget.

    The page of the search and the reports of the confirmations are in `language`, the cards in English.

    Raises PlanError, ModelError, InventoryError before anything is measured where what is asked cannot be.
    """
    request = read_request(asked, known)
    for board in request.boards:
        refuse_foreign(board_folder(target, board.name))
    folder = home.folder / "ship" / request.ship_id
    shop = Shop(
        request=request,
        folder=folder,
        known=known,
        home=home,
        progress=progress,
        command=command,
        tell=tell,
        language=language,
    )
    with only_one(folder / "lock", request.ship_id, doing="wait until it has ended"):
        data = _write_parts(request, folder, progress)
        plan = written_plan(shop, search_plan_data(request, folder), "search", "search")
        found = search_plan(plan, home, command=command, progress=progress)
        if found.stopped is not None:
            return ShipResult(
                ship_id=request.ship_id,
                outcomes=(),
                exit_code=found.exit_code,
                search=found.record,
                plans=folder,
                stopped=found.stopped,
            )
        outcomes = tuple(_on_board(shop, board, plan, found.record, data, target) for board in request.boards)
        record = replace(found.record, confirmations=tuple(c for one in outcomes for c in one.confirmations))
        write_record(record, home)
        write_page(record, page_path(home, record.search_id), language)
    return ShipResult(
        ship_id=request.ship_id,
        outcomes=outcomes,
        exit_code=exit_code(outcomes),
        search=record,
        plans=folder,
    )


def _write_parts(request: Request, folder: Path, progress: Progress) -> Mapping[str, Any]:
    """Deal the data out and write the parts; returns what a card says of them."""
    asked, data = request.asked, request.data
    dealt = split(data, seed=asked.seed)
    parts: dict[str, Any] = {}
    for name, indices in dealt.parts.items():
        content = part_bytes(data, indices)
        path = folder / f"{name}.npz"
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content)
        parts[name] = part_facts(data, indices, content)
    sizes = ", ".join(f"{part['samples']} {name}" for name, part in parts.items())
    progress.say(f"data: {len(data)} images: {sizes}")
    left_out = {"repeated": dealt.repeated, "contradictory": dealt.contradictory}
    for word, count in left_out.items():
        if count:
            progress.say(f"data: {count} {word} images are left out")
    return {"name": data.name, "sha256": data.sha256, "seed": asked.seed, "parts": parts, **left_out}


def _on_board(
    shop: Shop, board: Board, searched: Plan, record: SearchRecord, data: Mapping[str, Any], target: Path
) -> BoardOutcome:
    """One board to its end. What cannot be used any further does not keep the other boards from theirs."""
    limits = limits_on(shop.request.limits, board)
    metric = work_metric(board, shop.request.limits)
    chosen = finalists(record, board.name, limits, metric=metric, most=shop.request.asked.finalists)
    if not chosen and not _baseline_may_do(shop.request, record, board.name, limits):
        return _nothing(shop, board, record, target)
    names = ", ".join(trial.recipe for trial in chosen) or "none but the model as it is"
    shop.progress.say(f"{board.name}: finalists: {names}")
    recipes = [recipe_entry(_recipe(searched, trial)) for trial in chosen]
    try:
        if chosen:
            told = board_told(shop.home, board.name, [run for trial in chosen for run in trial.run_ids])
            tuning = written_plan(
                shop, tune_plan_data(shop.request, shop.folder, board, recipes), f"tune-{board.name}", "optimize"
            )
            artifacts = {trial.recipe: str(trial.artifact_sha256) for trial in chosen}
            tune(shop, tuning, board, artifacts, told)
        data_of_plan = confirm_plan_data(shop.request, shop.folder, board, recipes, limits)
        plan = written_plan(shop, data_of_plan, f"confirm-{board.name}", "run")
        confirmed = confirm(shop, plan, board)
    except BoardLostError as error:
        return BoardOutcome(board=board.name, state=LOST, sentence=str(error))
    return put(
        Context(
            request=shop.request,
            home=shop.home,
            board=board,
            limits=limits,
            plan=plan,
            search=record,
            finalists=chosen,
            data=data,
            command=shop.command,
            target=target,
            language=shop.language,
        ),
        confirmed,
    )


def _recipe(plan: Plan, trial: SearchTrial) -> Any:
    """The recipe of a trial, with all its parameters."""
    assert plan.search is not None
    if trial.template is None:
        raise HarnessError(f"trial {trial.number} of the search does not say what it was made from")
    return plan.search.space.template(trial.template).recipe(trial.parameters)


def _baseline_may_do(request: Request, record: SearchRecord, board: str, limits: Sequence[Limit]) -> bool:
    """Whether nothing that the search measured speaks against the model as it is."""
    return all(one.kept is not False for one in _of_baseline(request, record, board, limits).standings)


def _of_baseline(request: Request, record: SearchRecord, board: str, limits: Sequence[Limit]) -> Tried:
    """The model as it is against a board's limits. It loses nothing, and its size is that of the file."""
    measured = {one.metric: one for one in record.baselines if one.board == board}
    found: list[Standing] = []
    for limit in limits:
        one = measured.get(limit.metric)
        if limit.metric == "drop":
            found.append(Standing(limit=limit, value=0.0))
        elif limit.metric == "size":
            found.append(Standing(limit=limit, value=float(request.model.bytes)))
        else:
            found.append(Standing(limit=limit, value=None if one is None else one.value, high=one and one.ci_high))
    return Tried(name=BASELINE, standings=tuple(found))


def _nothing(shop: Shop, board: Board, record: SearchRecord, target: Path) -> BoardOutcome:
    """Nothing that was measured there keeps the budget: say what came nearest, from the figures of the search."""
    limits = limits_on(shop.request.limits, board)
    trials = [trial for trial in record.trials if trial.same_as is None and trial.artifact_bytes is not None]
    tried = [Tried(name=trial.recipe, standings=standings(trial, board.name, limits)) for trial in trials]
    measured = len(measured_on(record, board.name))
    return BoardOutcome(
        board=board.name,
        state=NOTHING,
        sentence=f"nothing keeps the budget: none of {len(trials)} candidates ({measured} measured there), nor "
        f"{BASELINE}. The figures are those of the search; nothing was worth a confirmation.",
        nearest=nearest([*tried, _of_baseline(shop.request, record, board.name, limits)]),
        warnings=left_behind(target, board.name),
    )
