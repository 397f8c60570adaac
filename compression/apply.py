"""Make the artifact of a model and a recipe: step by step, each result checked and kept by content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .cache import RULES, content_key, read_json, read_whole, sha256_of, write_atomically
from .data import Dataset, random_data
from .errors import CompressionError
from .foreign import disk_error
from .formats import check_source
from .host import Progress
from .interface import Interface, from_json
from .model import Model, load_proto
from .recipe import Recipe, Step, step_parameters
from .stepcheck import check_step
from .steps import run_step
from .task import Task
from .versions import versions_of
from .work import Made, Work, artifact_path

ZSTD_LEVEL = 19
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compressed model file, named by its content.

    `bytes` is the file as deployed, `compressed_bytes` the same through zstd at level 19. `steps` are the steps with
    every parameter; `notes` say in words what they achieved; `provenance` holds versions and hashes. `interface` says
    how the file's inputs and outputs differ from the model's; None where they do not.
    """

    path: Path
    sha256: str
    bytes: int
    compressed_bytes: int
    format: str
    recipe: str
    steps: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    provenance: Mapping[str, str]
    interface: Interface | None = None


def apply_recipe(
    model: Model,
    recipe: Recipe,
    calibration: Dataset | None,
    task: Task,
    *,
    cache: Path,
    train: Dataset | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Return the artifact, out of `cache` where the same inputs, steps and library versions made it before.

    Without calibration data random inputs take its place, and the notes say so. Steps that train need `train`. `folder`
    is where the paths of the recipe begin. Each step's result must load in the runtime of this machine (if it has one
    for the format) and give on a few real inputs what `fidelity.py` demands of such a step. Raises
    UnsupportedRecipeError for what cannot be, CompressionError for what went wrong.
    """
    check_source(recipe.name, [step.kind for step in recipe.steps], model.format, model.path.name)
    data = calibration if calibration is not None else random_data(model, seed=SEED)
    work = Work(
        model=model, task=task, data=data, train=train, cache=cache, recipe=recipe.name, progress=progress,
        folder=folder or model.path.parent,
    )  # fmt: skip
    made = _kept(work, None, None, 0, len(recipe.steps))
    work = work.starting_from(made)
    notes = made.notes
    for number, step in enumerate(recipe.steps):
        made = _kept(work, made, step, number, len(recipe.steps))
        notes += made.notes
    used = {"calibration_sha256": data.sha256} | ({"train_sha256": train.sha256} if train is not None else {})
    return Artifact(
        path=artifact_path(work, made),
        sha256=made.sha256,
        bytes=made.bytes,
        compressed_bytes=made.compressed_bytes,
        format=made.format,
        recipe=recipe.name,
        steps=tuple(step_parameters(step) for step in recipe.steps),
        notes=notes,
        provenance={
            **versions_of(step.kind for step in recipe.steps),
            "source_sha256": model.sha256,
            **used,
        },
        interface=made.interface,
    )


def _kept(work: Work, before: Made | None, step: Step | None, number: int, of: int) -> Made:
    """Return the result of a step on the artifact `before`, made now or kept from earlier."""
    doing = f"{work.recipe}: {step.kind} of {work.model.path.name}" if step else f"{work.model.path.name} as it is"
    manifest = work.cache / "steps" / f"{_key(work, before, step)}.json"
    kept = _from_json(read_json(manifest))
    if kept is not None and read_whole(artifact_path(work, kept), kept.sha256) is not None:
        return kept
    if work.progress is not None:
        work.progress(doing, number, max(of, 1))
    made = _made(work, before, step, doing)
    write_atomically(manifest, json.dumps(_to_json(made), sort_keys=True).encode())
    if work.progress is not None:
        work.progress(doing, number + 1, max(of, 1))
    return made


def _made(work: Work, before: Made | None, step: Step | None, doing: str) -> Made:
    if before is None or step is None:
        content, notes = _source(work)
        file_format, interface = work.model.format, None
    else:
        stepped = run_step(work, before, step, doing)
        content, notes, file_format, interface = stepped.content, stepped.notes, stepped.format, stepped.interface
    sha256 = sha256_of(content)
    made = Made(
        sha256=sha256, bytes=len(content), compressed_bytes=_zstd_bytes(content), notes=notes, format=file_format,
        interface=interface,
    )  # fmt: skip
    write_atomically(artifact_path(work, made), content)
    return check_step(work, before, made, step, doing)


def _key(work: Work, before: Made | None, step: Step | None) -> str:
    # The data belongs to every key, as every step is checked on it.
    return content_key(
        rules=RULES,
        source=work.model.sha256,
        before=None if before is None else before.sha256,
        interface=None if before is None or before.interface is None else before.interface.as_json(),
        step=step_parameters(step) if step else None,
        data=work.data.sha256,
        training=work.training_key(step),
        preprocessing=asdict(work.task.preprocessing),
        inputs=[asdict(spec) for spec in work.model.inputs],
        versions=versions_of([step.kind] if step else []),
    )


def _source(work: Work) -> tuple[bytes, tuple[str, ...]]:
    """Return the model as one file: byte for byte, unless its weights lie in files of their own."""
    if work.model.external_files:
        note = f"{len(work.model.external_files)} file(s) of weights were taken into the model's file"
        return load_proto(work.model).SerializeToString(deterministic=True), (note,)
    try:
        return work.model.path.read_bytes(), ()
    except OSError as error:
        raise disk_error(f"Reading {work.model.path}", error) from error


def _zstd_bytes(content: bytes) -> int:
    import zstandard

    return len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(content))


def _to_json(made: Made) -> dict[str, Any]:
    plain = {field.name: getattr(made, field.name) for field in fields(Made)}
    return plain | {"interface": None if made.interface is None else made.interface.as_json()}


def _from_json(kept: Mapping[str, Any] | None) -> Made | None:
    if kept is None or set(kept) != {field.name for field in fields(Made)}:
        return None
    try:
        return Made(
            sha256=str(kept["sha256"]),
            bytes=int(kept["bytes"]),
            compressed_bytes=int(kept["compressed_bytes"]),
            notes=tuple(str(note) for note in kept["notes"]),
            format=str(kept["format"]),
            interface=None if kept["interface"] is None else from_json(kept["interface"]),
        )
    except (CompressionError, KeyError, TypeError, ValueError):
        return None  # damaged: it is made anew
