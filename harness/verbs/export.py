"""`hilbench export`: a run's figures for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..console import emit, verb


@click.command()
@click.argument("run", default="latest")
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.option("--inventory", type=click.Path(path_type=Path), help="The inventory beside whose runs to look.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of stdout.")
@verb
def export(run: str, *, form: str, inventory: Path | None, output: Path | None, as_json: bool) -> None:
    """Write the figures of a run as JSON or CSV.

    `hilbench schema export` prints the schema of the JSON.
    """
    from ...reports.export import export_csv, export_json
    from ..reporting import open_run, write_text

    _, record = open_run(run, inventory)
    if form == "json" or (as_json and output is None):
        text = json.dumps(export_json(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = export_csv(record)
    if output is None:
        click.echo(text, nl=False)
        return
    path = write_text(output, text)
    if as_json:
        emit({"run": record.run_id, "format": form, "file": str(path)})
    else:
        click.echo(path)
