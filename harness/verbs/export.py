"""`hilbench export`: a run's figures for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb

if TYPE_CHECKING:
    from ...reports.record import RunRecord

FORMATS = ("json", "csv", "junit", "github")


@click.command()
@click.argument("run", default="latest")
@click.option("--format", "form", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option("--inventory", type=click.Path(path_type=Path), help="The inventory beside whose runs to look.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of stdout.")
@verb
def export(run: str, *, form: str, inventory: Path | None, output: Path | None, as_json: bool) -> None:
    """Write the figures of a run for other programs.

    `hilbench schema export` prints the schema of the JSON. `junit` has one test case a cell; `github` is Markdown for a
    job's summary page, to which `run` appends by itself where GITHUB_STEP_SUMMARY is set.
    """
    from ..reporting import open_run, write_text

    _, record = open_run(run, inventory)
    text = _text(record, "json" if as_json and output is None else form)
    if output is None:
        click.echo(text, nl=False)
        return
    path = write_text(output, text)
    if as_json:
        emit({"run": record.run_id, "format": form, "file": str(path)})
    else:
        click.echo(path)


def _text(record: RunRecord, form: str) -> str:
    from ...reports.export import export_csv, export_json
    from ...reports.junit import export_junit
    from ...reports.markdown import export_markdown

    match form:
        case "csv":
            return export_csv(record)
        case "junit":
            return export_junit(record)
        case "github":
            return export_markdown(record)
        case _:
            return json.dumps(export_json(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
