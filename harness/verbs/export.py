"""`hilbench export`: a run's figures for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb
from ..errors import PlanError

if TYPE_CHECKING:
    from ...reports.record import RunRecord

FORMATS = ("json", "csv", "parquet", "pytest-benchmark", "bmf", "junit", "github")
TABLES = ("cells", "samples", "pairs")


@click.command()
@click.argument("run", default="latest")
@click.option("--format", "form", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option(
    "--table",
    type=click.Choice(TABLES),
    help="What a row of csv or parquet is: a cell (the default), a raw sample, or a pair of candidates.",
)
@click.option("--inventory", type=click.Path(path_type=Path), help="The inventory beside whose runs to look.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of stdout.")
@verb
def export(
    run: str, *, form: str, table: str | None, inventory: Path | None, output: Path | None, as_json: bool
) -> None:
    """Write the figures of a run for other programs.

    `hilbench schema export` prints the schema of the JSON. `junit` has one test case a cell; `github` is Markdown for a
    job's summary page, to which `run` appends by itself where GITHUB_STEP_SUMMARY is set. Two files of
    `pytest-benchmark` can be given to `pytest-benchmark compare`, which looks at no machine: what may be compared, our
    own report says. `bmf` is Bencher Metric Format, for `bencher run --file`.
    """
    from ..reporting import open_run, write_bytes

    if table is not None and form not in ("csv", "parquet"):
        raise PlanError(f"--table {table} goes with --format csv or parquet: {form} is no table")
    if form == "parquet" and output is None:
        raise PlanError("parquet is not text: name a file with -o FILE")
    _, record = open_run(run, inventory)
    content = _content(record, "json" if as_json and output is None else form, table or "cells")
    if output is None:
        click.echo(content.decode(), nl=False)
        return
    path = write_bytes(output, content)
    if as_json:
        emit({"run": record.run_id, "format": form, "file": str(path)})
    else:
        click.echo(path)


def _content(record: RunRecord, form: str, table: str) -> bytes:
    from ...reports.bmf import export_bmf
    from ...reports.export import export_json
    from ...reports.export_benchmark import export_benchmark
    from ...reports.junit import export_junit
    from ...reports.markdown import export_markdown
    from ...reports.tables import Table, table_csv, table_parquet

    match form:
        case "csv":
            return table_csv(record, Table(table)).encode()
        case "parquet":
            return table_parquet(record, Table(table))
        case "junit":
            return export_junit(record).encode()
        case "github":
            return export_markdown(record).encode()
        case "pytest-benchmark":
            return _json(export_benchmark(record))
        case "bmf":
            return _json(export_bmf(record))
        case _:
            return _json(export_json(record))


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
