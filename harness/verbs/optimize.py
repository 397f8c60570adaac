"""`hilbench optimize`: the settings with which each file runs best on each board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..optimize.ledger import Found


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--objective",
    type=click.Choice(["latency", "memory"]),
    default="latency",
    help="What is to be less: the time of an inference (on emulated boards its instructions), or the peak of memory.",
)
@click.option("--recipe", "recipes", multiple=True, help="Only this recipe of the plan. Repeatable.")
@click.option(
    "--try",
    "factors",
    multiple=True,
    help="Try only this: place, graph_optimization, offline_graph, input_layout, providers, arena, "
    "memory_pattern, xnnpack. Repeatable.",
)
@click.option("--new", is_flag=True, help="Begin anew even if an optimisation of this plan did not finish.")
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="Instead of the plan's boards: NAME, user@host, kind:K, tag:T, FACT=VALUE, any:K. Repeatable.",
)
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@click.option("--any-time", is_flag=True, help="Use boards outside their hours, too.")
@click.option("--quiet", is_flag=True, help="No progress.")
@verb
def optimize(
    plan: Path,
    *,
    objective: str,
    recipes: tuple[str, ...],
    factors: tuple[str, ...],
    new: bool,
    boards: tuple[str, ...],
    inventory: Path | None,
    any_time: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Find the settings with which each file of a plan runs best on each board.

    For every artifact (the plan's shortlist, else all recipes) and board: threads and cores, the level of graph
    optimisation, a graph optimised on the board, the layout of the input, providers, arena and memory pattern. A short
    run tries one change at a time; a second run, under the plan's protocol, measures the default and the most promising
    settings anew. A setting is kept only if that proves it better than the default. `runtimes: [{settings: best}]` in a
    plan takes it.

    Called again after it was stopped, it goes on.
    """
    from ..notify import teller
    from ..openplan import open_plan
    from ..optimize.artifact import Wanted
    from ..optimize.grid import FACTORS
    from ..optimize.optimize import optimize_plan
    from .run import command_again

    with open_plan(plan, boards=boards, inventory=inventory, any_time=any_time, quiet=quiet) as opened:
        results = optimize_plan(
            opened.plan,
            opened.home,
            wanted=Wanted(objective=objective, factors=factors or FACTORS, recipes=recipes),
            new=new,
            command=command_again(),
            progress=opened.progress,
            tell=teller(opened.known, opened.progress.say),
        )
    _show(results, as_json=as_json)
    return _exit_code(results)


def _show(results: Sequence[Found], *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        emit({"optimized": [asdict(one) for one in results]})
        return
    for one in results:
        subject = one.subject
        name = f"{subject['board']}: {subject['model']}, {subject['recipe']}, {subject['runtime']}"
        click.echo(f"{name}\n  {one.sentence}")
        if one.file is not None:
            click.echo(f"  file with this input: {one.file}")
        for tried in one.tried:
            click.echo(f"  screened: {tried['sentence']}")
        for factor, reason in (one.left_out or {}).items():
            click.echo(f"  not tried: {factor.replace('_', ' ')}: {reason}")
        if one.runs:
            click.echo(f"  runs: {', '.join(one.runs)}")


def _exit_code(results: Sequence[Found]) -> int:
    """4 if no board gave anything, 3 if some cells failed, 1 if a default setting failed its check, else 0."""
    codes = [one.exit_code for one in results]
    if codes and all(code == 4 for code in codes):
        return 4
    return 3 if {3, 4} & set(codes) else max(codes, default=0)
