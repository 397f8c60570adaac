"""The pages of runs: a new one, the queue, one that goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from ...compression.errors import CompressionError
from ...targets.errors import TargetError
from ..cron import next_tick
from ..errors import HarnessError
from ..queuestore import CLASSES
from ..scheduling import When
from ..submit import cancel_run, retry_run
from .feed import note_text
from .forms import Form, form_of, run_of
from .pages import page
from .planning import chosen_in, grid_of, plan_files, queue_run, schedule_run, words_of
from .stream import EventStream, RunSource, place_of
from .views import queue_of
from .web import Web, visitor_of, web_of

router = APIRouter(include_in_schema=False)
_NOTES_SHOWN = 60
_MAY_BE_RETRIED = ("error", "timeout", "invalid", "stopped")


@router.get("/runs/new")
def new_form(request: Request) -> Response:
    """Which plan, on which boards?"""
    plan = request.query_params.get("plan", "")
    return _form(request, Form(pairs=[("plan", plan)]))


@router.post("/runs/new")
async def preview(request: Request) -> Response:
    """What the plan comes to; queue it or schedule it where a button says so."""
    form = await form_of(request)
    return await run_in_threadpool(_previewed, request, form)


@router.get("/queue")
def queue(request: Request) -> Response:
    """What runs, what waits and why, and what the clock will submit."""
    web = web_of(request)
    entries, workers = queue_of(web)
    now = datetime.now(UTC)
    schedules = [(one, next_tick(one, now).isoformat(timespec="minutes")) for one in web.lab.engine.schedules()]
    return page(request, "queue.html.j2", entries=entries, workers=workers, schedules=schedules)


@router.post("/queue/schedules/remove")
async def forget_schedule(request: Request) -> Response:
    """Forget a schedule. Runs that it submitted stay."""
    name = (await form_of(request)).exact("name")
    await run_in_threadpool(web_of(request).lab.engine.remove_schedule, name)
    return RedirectResponse("/queue", status_code=303)


@router.get("/runs/{run_id}")
def live(request: Request, run_id: str) -> Response:
    """A run as it is now; the script fills in what comes."""
    web = web_of(request)
    run_of(web.events, run_id)
    seen = web.feeds.look(run_id)
    columns = list(dict.fromkeys(cell.candidate for cell in seen.cells))
    boards = list(dict.fromkeys(cell.board for cell in seen.cells))
    cells = {(cell.board, cell.candidate): cell for cell in seen.cells}
    notes = seen.notes[-_NOTES_SHOWN:]
    return page(
        request,
        "run.html.j2",
        run=seen.run,
        over=seen.over,
        columns=columns,
        rows=[(board, [cells.get((board, column)) for column in columns]) for board in boards],
        notes=[(note, note_text(note)) for note in reversed(notes)],
        place=seen.notes[-1].seq if seen.notes else 0,
        submitted=web.events.submission(run_id) is not None,
        done=sum(cell.state not in ("waiting", "compressed", "measuring") for cell in seen.cells),
        failed=any(cell.state in _MAY_BE_RETRIED for cell in seen.cells),
        cells=len(seen.cells),
    )


@router.get("/runs/{run_id}/stream")
def follow(request: Request, run_id: str, after: int = 0) -> Response:
    """The run's events as they come, from where the viewer was."""
    web = web_of(request)
    run_of(web.events, run_id)
    source = RunSource(look=lambda: web.feeds.look(run_id), after=place_of(request.headers, after))
    return EventStream(source, closing=web.closing, look_s=web.feeds.look_s)


@router.post("/runs/{run_id}/cancel")
def cancel(request: Request, run_id: str) -> Response:
    """Take a run out of the queue."""
    web = web_of(request)
    run_of(web.events, run_id)
    cancel_run(run_id, web.lab.home, web.lab.store, web.lab.engine)
    return RedirectResponse(f"/runs/{run_id}", status_code=303)


@router.post("/runs/{run_id}/retry")
def retry(request: Request, run_id: str) -> Response:
    """Put what failed into the queue again."""
    web = web_of(request)
    run_of(web.events, run_id)
    if retry_run(run_id, web.lab.home, web.lab.store, web.lab.engine, priority=None) is None:
        sentence = "nothing failed in this run: there is nothing to retry"
        return page(request, "error.html.j2", status=409, title="Not possible now", sentence=sentence)
    return RedirectResponse(f"/runs/{run_id}", status_code=303)


def _previewed(request: Request, form: Form) -> Response:
    web, do = web_of(request), form.text("do")
    try:
        chosen = chosen_in(form, web)
        if do == "queue":
            submitted, _ = queue_run(chosen, web, visitor_of(request))
            return RedirectResponse(f"/runs/{submitted.run_id}", status_code=303)
        if do == "schedule":
            when = When(cron=form.text("cron"), zone=form.text("zone") or "UTC", name=form.text("schedule") or None)
            schedule_run(chosen, when, web, visitor_of(request))
            return RedirectResponse("/queue#schedules", status_code=303)
        return _form(request, form, grid=grid_of(chosen, web), chosen=chosen)
    except (HarnessError, TargetError, CompressionError) as error:
        return _form(request, form, problems=words_of(error))


def _form(request: Request, form: Form, **values: Any) -> Response:
    web: Web = web_of(request)
    shown: dict[str, Any] = {"grid": None, "chosen": None, "problems": [], **values}
    return page(
        request,
        "run_new.html.j2",
        status=422 if shown["problems"] else 200,
        form=form,
        plans=list(plan_files(web)),
        boards=list(web.inventory.boards().values()),
        priorities=list(CLASSES),
        folder=web.inventory.path.parent,
        **shown,
    )
