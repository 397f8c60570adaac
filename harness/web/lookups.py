"""The pages that only look: the lab, the boards, the reports, two runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ...reports.compare import compare_runs
from ...reports.comparepage import render_comparison
from ...reports.language import Language
from ..boardcheck import check_board
from ..boardfacts import remember_facts
from ..errors import PlanError
from ..log import open_log
from ..store import RunRow
from .forms import run_of
from .pages import page
from .tasks import Task
from .views import board_view, board_views, queue_of
from .web import Web, web_of

router = APIRouter(include_in_schema=False)
_LAST_RUNS, _RUNS_A_PAGE, _MOST_PAGES = 8, 50, 200
# The report brings its own policy, which allows its own style and script by their hashes; this one is added to it. A
# sandbox without `allow-same-origin` gives it an origin of its own, from which it can reach nothing of ours.
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


@router.get("/")
def lab(request: Request) -> Response:
    """What the boards do, what is in the queue, and the last runs."""
    web = web_of(request)
    entries, workers = queue_of(web)
    return page(
        request,
        "lab.html.j2",
        boards=board_views(web, entries),
        entries=entries,
        workers=workers,
        runs=web.events.runs(limit=_LAST_RUNS),
    )


@router.get("/boards")
def boards(request: Request) -> Response:
    """All boards of the inventory."""
    web = web_of(request)
    return page(request, "boards.html.j2", boards=board_views(web, queue_of(web)[0]), inventory=web.inventory.path)


@router.get("/boards/{name}")
def board(request: Request, name: str) -> Response:
    """One board: what the inventory says, what it told, its standing and its history."""
    return page(request, "board.html.j2", view=board_view(web_of(request), name))


@router.post("/boards/{name}/check")
def check(request: Request, name: str) -> Response:
    """Look at a board, as `hilbench board check` does; passing takes it out of quarantine."""
    web = web_of(request)
    found = web.inventory.board(name)
    task = web.tasks.start(f"Checking {name}", found.name, lambda task: _check(task, web, name))
    return RedirectResponse(f"/tasks/{task.task_id}", status_code=303)


@router.get("/reports")
def reports(request: Request, number: int = 1) -> Response:
    """All runs, newest first, some to a page."""
    if not 1 <= number <= _MOST_PAGES:
        raise PlanError(f"pages are numbered from 1 to {_MOST_PAGES}")
    known = web_of(request).events.runs(limit=number * _RUNS_A_PAGE + 1)
    shown = known[(number - 1) * _RUNS_A_PAGE : number * _RUNS_A_PAGE]
    return page(request, "reports.html.j2", runs=shown, number=number, more=len(known) > number * _RUNS_A_PAGE)


@router.get("/reports/{run_id}")
def report(request: Request, run_id: str, lang: str = "en") -> Response:
    """A report in its frame."""
    run = run_of(web_of(request).events, run_id)
    return page(request, "report.html.j2", run=run, language=_language(lang).value)


@router.get("/reports/{run_id}/page")
def report_page(request: Request, run_id: str, download: bool = False, lang: str = "en") -> Response:
    """The report itself, the same file that `hilbench report` writes."""
    web = web_of(request)
    run = run_of(web.events, run_id)
    headers = {"content-security-policy": REPORT_POLICY}
    if download:
        headers["content-disposition"] = f'attachment; filename="{run.run_id}.html"'
    return HTMLResponse(web.reports.html(run, _language(lang)), headers=headers)


@router.get("/compare")
def compare(request: Request) -> Response:
    """The comparison of two runs in its frame, the older one first."""
    before, after = _two_runs(request)
    return page(request, "compare.html.j2", before=before, after=after)


@router.get("/compare/page")
def compare_page(request: Request) -> Response:
    """The comparison itself, the same file that `hilbench compare` writes."""
    web = web_of(request)
    before, after = (web.reports.summary(run).run for run in _two_runs(request))
    return HTMLResponse(
        render_comparison(compare_runs(before, after)), headers={"content-security-policy": REPORT_POLICY}
    )


def _language(word: str) -> Language:
    """The language of a report that an address asks for."""
    if word not in list(Language):
        raise PlanError(f"a report can be had with lang={' or lang='.join(Language)}")
    return Language(word)


def _two_runs(request: Request) -> tuple[RunRow, RunRow]:
    """Those that the address names, the older one first."""
    events, names = web_of(request).events, request.query_params.getlist("run")
    if len(names) != 2 or names[0] == names[1]:
        raise PlanError("two runs are compared: tick two in the list of reports")
    one, two = sorted((run_of(events, name) for name in names), key=lambda run: (run.started_at, run.run_id))
    return one, two


def _check(task: Task, web: Web, name: str) -> Mapping[str, Any]:
    with open_log(web.lab.home.log):
        found = check_board(web.inventory.board(name), web.lab.home, task.say)
        remember_facts(web.inventory.path, name, found.facts, say=task.say)
    runtimes = [f"{one:22} {r.version or f'cannot be used: {r.reason}'}" for one, r in found.runtimes.items()]
    return {"name": name, "lines": [*runtimes, *found.words()], "usable": found.usable}
