"""The JSON API: what the pages show, for programs. `/api/openapi.json` describes it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from ...reports.export import export_json
from ..queueview import utc
from ..store import RunRow
from ..submit import cancel_run, retry_run
from .forms import Form, run_of
from .planning import chosen_in, queue_run
from .stream import EventStream, RunSource, cell_facts, note_facts, place_of
from .views import board_view, board_views, queue_of
from .web import visitor_of, web_of

router = APIRouter(prefix="/api", tags=["hilbench"])
_MOST_RUNS = 1_000
_EVENTS_AT_ONCE = 1_000


class BoardOut(BaseModel):
    """A board. Moments are UTC in ISO form; null is not known."""

    name: str
    role: str
    arch: str
    kind: str | None
    reached_by: str
    runtimes: list[str]
    tags: list[str]
    note: str | None
    quarantine: dict[str, str | None] | None
    failures_in_a_row: int
    last_ok: str | None
    last_seen: str | None
    now: str
    run: str | None


class RunOut(BaseModel):
    """A run. `state`: queued, running, finished, incomplete, interrupted or cancelled."""

    run: str
    plan: str
    protocol: str
    state: str
    started_at: str
    ended_at: str | None


class CellOut(BaseModel):
    """How far a cell is: `done` of `of` blocks (on emulated boards: processes)."""

    cell: str
    board: str
    candidate: str
    state: str
    text: str
    done: int
    of: int
    reason: str | None


class RunWithCells(RunOut):
    """A run with its cells."""

    cells: list[CellOut]


class EventOut(BaseModel):
    """Something that happened in a run. Numbers grow; they are those of the stream, too."""

    number: int
    at: str
    kind: str
    subject: str
    text: str


class QueueOut(BaseModel):
    """The queue, in the order in which it comes up, and the workers that live."""

    queue: list[dict[str, Any]]
    workers: list[dict[str, Any]]


class Submission(BaseModel):
    """A run to be queued: `plan` is a plan's file as the page of new runs lists it."""

    model_config = ConfigDict(extra="forbid")

    plan: str = Field(max_length=300)
    boards: list[str] = Field(default=[], max_length=200)
    priority: str = Field(default="normal", max_length=10)
    new: bool = False


@router.get("/boards")
def boards(request: Request) -> list[BoardOut]:
    """All boards of the inventory."""
    web = web_of(request)
    return [BoardOut(**view.plain()) for view in board_views(web, queue_of(web)[0])]


@router.get("/boards/{name}")
def board(request: Request, name: str) -> BoardOut:
    """One board."""
    return BoardOut(**board_view(web_of(request), name).plain())


@router.get("/runs")
def runs(request: Request, limit: int = 50) -> list[RunOut]:
    """The newest runs first."""
    rows = web_of(request).events.runs(limit=max(1, min(limit, _MOST_RUNS)))
    return [RunOut(**_run(row)) for row in rows]


@router.get("/runs/{run_id}")
def run(request: Request, run_id: str) -> RunWithCells:
    """A run and how far each of its cells is."""
    web = web_of(request)
    run_of(web.events, run_id)
    seen = web.feeds.look(run_id)
    cells = [CellOut(board=cell.board, candidate=cell.candidate, **cell_facts(cell)) for cell in seen.cells]
    return RunWithCells(**_run(seen.run), cells=cells)


@router.get("/runs/{run_id}/events")
def events(request: Request, run_id: str, after: int = 0) -> list[EventOut]:
    """What happened after the event of that number; some at once, so ask again with the last one's."""
    web = web_of(request)
    run_of(web.events, run_id)
    return [EventOut(**note_facts(note)) for note in web.feeds.look(run_id).after(after)[:_EVENTS_AT_ONCE]]


@router.get("/runs/{run_id}/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
def stream(request: Request, run_id: str, after: int = 0) -> Response:
    """The same as server-sent events; `Last-Event-ID` or `after` says where to begin."""
    web = web_of(request)
    run_of(web.events, run_id)
    source = RunSource(look=lambda: web.feeds.look(run_id), after=place_of(request.headers, after))
    return EventStream(source, closing=web.closing, look_s=web.feeds.look_s)


@router.get("/runs/{run_id}/export", response_class=JSONResponse)
def export(request: Request, run_id: str) -> Response:
    """All figures of a run: what `hilbench export` gives, by the schema of `hilbench schema export`."""
    web = web_of(request)
    return JSONResponse(export_json(web.reports.summary(run_of(web.events, run_id)).run))


@router.get("/queue")
def queue(request: Request) -> QueueOut:
    """What runs, what waits and why."""
    entries, workers = queue_of(web_of(request))
    lines = [
        {**asdict(entry), **{key: utc(getattr(entry, key)) for key in ("since", "until", "expected_end")}}
        for entry in entries
    ]
    return QueueOut(
        queue=lines, workers=[{"name": one.name, "host": one.host, "since": one.started_at} for one in workers]
    )


@router.post("/runs", status_code=201)
def submit(request: Request, wanted: Submission) -> dict[str, Any]:
    """Give a plan to the queue; one that is there already stays the same run."""
    web = web_of(request)
    pairs = [("plan", wanted.plan), ("priority", wanted.priority), ("new", "new" if wanted.new else "")]
    form = Form(pairs=[*pairs, *(("board", word) for word in wanted.boards)])
    submitted, remarks = queue_run(chosen_in(form, web), web, visitor_of(request))
    return {"run": submitted.run_id, "already": submitted.already, "remarks": remarks}


@router.post("/runs/{run_id}/cancel")
def cancel(request: Request, run_id: str) -> dict[str, Any]:
    """Take a run out of the queue: what waits at once, what runs at its next gap."""
    web = web_of(request)
    run_of(web.events, run_id)
    row, under_way = cancel_run(run_id, web.lab.home, web.lab.store, web.lab.engine)
    return {"run": row.run_id, "state": row.state, "under_way": under_way}


@router.post("/runs/{run_id}/retry")
def retry(request: Request, run_id: str) -> dict[str, Any]:
    """Put what failed in a run into the queue again."""
    web = web_of(request)
    run_of(web.events, run_id)
    again = retry_run(run_id, web.lab.home, web.lab.store, web.lab.engine, priority=None)
    return {"run": run_id, "retried": [] if again is None else list(again.submission.boards)}


def _run(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.run_id,
        "plan": row.plan_name,
        "protocol": row.protocol,
        "state": row.state,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }
