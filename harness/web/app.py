"""The application: pages and API gathered, errors turned into one sentence each, all of it behind the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ...compression.errors import CompressionError
from ...reports.errors import ReportError
from ...targets.errors import TargetError
from ..console import exit_code
from ..errors import HarnessError, NoSuchRunError
from ..provenance import hilbench_version
from . import adding, api, lookups, runs
from .forms import NotFoundError, form_of
from .guard import Door, Guard, Refusal
from .pages import page, refused, script, stylesheet
from .tasks import mistake_sentence
from .web import Web, web_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_FOREVER = "public, max-age=31536000, immutable"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0a5c9e"/>'
    '<path d="M3 12V9m3.3 3V4m3.4 8V7m3.3 5V5" stroke="#fff" stroke-width="1.8" stroke-linecap="round"/></svg>'
)


def make_app(web: Web, hosts: frozenset[str]) -> ASGIApp:
    """The whole application. `hosts` are the names under which it is reached."""
    app = FastAPI(
        title="hilbench",
        version=hilbench_version(),
        docs_url=None,  # these pages load scripts from other servers
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.web = web
    for known in (adding, runs, lookups, api):  # `/boards/new` comes before `/boards/{name}`
        app.include_router(known.router)
    _add_doors(app)
    _add_errors(app)
    return Guard(app, Door(hosts=hosts, sessions=web.sessions))


def _add_doors(app: FastAPI) -> None:
    @app.get("/login", include_in_schema=False)
    def login_form(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return page(request, "login.html.j2", sentence=None, wrong=False)

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        web = web_of(request)
        value = web.sessions.log_in((await form_of(request)).text("token")) if web.sessions.asked_for else None
        if value is None:
            return page(request, "login.html.j2", status=401, sentence=None, wrong=True)
        answer = RedirectResponse("/", status_code=303)
        secure = request.url.scheme == "https"
        answer.set_cookie(web.sessions.cookie, value, httponly=True, samesite="strict", secure=secure, path="/")
        return answer

    @app.post("/logout", include_in_schema=False)
    def logout(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        web_of(request).sessions.log_out({key.lower(): value for key, value in request.headers.items()})
        return RedirectResponse("/login", status_code=303)

    for name, media, text in (
        ("page.css", "text/css", stylesheet()),
        ("page.js", "text/javascript", script()),
        ("icon.svg", "image/svg+xml", _ICON),
    ):
        _add_static(app, f"/static/{name}", media, text)


def _add_static(app: FastAPI, path: str, media: str, text: str) -> None:
    @app.get(path, include_in_schema=False)
    def static() -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(text, media_type=media, headers={"cache-control": _FOREVER})


def _add_errors(app: FastAPI) -> None:
    def told(request: Request, error: Exception) -> Response:
        return refused(Refusal(status=status_of(error), sentence=str(error)), path=request.url.path)

    for kind in (HarnessError, TargetError, CompressionError, ReportError):
        app.add_exception_handler(kind, told)

    @app.exception_handler(HTTPException)
    def of_http(request: Request, error: HTTPException) -> Response:  # pyright: ignore[reportUnusedFunction]
        sentence = "there is no such page" if error.status_code == 404 else str(error.detail)
        return refused(Refusal(status=error.status_code, sentence=sentence), path=request.url.path)

    @app.exception_handler(RequestValidationError)
    def of_words(request: Request, error: RequestValidationError) -> Response:  # pyright: ignore[reportUnusedFunction]
        wrong = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5])
        return refused(Refusal(status=422, sentence=wrong), path=request.url.path)

    @app.exception_handler(Exception)
    def of_ours(request: Request, error: Exception) -> Response:  # pyright: ignore[reportUnusedFunction]
        return refused(Refusal(status=500, sentence=mistake_sentence(error)), path=request.url.path)


def status_of(error: Exception) -> int:
    """What the answer to an error of ours says it is, by what the visitor does about it."""
    if isinstance(error, NoSuchRunError | NotFoundError):
        return 404
    code = exit_code(error)
    return 422 if code == 2 else 409 if isinstance(error, HarnessError | TargetError) else 500
