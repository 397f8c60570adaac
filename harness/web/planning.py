"""A new run before it is one: the plan that a form names, its grid, and its place in the queue or in the calendar.

Plans are files beside the inventory, where the command line finds them too. One that was pasted is written there under
a new name, once it is right, and never over another one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...targets.claim import this_person
from ..campaign import Campaign, ready
from ..design import foretell
from ..errors import HarnessError, PlanError
from ..plan import Cell, load_plan
from ..queuestore import CLASSES
from ..reporting import write_text
from ..scheduling import When, schedule_of
from ..selection import Boards
from ..submit import Submitted, Wanted, submit_plan
from .cellstate import candidate_of
from .forms import Form
from .sessions import Visitor
from .web import Web

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.ya?ml")
_PLAN = re.compile(r"^models\s*:", re.MULTILINE)
_MOST_FILES = 200
_LARGEST_PLAN_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a form asks for. `text` is a pasted plan, which `path` does not hold yet; None where the file is meant."""

    path: Path
    text: str | None
    boards: tuple[str, ...]
    priority: str
    new: bool = False

    def command(self, verb: str) -> str:
        """What does the same on the command line, in the folder of the inventory."""
        words = [f"--board={word}" for word in self.boards]
        words += ["--priority", self.priority] if verb == "submit" and self.priority != "normal" else []
        return shlex.join(["hilbench", verb, str(self.path), *words])


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What a plan comes to: a row a board, a column a candidate; None where the plan has no such cell."""

    campaign: Campaign
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]
    forecast: Sequence[str]
    remarks: Sequence[str]

    @property
    def skipped(self) -> Sequence[Cell]:
        """Cells that cannot run; each says why."""
        return [cell for cell in self.campaign.cells if cell.skip is not None]


def plan_files(web: Web) -> dict[str, Path]:
    """The plans beside the inventory and in `plans/` there, by the name that the form shows."""
    folder = web.inventory.path.parent
    found: dict[str, Path] = {}
    for place in (folder, folder / "plans"):
        for path in sorted(place.glob("*.y*ml"))[:_MOST_FILES] if place.is_dir() else ():
            if path != web.inventory.path and path.is_file() and _is_plan(path):
                found[str(path.relative_to(folder))] = path
    return found


def chosen_in(form: Form, web: Web) -> Chosen:
    """What a form asks for. Raises PlanError for words that cannot be."""
    boards = (*form.all("board"), *form.text("words").split())
    priority = form.text("priority") or "normal"
    if priority not in CLASSES:
        raise PlanError(f"the priority is {', '.join(CLASSES)}")
    text = form.exact("text")
    if text.strip():
        path = _new_file(form.text("file"), web)
        return Chosen(path=path, text=text, boards=boards, priority=priority, new=form.ticked("new"))
    path = plan_files(web).get(form.text("plan"))
    if path is None:
        raise PlanError("choose a plan, or paste one")
    return Chosen(path=path, text=None, boards=boards, priority=priority, new=form.ticked("new"))


def grid_of(chosen: Chosen, web: Web) -> Grid:
    """Check a plan fully and expand it. Raises PlanError, InventoryError, ModelError with the first thing wrong."""
    known = Boards(web.inventory.path)
    plan = load_plan(chosen.path, known, boards=chosen.boards or None, text=chosen.text)
    campaign = ready(plan, web.lab.home, command=chosen.command("run"))
    names = {cell.cell_id: _candidate(cell) for cell in campaign.cells}
    columns = list(dict.fromkeys(names.values()))
    rows: list[tuple[str, Sequence[Cell | None]]] = []
    for board in plan.boards:
        mine = {names[cell.cell_id]: cell for cell in campaign.cells if cell.board.name == board.name}
        rows.append((board.name, [mine.get(column) for column in columns]))
    forecast = foretell(web.events, plan, campaign.cells, campaign.blocks)
    return Grid(campaign=campaign, columns=columns, rows=rows, forecast=forecast, remarks=plan.remarks)


def queue_run(chosen: Chosen, web: Web, visitor: Visitor) -> tuple[Submitted, list[str]]:
    """Give a plan to the queue, as `hilbench submit` does. Returns what was said meanwhile, too."""
    said: list[str] = []
    _keep(chosen, web)
    wanted = Wanted(
        plan=chosen.path,
        boards=chosen.boards,
        priority=chosen.priority,
        new=chosen.new,
        inventory=web.inventory.path,
        command=chosen.command("submit"),
        person=_person(visitor),
    )
    return submit_plan(wanted, web.lab.home, web.lab.store, web.lab.engine, say=said.append), said


def schedule_run(chosen: Chosen, when: When, web: Web, visitor: Visitor) -> str:
    """Keep a schedule, as `hilbench schedule add` does; returns its name."""
    _keep(chosen, web)
    made = schedule_of(
        chosen.path,
        when,
        Boards(web.inventory.path),
        boards=chosen.boards,
        priority=chosen.priority,
        command=chosen.command("submit"),
        person=_person(visitor),
    )
    web.lab.engine.add_schedule(made)
    return made.name


def _keep(chosen: Chosen, web: Web) -> None:
    """Write a pasted plan to its file once it is right."""
    if chosen.text is None:
        return
    load_plan(chosen.path, Boards(web.inventory.path), boards=chosen.boards or None, text=chosen.text)
    if not chosen.path.exists():
        write_text(chosen.path, chosen.text)
    elif chosen.path.read_bytes() != chosen.text.encode():
        raise PlanError(f"there is a file {chosen.path.name} already, and it is another plan; give this one a new name")


def _new_file(name: str, web: Web) -> Path:
    if _FILE.fullmatch(name) is None or name == web.inventory.path.name:
        raise PlanError(
            "a pasted plan is kept as a file beside the inventory: name it, such as my-plan.yaml "
            "(letters, digits and . _ - are allowed)"
        )
    return web.inventory.path.parent / name


def _is_plan(path: Path) -> bool:
    try:
        if path.stat().st_size > _LARGEST_PLAN_BYTES:
            return False
        return _PLAN.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def _candidate(cell: Cell) -> str:
    facts = {"model": cell.model, "recipe": cell.recipe, "runtime": cell.runtime, "settings": cell.settings}
    return candidate_of(facts)


def _person(visitor: Visitor) -> str:
    """Who asks: the token's name, else the account that the server runs under, as on the command line."""
    return this_person() if visitor.name is None else f"{visitor.name} (web)"


def words_of(error: HarnessError | Exception) -> list[str]:
    """The lines of an error, one a fault."""
    return [line for line in str(error).splitlines() if line.strip()]
