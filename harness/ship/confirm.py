"""One board after the search: its finalists get their best settings, then they are measured anew on unseen data.

Both are ordinary runs. What is known already is not measured again: an optimisation leaves its result beside the
board's facts, and a confirmation is found by the hash of its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...reports.language import Language
from ...reports.record import RunRecord
from ...targets.board import Board
from ..assemble import assemble
from ..benchplan import yaml_text
from ..campaign import ready
from ..errors import HarnessError, Interrupted
from ..home import Home
from ..notify import Event
from ..optimize.artifact import Wanted
from ..optimize.optimize import optimize_plan
from ..optimize.settingsfile import changed_since, fingerprint, read_settings
from ..plan import Plan, load_plan
from ..progress import Progress
from ..reporting import write_text
from ..run import run_plan
from ..selection import Boards
from ..store import SETTLED, Store
from .request import TUNED, Request, plain_name

ONNXRUNTIME = "onnxruntime"
_HEAD = "# Written by `hilbench ship`, which goes by it. To repeat this step alone: hilbench {verb} {name}\n"


class BoardLostError(HarnessError):
    """A board cannot be used any further; what was measured is kept."""

    exit_code = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What all steps share. `folder` is where data and plans of this ship lie, `language` that of the reports."""

    request: Request
    folder: Path
    known: Boards
    home: Home
    progress: Progress
    command: str
    tell: Callable[[Event], None] = lambda _: None
    language: Language = Language.ENGLISH


def written_plan(shop: Shop, data: Mapping[str, Any], name: str, verb: str) -> Plan:
    """Write a plan for people to read and run again, and load it as any other."""
    path = shop.folder / f"{plain_name(name)}.yaml"
    write_text(path, _HEAD.format(verb=verb, name=path.name) + yaml_text(data, path))
    return load_plan(path, shop.known)


def tune(shop: Shop, plan: Plan, board: Board, artifacts: Mapping[str, str], told: Mapping[str, Any]) -> None:
    """Find the best settings of each artifact (recipe -> sha256) for which none are known on the board as it is.

    What was found by trying something else is known too, unless more than the usual is to be tried. `told` is what the
    board last told of itself. One optimisation for each artifact: what ended is not begun again.
    Raises Interrupted, BoardLostError.
    """
    now, factors = fingerprint(told, ONNXRUNTIME), shop.request.asked.factors
    entries = read_settings(shop.home.settings(board.name))
    usable = {
        entry.artifact
        for entry in entries
        if (entry.runtime, entry.objective) == (ONNXRUNTIME, "latency")
        and not changed_since(entry, now)
        and (factors == TUNED or set(factors) <= set(entry.tried))
    }
    for recipe, artifact in artifacts.items():
        if artifact in usable:
            shop.progress.say(f"{board.name}: the best settings of {recipe} are known already")
            continue
        found = optimize_plan(
            plan,
            shop.home,
            wanted=Wanted(factors=factors, recipes=(recipe,)),
            new=False,
            command=shop.command,
            progress=shop.progress,
            tell=shop.tell,
        )
        if any(one.exit_code == 4 for one in found):
            raise BoardLostError(f"{board.name} cannot be used any further: {found[0].sentence}")


def confirm(shop: Shop, plan: Plan, board: Board) -> RunRecord:
    """The run of a confirmation plan: the one that ended already, else gone on with or begun.

    Raises Interrupted, BoardLostError.
    """
    known = finished_run(shop.home, plan)
    if known is not None:
        shop.progress.say(f"{board.name}: confirmed already, in run {known.run_id}")
        return known
    result = run_plan(
        plan,
        shop.home,
        new=False,
        command=shop.command,
        progress=shop.progress,
        tell=shop.tell,
        language=shop.language,
    )
    if result.record.state in ("interrupted", "cancelled"):
        raise Interrupted("stopped; what was measured is kept")
    if result.record.state != "finished":
        raise BoardLostError(f"{board.name} was lost during the confirmation; what it measured is kept")
    return result.record


def finished_run(home: Home, plan: Plan) -> RunRecord | None:
    """The newest run of a plan that came to its end; None where there is none."""
    if home.keeps_database and not home.database.exists():
        return None
    store = Store.open(home.database_url)
    try:
        wanted = ready(plan, home, command="").plan_hash
        row = next((row for row in store.runs() if row.plan_hash == wanted and row.state == "finished"), None)
        return None if row is None else assemble(store, row)
    finally:
        store.close()


def settled_settings(home: Home, record: RunRecord, cell_id: str) -> tuple[Mapping[str, Any], str]:
    """With which settings a cell was measured, and the sentence on where they come from."""
    store = Store.open(home.database_url)
    try:
        notes = [note for note in store.notes(record.run_id, SETTLED) if note.subject == cell_id]
        return (notes[-1].facts["settings"], notes[-1].facts["sentence"]) if notes else ({}, "the runtime's defaults")
    finally:
        store.close()


def board_told(home: Home, board: str, run_ids: Sequence[str]) -> Mapping[str, Any]:
    """What a board told of itself in the newest of some runs; nothing where none of them met it."""
    store = Store.open(home.database_url)
    try:
        for run_id in reversed(run_ids):
            notes = [note for note in store.notes(run_id, "board") if note.subject == board]
            if notes:
                return notes[-1].facts
        return {}
    finally:
        store.close()
