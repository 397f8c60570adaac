"""Make the artifact of a model and a recipe: step by step, each result checked and kept by content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cache import RULES, content_key, library_versions, read_json, read_whole, sha256_of, write_atomically
from .convert import to_fp16
from .data import Dataset, model_inputs, random_data
from .errors import CompressionError, UnsupportedRecipeError
from .foreign import disk_error, foreign_errors
from .host import Progress, open_model, run_each
from .model import Model, load_proto
from .prune import prune_l1, sparsity_note
from .quantize import quantize_dynamic_int8, quantize_static_int8
from .recipe import Fp16, Int8Dynamic, Int8Static, PruneL1, Recipe, Step, step_parameters
from .task import Array, Task, subset_indices

if TYPE_CHECKING:
    from onnx import ModelProto

ZSTD_LEVEL = 19
CHECKED_SAMPLES = 4
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compressed model file, named by its content.

    `bytes` is the file as deployed, `compressed_bytes` the same through zstd at level 19. `steps` are the steps with
    every parameter; `notes` say in words what they achieved; `provenance` holds versions and hashes.
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


def apply_recipe(
    model: Model,
    recipe: Recipe,
    calibration: Dataset | None,
    task: Task,
    *,
    cache: Path,
    progress: Progress | None = None,
) -> Artifact:
    """Return the artifact, out of `cache` where the same inputs, steps and library versions made it before.

    Without calibration data random inputs take its place, and the notes say so. Each step's result must load in the
    runtime of this machine (if it has one for the format) and give finite outputs on a few real inputs. Raises
    UnsupportedRecipeError for what cannot be, CompressionError for what went wrong.
    """
    if model.format != "onnx" and recipe.steps:
        raise UnsupportedRecipeError(
            f"Recipe `{recipe.name}` needs an ONNX source; {model.path.name} can only be deployed as it is (`fp32`)."
        )
    data = calibration if calibration is not None else random_data(model, seed=SEED)
    work = _Work(model=model, task=task, data=data, cache=cache, recipe=recipe.name)
    made = _kept(work, "source", None, progress, 0, len(recipe.steps))
    notes = made.notes
    for number, step in enumerate(recipe.steps):
        made = _kept(work, made.sha256, step, progress, number, len(recipe.steps))
        notes += made.notes
    return Artifact(
        path=_artifact_path(work, made.sha256),
        sha256=made.sha256,
        bytes=made.bytes,
        compressed_bytes=made.compressed_bytes,
        format=model.format,
        recipe=recipe.name,
        steps=tuple(step_parameters(step) for step in recipe.steps),
        notes=notes,
        provenance={**library_versions(), "source_sha256": model.sha256, "calibration_sha256": data.sha256},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    model: Model
    task: Task
    data: Dataset
    cache: Path
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    sha256: str
    bytes: int
    compressed_bytes: int
    notes: tuple[str, ...]


def _kept(work: _Work, before: str, step: Step | None, progress: Progress | None, number: int, of: int) -> _Made:
    """Return the result of a step on the artifact `before`, made now or kept from earlier."""
    doing = f"{work.recipe}: {step.kind} of {work.model.path.name}" if step else f"{work.model.path.name} as it is"
    manifest = work.cache / "steps" / f"{_key(work, before, step)}.json"
    kept = _from_json(read_json(manifest))
    if kept is not None and read_whole(_artifact_path(work, kept.sha256), kept.sha256) is not None:
        return kept
    if progress is not None:
        progress(doing, number, max(of, 1))
    content, notes = _source(work) if step is None else _stepped(work, before, step, doing)
    path = _artifact_path(work, sha256_of(content))
    write_atomically(path, content)
    _check(path, work, doing)
    made = _Made(sha256=path.stem, bytes=len(content), compressed_bytes=_zstd_bytes(content), notes=notes)
    write_atomically(manifest, json.dumps(asdict(made), sort_keys=True).encode())
    if progress is not None:
        progress(doing, number + 1, max(of, 1))
    return made


def _key(work: _Work, before: str, step: Step | None) -> str:
    # The data belongs to every key, as every step is checked on it.
    return content_key(
        rules=RULES,
        source=work.model.sha256,
        before=before,
        step=step_parameters(step) if step else None,
        data=work.data.sha256,
        preprocessing=asdict(work.task.preprocessing),
        inputs=[asdict(spec) for spec in work.model.inputs],
        versions=library_versions(),
    )


def _artifact_path(work: _Work, sha256: str) -> Path:
    return work.cache / "artifacts" / f"{sha256}.{work.model.format}"


def _source(work: _Work) -> tuple[bytes, tuple[str, ...]]:
    """Return the model as one file: byte for byte, unless its weights lie in files of their own."""
    if work.model.external_files:
        note = f"{len(work.model.external_files)} file(s) of weights were taken into the model's file"
        return load_proto(work.model).SerializeToString(deterministic=True), (note,)
    try:
        return work.model.path.read_bytes(), ()
    except OSError as error:
        raise disk_error(f"Reading {work.model.path}", error) from error


def _stepped(work: _Work, before: str, step: Step, doing: str) -> tuple[bytes, tuple[str, ...]]:
    import onnx

    with foreign_errors(doing):
        proto = onnx.load(_artifact_path(work, before))
        result, notes = _run_step(work, proto, step)
        return result.SerializeToString(deterministic=True), notes


def _run_step(work: _Work, proto: ModelProto, step: Step) -> tuple[ModelProto, tuple[str, ...]]:
    match step:
        case PruneL1():
            return proto, (sparsity_note(prune_l1(proto, step)),)
        case Fp16():
            return to_fp16(proto)
        case Int8Dynamic():
            return quantize_dynamic_int8(proto, step, _scratch(work)), ()
        case Int8Static():
            samples, note = _calibration(work, step.samples)
            return quantize_static_int8(proto, step, samples, _scratch(work)), (note,)


def _calibration(work: _Work, count: int) -> tuple[list[dict[str, Array]], str]:
    indices = subset_indices(len(work.data), count, SEED)
    inputs = model_inputs(work.data, work.model, work.task, indices)
    samples = [{name: values[i : i + 1] for name, values in inputs.items()} for i in range(len(indices))]
    if work.data.random:
        return (
            samples,
            f"int8-static: calibrated on {len(samples)} random inputs, so the ranges are not those of real data",
        )
    return samples, f"int8-static: calibrated on {len(samples)} of {len(work.data)} samples of {work.data.name}"


def _scratch(work: _Work) -> Path:
    folder = work.cache / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check(path: Path, work: _Work, doing: str) -> None:
    runtime = open_model(path, work.model.format, doing=doing)
    if runtime is None:
        return
    indices = subset_indices(len(work.data), CHECKED_SAMPLES, SEED)
    inputs = model_inputs(work.data, work.model, work.task, indices)
    for outputs in run_each(runtime, inputs, doing=doing):
        if set(outputs) != {spec.name for spec in work.model.outputs}:
            raise CompressionError(f"{doing}: the result has other outputs ({', '.join(outputs)}) than the model.")


def _zstd_bytes(content: bytes) -> int:
    import zstandard

    return len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(content))


def _from_json(kept: Mapping[str, Any] | None) -> _Made | None:
    if kept is None or set(kept) != {field.name for field in fields(_Made)}:
        return None
    return _Made(
        sha256=str(kept["sha256"]),
        bytes=int(kept["bytes"]),
        compressed_bytes=int(kept["compressed_bytes"]),
        notes=tuple(str(note) for note in kept["notes"]),
    )
