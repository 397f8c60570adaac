"""`hilbench compare`: two runs side by side, as a page, a table and an exit code."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import emit, verb
from ..pagelanguage import page_language

CONDITIONS = ("slower", "accuracy", "memory", "energy", "budget")
NO_COMMON_CELL = 5


@click.command()
@click.argument("earlier", metavar="RUN")
@click.argument("later", metavar="RUN")
@click.option(
    "--fail-on", "fail_on", multiple=True, type=click.Choice(CONDITIONS), help="Exit with 1 where it holds. Repeatable."
)
@click.option(
    "--any-context", is_flag=True, help="Let --fail-on judge cells, too, whose board has another kernel, runtime ..."
)
@click.option("--inventory", type=click.Path(path_type=Path), help="The inventory beside whose runs to look.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the page.")
@page_language
@verb
def compare(
    earlier: str,
    later: str,
    *,
    fail_on: tuple[str, ...],
    any_context: bool,
    inventory: Path | None,
    output: Path | None,
    language: str,
    as_json: bool,
) -> int:
    """Compare a run with an earlier one: the earlier RUN first, then the later one.

    Cells are matched by board, model, recipe, runtime and settings. Beside each difference of results stands the
    difference of circumstances (kernel, runtime, firmware, governor, model file); where these differ, the model is not
    blamed.

    Exits with 1 where a condition of --fail-on holds, with 5 where none holds but one cannot be judged: too few data,
    or other circumstances without --any-context. Emulated boards are compared in instructions.
    """
    from ...reports.comparegate import Condition, exit_code, judge
    from ...reports.comparepage import comparison_page
    from ...reports.compareplain import comparison_json
    from ...reports.language import Language
    from ..comparing import comparison_brief, open_comparison, refuse_without_budget
    from ..reporting import write_text

    home, comparison = open_comparison(earlier, later, inventory)
    conditions = [Condition(word) for word in fail_on]
    refuse_without_budget(comparison, conditions)
    judgements = judge(comparison, conditions, any_context=any_context)
    runs = (comparison.earlier.run, comparison.later.run)
    html = comparison_page(*runs, conditions, any_context=any_context, language=Language(language))
    page = write_text(output or home.comparison(*(run.run_id for run in runs)), html)
    code = exit_code(judgements) if comparison.pairs else NO_COMMON_CELL
    if as_json:
        emit({**comparison_json(comparison, judgements), "exit_code": code, "page": str(page)})
    else:
        click.echo(comparison_brief(comparison, judgements))
        click.echo(f"\npage: {page}")
    return code
