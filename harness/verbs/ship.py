"""`hilbench ship`: a model and a budget in, a folder for each board out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import emit, verb
from ..pagelanguage import page_language

if TYPE_CHECKING:
    from ..ship.shipping import ShipResult


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--data",
    required=True,
    help="Labelled images: an .npz, a folder with a folder a class, or package.module:function.",
)
@click.option(
    "--budget",
    multiple=True,
    required=True,
    help='"drop<=1pp, p95<=30ms, memory<=64MiB"; also latency, energy, size, instructions (emulated boards). '
    '" on NAME" behind a limit is for one board. Repeatable.',
)
@click.option(
    "--boards", multiple=True, required=True, help="NAME, user@host, kind:K, tag:T or FACT=VALUE. Repeatable."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("ship"),
    show_default=True,
    help="Where the folder of each board goes.",
)
@click.option("--trials", type=click.IntRange(1, 10_000), default=16, show_default=True, help="How many candidates.")
@click.option(
    "--finalists",
    type=click.IntRange(1, 10),
    default=2,
    show_default=True,
    help="How many of them each board confirms.",
)
@click.option(
    "--try",
    "factors",
    multiple=True,
    help="What of the settings is tuned, as `hilbench optimize` names it; by default place. Repeatable.",
)
@click.option("--licence", help="What the card says of the model's licence; by default that it is not stated.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Deals the data out.")
@click.option("--scale", type=float, help="Factor for stored pixels; by default 1/255 for bytes.")
@click.option("--mean", type=float, multiple=True, help="Per channel, after scaling. Repeatable.")
@click.option("--std", type=float, multiple=True, help="Per channel, after scaling. Repeatable.")
@click.option("--layout", type=click.Choice(["nchw", "nhwc"]), help="Where the model has its channels; usually nchw.")
@click.option(
    "--shape", "shapes", multiple=True, help="NAME=1,3,224,224 for an input whose shape the file leaves open."
)
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@click.option("--any-time", is_flag=True, help="Use boards outside their hours, too.")
@click.option("--quiet", is_flag=True, help="No progress.")
@page_language
@verb
def ship(model: Path, *, quiet: bool, any_time: bool, language: str, as_json: bool, **options: Any) -> int:
    """Find the file to ship on each board, and prove that it keeps the budget.

    A search over recipes without training chooses candidates by what the boards measure; the best settings of each
    board's finalists are found; then the finalists are measured anew beside MODEL, under `certify`, on images that the
    search never saw. What keeps the budget then is written to ship/BOARD/: the file, its settings, a model card, the
    report. Where nothing does: what came nearest, and which limit to relax by how much.

    MODEL is an ONNX file that classifies. Called again with the same words, it goes on.
    """
    from ...reports.language import Language
    from ..home import find_home
    from ..log import open_log
    from ..notify import teller
    from ..openplan import refuse_outside_hours
    from ..progress import Progress
    from ..selection import Boards
    from ..ship.shipping import ship_model
    from .run import command_again

    known = Boards(options.pop("inventory"))
    target: Path = options.pop("output")
    asked = _asked(model, options)
    if not any_time:
        refuse_outside_hours(known.select_all(asked.boards).boards)
    home = find_home(known.inventory_path)
    with open_log(home.log), Progress(quiet=quiet) as progress:
        result = ship_model(
            asked,
            known,
            home,
            target=target,
            command=command_again(),
            progress=progress,
            tell=teller(known, progress.say),
            language=Language(language),
        )
    _show(result, as_json=as_json)
    return result.exit_code


def _asked(model: Path, options: dict[str, Any]) -> Any:
    from ..benchplan import shapes_from
    from ..ship.request import TUNED, Asked

    task = {key: options[key] for key in ("scale", "layout") if options[key] is not None}
    task |= {key: list(options[key]) for key in ("mean", "std") if options[key]}
    return Asked(
        model=model,
        data=options["data"],
        budget=options["budget"],
        boards=options["boards"],
        trials=options["trials"],
        finalists=options["finalists"],
        licence=options["licence"],
        seed=options["seed"],
        factors=options["factors"] or TUNED,
        task=task,
        shapes=shapes_from(options["shapes"]),
    )


def _show(result: ShipResult, *, as_json: bool) -> None:
    from ..ship.outcome import outcome_json, outcome_lines

    if as_json:
        boards = [outcome_json(one) for one in result.outcomes]
        emit(
            {
                "ship": {"id": result.ship_id, "search": result.search.search_id, "boards": boards},
                "plans": str(result.plans),
                "stopped": result.stopped,
            }
        )
        return
    if result.stopped is not None:
        from .run import command_again

        click.echo(f"{result.stopped}; `{command_again()}` goes on with it and measures only what is missing.")
    for one in result.outcomes:
        for line in outcome_lines(one):
            click.echo(line)
    click.echo(f"plans: {result.plans}")
