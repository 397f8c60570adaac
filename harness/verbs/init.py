"""`hilbench init`: a starting inventory and plan."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..console import emit, verb


@click.command()
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where; here by default."
)
@click.option("--model", type=click.Path(path_type=Path), help="Your model (.onnx or .tflite).")
@click.option("--data", type=click.Path(path_type=Path), help="Labelled test data (.npz or folder).")
@click.option("--calibration", type=click.Path(path_type=Path), help="Data for static quantization.")
@click.option("--board", help="A board of yours: user@host[:port]. Its key must be in ~/.ssh/known_hosts.")
@click.option("--yes", is_flag=True, help="Ask nothing; use the flags and defaults.")
@verb
def init(
    *,
    folder: Path,
    model: Path | None,
    data: Path | None,
    calibration: Path | None,
    board: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Write a starting inventory.yaml and plan.yaml.

    Asks on a terminal. Files that exist are never overwritten.
    """
    from ..start import Answers, write_start

    if sys.stdin.isatty() and not yes and not as_json:
        model = model or _ask("Your model (.onnx or .tflite)")
        data = data or (_ask("Labelled test data (.npz or folder; empty: none)") if model else None)
        board = (
            board or click.prompt("A board of yours (user@host; empty: none)", default="", show_default=False) or None
        )
    answers = Answers(model=model, data=data, calibration=calibration, board=board)
    inventory, plan = write_start(folder, answers)
    if as_json:
        emit({"inventory": str(inventory), "plan": str(plan)})
        return
    click.echo(f"wrote {inventory} and {plan}")
    click.echo(f"next:  hilbench doctor; hilbench run {plan}")


def _ask(question: str) -> Path | None:
    answer: str = click.prompt(question, default="", show_default=False)
    return Path(answer) if answer else None
