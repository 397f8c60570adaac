"""`hilbench compress`: one model through one recipe, without any board."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import emit, verb


@click.command()
@click.argument("model")
@click.option("--recipe", required=True, help="A built-in recipe, or steps joined by +, such as prune-l1+int8-static.")
@click.option("-o", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where to put it.")
@click.option("--calibration", help="Data for static quantization: .npz, folder, or package.module:function.")
@click.option("--train", help="Labelled data for steps that train: .npz, folder, or package.module:function.")
@click.option("--shape", "shapes", multiple=True, metavar="INPUT=1,3,48,320", help="Shape of an input that is free.")
@click.option("--data", help="Labelled data: the accuracy on this machine is judged.")
@verb
def compress(
    model: str,
    *,
    recipe: str,
    folder: Path,
    calibration: str | None,
    train: str | None,
    shapes: tuple[str, ...],
    data: str | None,
    as_json: bool,
) -> None:
    """Make one compressed model, without any board.

    MODEL is an .onnx or .tflite file, a PyTorch factory (package.module:function), or zoo:NAME, a model of the zoo.

    The artifact goes into a folder, with a JSON file beside it that says what was done.
    """
    from ...targets.inventory import find_inventory
    from ...targets.quiet import machine_time
    from ..home import find_home
    from ..onerecipe import DataFiles, ModelWord, compress_one, read_shapes
    from ..progress import Progress

    cache = find_home(find_inventory(Path.cwd())).artifacts
    with Progress() as progress, machine_time(alone=False, progress=progress.say):
        facts = compress_one(
            ModelWord(written=model, shapes=read_shapes(shapes)),
            recipe,
            folder,
            cache=cache,
            data=DataFiles(test=data, calibration=calibration, train=train),
            say=progress.say,
        )
    if as_json:
        emit({"artifact": facts})
        return
    click.echo(f"{facts['path']}: {facts['bytes']} bytes, {facts['compressed_bytes']} compressed by zstd")
    if facts["accuracy"] is not None:
        click.echo(f"accuracy on this machine: {facts['accuracy']['host']:.2%}")
    for note in facts["notes"]:
        click.echo(note)
