"""`hilbench report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import emit, verb
from ..pagelanguage import page_language


@click.command()
@click.argument("run", default="latest")
@click.option("--inventory", type=click.Path(path_type=Path), help="The inventory beside whose runs to look.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the file.")
@page_language
@verb
def report(run: str, *, inventory: Path | None, output: Path | None, language: str, as_json: bool) -> None:
    """Write the report of a run as one HTML file."""
    from ...reports.language import Language
    from ..reporting import open_report, write_report

    home, record, earlier = open_report(run, inventory)
    path = write_report(record, output or home.report(record.run_id), earlier, Language(language))
    if as_json:
        emit({"run": record.run_id, "report": str(path)})
    else:
        click.echo(path)
