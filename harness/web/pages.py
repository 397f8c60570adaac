"""Pages from templates: everything that is put in is escaped, and what would turn or hide text is taken out of it.

The style is that of the report, from the same file, with what only the web page needs after it.
"""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, cast

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from ..progress import counted
from .guard import Refusal

SHORT = 160
_KEPT = "\n\t"
_TITLES = {400: "Not understood", 401: "Log in", 403: "Not allowed", 404: "Not found", 409: "Not possible now"}


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of ours. `request` says where in the navigation it is."""
    text = environment().get_template(template).render(path=request.url.path, visitor=_visitor(request), **values)
    return HTMLResponse(text, status_code=status)


def refused(refusal: Refusal, *, path: str) -> Response:
    """The answer to what is not answered: JSON below /api, else a page; without a token the page asks for one."""
    if path.startswith("/api/"):
        return JSONResponse({"error": {"message": refusal.sentence}}, status_code=refusal.status)
    template = "login.html.j2" if refusal.status == 401 else "error.html.j2"
    title = _TITLES.get(refusal.status, "Not answered")
    text = (
        environment()
        .get_template(template)
        .render(path="", visitor=None, title=title, sentence=refusal.sentence, status=refusal.status, wrong=False)
    )
    return HTMLResponse(text, status_code=refusal.status)


def plain_text(value: object) -> str:
    """Text on one direction, without what is invisible: control characters and marks that turn it become spaces."""
    return "".join(
        char if char in _KEPT or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co") else " "
        for char in str(value)
    )


def short(value: object, most: int = SHORT) -> str:
    """One line of at most so many characters, with an ellipsis where something was left out."""
    line = " ".join(plain_text(value).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def moment(value: object) -> str:
    """A moment as the store writes it, to the second and without its T."""
    return short(value)[:19].replace("T", " ")


def stylesheet() -> str:
    """The report's style and ours after it."""
    report = files("hilbench.reports") / "templates" / "report.css"
    return report.read_text(encoding="utf-8") + _resource("web.css")


def script() -> str:
    """The one script: it follows a run or a task while it is looked at."""
    return _resource("web.js")


@functools.cache
def version() -> str:
    """Changes with the style sheet and the script, so that browsers may keep them."""
    return hashlib.sha256((stylesheet() + script()).encode()).hexdigest()[:12]


@functools.cache
def environment() -> Environment:
    """The templates. Names that they use and nobody gave are mistakes, not empty words."""
    made = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cast(dict[str, Any], made.filters).update(short=short, moment=moment, exact=_exact, counted=counted)
    cast(dict[str, Any], made.globals).update(version=version())
    return made


def _final(value: Any) -> Any:
    return value if value is None or isinstance(value, Markup | int | float) else plain_text(value)


def _exact(value: object) -> Markup:
    """Text that is to come back as it is, such as a plan in its field: escaped, but nothing taken out."""
    return escape(str(value))


def _resource(name: str) -> str:
    return (files("hilbench.harness.web") / "templates" / name).read_text(encoding="utf-8")


def _visitor(request: Request) -> Mapping[str, Any]:
    from .web import web_of

    sessions = web_of(request).sessions
    who = (
        sessions.visitor({key.lower(): value for key, value in request.headers.items()}) if sessions.asked_for else None
    )
    return {"name": who.name if who is not None else None}
