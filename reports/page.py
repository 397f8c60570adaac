"""The report as one HTML file that opens from disk, needs no network and no script, and is the same for the same run.

Text that came from outside (names, reasons, facts of boards) is escaped by the template; what is put in unescaped is
only what this package drew or wrote itself. The page's own Content-Security-Policy allows nothing but its one style
sheet and its one script, each by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from . import units
from .collecting import without_collection
from .compare import compare_summaries
from .comparemoved import since_last_time
from .deployed import deployed_file
from .gaps import failed, failures, not_measured, scope_text, state_text
from .joules import joules
from .kindview import kind_views
from .language import Language, clauses, listed, looked_up, mark, speaking, spoken, tr
from .matrix import matrix
from .pick import Purpose, choices
from .plain import plain
from .record import RunRecord
from .sentences import answers
from .summary import RunSummary, summarize
from .views import board_views, flatten
from .wording import budget_text, names
from .words import TERMS, words_in

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# HTML lets these end tags be left out, and a page of many cells has tens of thousands. What came from outside is
# escaped, so that it holds none.
_OPTIONAL_END = re.compile(r"</(?:td|th|tr)>\s*")

LARGE_CELLS = 200
"""A page of more cells is laid out part by part, as one looks at it."""

# What the script says; the rest of its words stand in the page.
_SCRIPT_WORDS = {
    "board": mark("Board"),
    "all": mark("all boards"),
    "absent": mark("not in the plan"),
    "cell": mark("{candidate} on {board}: {text}"),
}


@without_collection()
def render(run: RunRecord, earlier: RunRecord | None = None, language: Language = Language.ENGLISH) -> str:
    """The whole report of a run as HTML text, with what changed since an `earlier` run of the plan if that is given.

    Reasons that a board or a tool gave stand in it as they were recorded, in whatever language that is.
    """
    with speaking(language):
        return render_summary(summarize(run), None if earlier is None else summarize(earlier))


def render_summary(summary: RunSummary, earlier: RunSummary | None = None) -> str:
    """`render` of runs that were summarized already, in the language that is spoken: they hold sentences of it."""
    css, script = _style("report.css"), _script()
    chosen, labels = choices(summary), names(summary.cells)
    boards = board_views(summary, chosen)
    template = _environment().get_template("report.html.j2")
    html = template.render(
        language=spoken().tag,
        run=summary.run,
        large=len(summary.cells) > LARGE_CELLS,
        css=css,
        script=script,
        csp=content_security_policy(css, script),
        state=state_text(summary),
        scope=scope_text(summary),
        budget=budget_text(summary.run),
        answers=answers(summary, chosen),
        shipping=any(choice.purpose is Purpose.SHIP for choice in chosen),
        gaps=not_measured(summary),
        failures=failures(summary),
        matrix=matrix(summary, chosen, [(board.name, board.emulated) for board in boards]),
        terms=TERMS,
        words_in=words_in,
        boards=boards,
        kinds=kind_views(summary, chosen),
        since=None if earlier is None else since_last_time(compare_summaries(earlier, summary)),
        failed=[(cell, labels[cell.record.cell_id]) for cell in failed(summary)],
        artifacts=_artifacts(summary),
        plan=_yaml(summary.run.plan),
        provenance=flatten({key: value for key, value in summary.run.provenance.items() if key != "command"}),
        command=str(summary.run.provenance.get("command") or f"hilbench run {summary.run.plan_name}"),
    )
    return _OPTIONAL_END.sub("", html)


def fill(template_name: str, style_name: str, *, scripted: bool = False, **values: object) -> str:
    """Another page of this package, as closed as the report: its style sheet and one more, its script or none."""
    css, script = _style("report.css", style_name), _script() if scripted else None
    csp = content_security_policy(css, script)
    template = _environment().get_template(template_name)
    return template.render(language=spoken().tag, css=css, csp=csp, script=script, **values)


def content_security_policy(css: str, script: str | None) -> str:
    """A policy that lets the page load nothing and run only its own text."""
    runs = "" if script is None else f" script-src 'sha256-{_digest(script)}';"
    return f"default-src 'none'; style-src 'sha256-{_digest(css)}';{runs} base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _resource(file_name: str) -> str:
    return (files("hilbench.reports") / "templates" / file_name).read_text(encoding="utf-8")


def _style(*names: str) -> str:
    """The style sheets named, and what the language adds to them."""
    own = ["zh.css"] if spoken() is Language.CHINESE else []
    return "".join(_resource(name) for name in (*names, *own))


def _script() -> str:
    """The report's script, with its few words."""
    words = {key: looked_up(message) for key, message in _SCRIPT_WORDS.items()}
    return _resource("report.js").replace(
        "const WORDS = {};", f"const WORDS = {json.dumps(words, ensure_ascii=False)};"
    )


def _message(text: str, /, **values: object) -> Markup:
    """A message of a template: our own text, which may hold tags; what is filled in is escaped."""
    from markupsafe import Markup

    message = Markup(looked_up(text))  # noqa: S704  the catalogue is a file of this package
    return message.format(**values) if values else message


def _sortable(value: float | None) -> str:
    """What a column is sorted by: seven digits order all that is shown; empty for what was not measured."""
    return "" if value is None else f"{value:.7g}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "own": Markup,  # marks text that this package made itself: drawings, style sheet, script
        "duration": units.duration,
        "joules": joules,
        "instructions": units.instruction_count,
        "memory": units.memory,
        "size": units.file_size,
        "percent": units.percent,
        "percent_span": units.percent_span,
        "ratio": units.ratio,
        "signed_points": units.signed_points,
        "sortable": _sortable,
        "said": lambda word: tr(str(word)),
        "listed": listed,
        "clauses": clauses,
    }
    cast(dict[str, Callable[..., Any]], environment.filters).update(filters)
    cast(dict[str, Callable[..., Any]], environment.globals)["_"] = _message
    return environment


def _artifacts(summary: RunSummary) -> list[tuple[str, str, str, str]]:
    """(model, recipe, sha256, where it lies) of each distinct file, in the order of the plan; those that ran with the
    input in another layout come after the artifact that they were made of.
    """
    found: dict[tuple[str, str, str, str], None] = {}
    for cell in summary.cells:
        artifact, ran = cell.record.artifact, deployed_file(cell.record)
        if artifact is None or ran is None:
            continue
        unknown = tr("not recorded")
        found[cell.record.model, cell.record.recipe, artifact.sha256, artifact.path or unknown] = None
        if ran.layout is not None:
            recipe = tr("{recipe}, images as {layout}", recipe=cell.record.recipe, layout=ran.layout.upper())
            found[cell.record.model, recipe, ran.sha256, ran.path or unknown] = None
    return list(found)


def _yaml(plan: object) -> str:
    from ruamel.yaml import YAML

    writer, text = YAML(typ="safe", pure=True), io.StringIO()
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]  keeps the plan's order
    writer.dump(plain(plan), text)
    return text.getvalue()
