"""Adding a board by the page: what `hilbench board add` does, with the questions on a page instead of a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from ...targets.board import Role
from ...targets.errors import InventoryError
from ...targets.hostlist import Listed
from ..boardadd import Examined, Wishes, examine
from ..boardlook import ALL_RUNTIMES
from ..boardwords import board_lines, stay_lines, time_line
from ..errors import PlanError
from ..inventorydraft import InventoryDraft
from ..log import open_log
from .forms import Form, form_of
from .pages import page
from .stream import EventStream, TaskSource, place_of
from .tasks import Task, TaskProgress
from .web import Web, web_of

router = APIRouter(include_in_schema=False)
_LONGEST_WORD = 300


@router.get("/boards/new")
def add_form(request: Request) -> Response:
    """Where is the board, and what shall it be called?"""
    return page(request, "board_new.html.j2", **_choices(web_of(request)), form=Form(), problem=None)


@router.post("/boards/new")
async def begin(request: Request) -> Response:
    """Begin to look at the board; what is wrong with the words is said beside the form."""
    web, form = web_of(request), await form_of(request)
    try:
        listed, wishes = _listed(form), _wishes(form)
        draft = await run_in_threadpool(InventoryDraft, web.inventory.path)
    except (PlanError, InventoryError) as error:
        return page(request, "board_new.html.j2", status=422, **_choices(web), form=form, problem=str(error))
    task = web.tasks.start(f"Adding {listed.label}", listed.label, lambda task: _add(task, web, listed, wishes, draft))
    return RedirectResponse(f"/tasks/{task.task_id}", status_code=303)


@router.post("/boards/new/{task_id}/answer")
async def answer(request: Request, task_id: str) -> Response:
    """The fingerprint is right, or it is not."""
    task, form = web_of(request).tasks.of(task_id), await form_of(request)
    if form.text("answer") not in ("yes", "no"):
        raise PlanError("the answer is yes or no")
    await run_in_threadpool(task.answer, form.exact("question"), form.text("answer") == "yes")
    return RedirectResponse(f"/tasks/{task_id}", status_code=303)


@router.post("/boards/new/{task_id}/write")
def write(request: Request, task_id: str) -> Response:
    """Write what was shown. The draft refuses where the file was changed meanwhile."""
    task = web_of(request).tasks.of(task_id)
    draft = task.result.get("draft")
    if not isinstance(draft, InventoryDraft):
        raise PlanError("there is nothing to write: this board was not found fit")
    with task.changed:
        again = bool(task.result.get("written"))
        if not again:
            draft.write()
            task.result = {**task.result, "written": True}
    return RedirectResponse(f"/boards/{task.result['name']}", status_code=303)


@router.get("/tasks/{task_id}")
def show(request: Request, task_id: str) -> Response:
    """A task as it is now: its lines, its question, what it came to."""
    task = web_of(request).tasks.of(task_id)
    with task.changed:
        return page(request, "task.html.j2", task=task, place=len(task.lines))


@router.get("/tasks/{task_id}/stream")
def follow(request: Request, task_id: str, after: int = 0) -> Response:
    """The task's lines as they come."""
    web = web_of(request)
    source = TaskSource(task=web.tasks.of(task_id), after=place_of(request.headers, after))
    return EventStream(source, closing=web.closing, look_s=0.5)


def _add(task: Task, web: Web, listed: Listed, wishes: Wishes, draft: InventoryDraft) -> Mapping[str, Any]:
    with open_log(web.lab.home.log):
        found = examine(listed, wishes, draft, ask=task.ask, progress=TaskProgress(task))
    return {
        "name": found.name,
        "lines": board_lines(found),
        "time": time_line(found, None),
        "stays": stay_lines([found]),
        "fingerprint": found.fingerprint,
        "trusted": _trusted(found),
        "diff": draft.diff,
        "draft": draft,
        "path": str(draft.path),
        "written": False,
    }


def _trusted(found: Examined) -> bool | None:
    return None if found.smoke is None else found.smoke.trusted


def _listed(form: Form) -> Listed:
    word = form.text("address")
    if (
        not word
        or len(word) > _LONGEST_WORD
        or len(word.split()) != 1
        or not word.isprintable()
        or word.startswith("-")
    ):
        raise PlanError("the address is one word: user@host[:port], or a name that ssh knows on this machine")
    return Listed(word=word)


def _wishes(form: Form) -> Wishes:
    for name in ("name", "kind", "python", "key", "host_key"):
        if len(form.text(name)) > 2 * _LONGEST_WORD or not form.text(name).isprintable():
            raise PlanError(f"{name.replace('_', ' ')}: that is too long, or has characters that cannot be shown")
    role, runtimes = form.text("role"), form.all("runtime")
    if role and role not in [each.value for each in Role]:
        raise PlanError("the role is target, reference or emulated")
    if unknown := [one for one in runtimes if one not in ALL_RUNTIMES]:
        raise PlanError(f'there is no runtime "{unknown[0][:40]}"; there is: {", ".join(ALL_RUNTIMES)}')
    return Wishes(
        name=form.text("name") or None,
        kind=form.text("kind") or None,
        tags=tuple(form.text("tags").replace(",", " ").split()),
        role=Role(role) if role else None,
        python=form.text("python") or None,
        host_key=form.text("host_key") or None,
        key_file=Path(form.text("key")).expanduser() if form.text("key") else None,
        runtimes=runtimes,
        provision=form.ticked("provision"),
        smoke=form.ticked("smoke"),
    )


def _choices(web: Web) -> dict[str, Any]:
    kinds = sorted({board.kind for board in web.inventory.boards().values() if board.kind})
    return {
        "kinds": kinds,
        "runtimes": ALL_RUNTIMES,
        "roles": [role.value for role in Role],
        "inventory": web.inventory.path,
    }
