"""`hilbench bench`: the first figure of one's own model on one's own board."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ..console import verb
from .run import show_result

RUNTIMES = ("onnxruntime", "ai-edge-litert", "tflite-runtime")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--board", "boards", multiple=True, required=True, help="NAME, user@host[:port], kind:K, tag:T or FACT=VALUE."
)
@click.option("--data", type=click.Path(path_type=Path), help="Labelled data (.npz or folder): accuracy is judged too.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Data for static quantization.")
@click.option("--recipe", "recipes", multiple=True, help="Recipes beside fp32. Repeatable.")
@click.option("--runtime", type=click.Choice(RUNTIMES), help="By default the one that fits the file.")
@click.option("--python", help="The board's interpreter that has the runtime; by default python3.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--shape", "shapes", multiple=True, help="NAME=1,3,224,224 for an input whose shape the file leaves open."
)
@click.option("--protocol", type=click.Choice(["quick", "standard", "certify"]), default="quick", show_default=True)
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Where to write the plan that was used.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def bench(model: Path, *, as_json: bool, **options: Any) -> int:
    """Measure one model on a board: the first figure.

    MODEL is an .onnx or .tflite file. The plan that was used is written, so that you can go on from it.

    Without --data the inputs are random: latency and memory are measured, and whether the board computes what this
    machine computes; accuracy is not. The board needs SSH and Python 3.10 or newer; a runtime that it lacks is put
    there, without internet or root on the board.
    """
    from ...compression.model import read_model
    from ...compression.recipe import parse_recipe
    from ..benchplan import plan_for, shapes_from, write_plan
    from ..home import find_home
    from ..plan import load_plan
    from ..progress import Progress
    from ..run import run_plan
    from ..selection import Boards

    inventory: Path | None = options.pop("inventory")
    known = Boards(inventory)
    # What is wrong in the words is said before a plan is written.
    for word in options["boards"]:
        known.select(word)
    for word in options["recipes"]:
        parse_recipe(word)
    read_model(model, shapes=shapes_from(options["shapes"]))
    target: Path | None = options.pop("plan_file")
    path = write_plan(plan_for(model, **options), target, model=model)
    plan = load_plan(path, known)
    again = shlex.join(["hilbench", "run", str(path), *(["--inventory", str(inventory)] if inventory else [])])
    with Progress() as progress:
        if options["data"] is None:
            progress.say("no --data: inputs are random, accuracy is not judged")
        progress.say(f"plan: {path}")
        for remark in plan.remarks:
            progress.say(remark)
        result = run_plan(plan, find_home(known.inventory_path), new=True, command=again, progress=progress)
    show_result(result, again, as_json=as_json)
    if not as_json:
        click.echo(f"plan:   {path}")
    return result.exit_code
