"""`hilbench run`: the main job."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb
from ..pagelanguage import page_language

if TYPE_CHECKING:
    from ..campaign import RunResult


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--new", is_flag=True, help="Start a new run even if one of this plan did not finish.")
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="Instead of the plan's boards: NAME, user@host, kind:K, tag:T, FACT=VALUE, any:K. Repeatable.",
)
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@page_language
@click.option("--any-time", is_flag=True, help="Use boards outside their hours, too.")
@click.option("--quiet", is_flag=True, help="No progress.")
@verb
def run(
    plan: Path,
    *,
    new: bool,
    boards: tuple[str, ...],
    inventory: Path | None,
    language: str,
    any_time: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Compress, deploy, measure and report, as a plan says.

    It works now, in this process. Called again with the same plan, it goes on with a run that did not finish and
    measures only what is missing.
    """
    from ...reports.language import Language
    from ..notify import teller
    from ..openplan import open_plan
    from ..run import run_plan

    with open_plan(plan, boards=boards, inventory=inventory, any_time=any_time, quiet=quiet) as opened:
        result = run_plan(
            opened.plan,
            opened.home,
            new=new,
            command=command_again(),
            progress=opened.progress,
            tell=teller(opened.known, opened.progress.say),
            language=Language(language),
        )
    show_result(result, command_again(), as_json=as_json)
    return result.exit_code


def show_result(result: RunResult, again: str, *, as_json: bool) -> None:
    """The figures in brief, the run's id and the report's path. `again` is the command that goes on with the run."""
    from ...reports.summary import summarize
    from ..brief import brief
    from ..phases import in_words
    from ..stepsummary import append_step_summary

    record = result.record
    if (failed := append_step_summary(record)) is not None:
        click.echo(f"hilbench: {failed}", err=True)
    if as_json:
        cells = [{"cell": r.cell_id, "outcome": r.outcome.value, "reason": r.reason} for r in record.records]
        times = [asdict(one) for one in result.times]
        emit(
            {"run": record.run_id, "state": record.state, "report": str(result.report), "cells": cells, "times": times}
        )
        return
    click.echo(brief(summarize(record)))
    click.echo()
    if record.state in ("interrupted", "incomplete"):
        click.echo(f"This run is {record.state}: `{again}` goes on with it and measures only what is missing.")
    for line in in_words(result.times):
        click.echo(f"time:   {line}")
    click.echo(f"run:    {record.run_id}")
    click.echo(f"report: {result.report}")


def command_again() -> str:
    """The words that go on with this run, or repeat it: what was typed, without what concerns this call only."""
    return shlex.join(["hilbench", *(word for word in sys.argv[1:] if word not in ("--new", "--json", "--quiet"))])
