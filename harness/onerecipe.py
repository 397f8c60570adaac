"""One model through one recipe without any board: what `hilbench compress` does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compression.apply import apply_recipe
from ..compression.cache import write_atomically
from ..compression.evaluate import evaluate
from ..compression.factory import export_factory, is_factory
from ..compression.model import Model, read_model
from ..compression.recipe import parse_recipe
from ..compression.zoo import is_zoo_name, zoo_model
from .candidates import host_facts
from .errors import PlanError
from .plan import TaskPlan
from .planread import data_word
from .progress import Say
from .taskdata import read_data


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWord:
    """A model as it is named on the command line, and the shapes of inputs that it leaves free."""

    written: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFiles:
    """What accuracy is judged on, ranges are calibrated with and steps train on: files, folders or functions.

    Each may be absent.
    """

    test: str | None
    calibration: str | None
    train: str | None


def read_shapes(written: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """`INPUT=1,3,48,320`, one an input. Raises PlanError for anything else."""
    found: dict[str, tuple[int, ...]] = {}
    for word in written:
        name, _, sizes = word.rpartition("=")
        if not name or not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", sizes):
            raise PlanError(f"--shape {word} is no shape; write INPUT=1,3,48,320.")
        found[name] = tuple(int(size) for size in sizes.split(","))
    return found


def compress_one(
    word: ModelWord, recipe_name: str, folder: Path, *, cache: Path, data: DataFiles, say: Say
) -> dict[str, Any]:
    """Compress one model for `hilbench compress`: the artifact and a JSON file with the facts, in `folder`."""
    recipe, here = parse_recipe(recipe_name), Path.cwd()
    model, stem, origin = _model(word, cache)
    kind = "none" if data.test is None and data.train is None else "classification"
    wanted = TaskPlan(
        kind=kind, test=data_word(data.test, here), calibration=data_word(data.calibration, here),
        train=data_word(data.train, here), scale=None, mean=(), std=(), layout="nchw",
    )  # fmt: skip
    found = read_data(wanted, model, seed=0)
    artifact = apply_recipe(
        model,
        recipe,
        found.calibration,
        found.task,
        cache=cache,
        train=found.train,
        folder=here,
        progress=lambda what, done, of: say(f"{what} ({done}/{of})"),
    )
    evaluation = evaluate(artifact, model, found.test, found.task, cache=cache)
    path = folder / f"{stem}.{recipe.name}.{artifact.format}"
    write_atomically(path, artifact.path.read_bytes())
    facts: dict[str, Any] = {
        "path": str(path.resolve()),
        "model": word.written,
        **({"origin": dict(origin)} if origin else {}),
        "recipe": recipe.name,
        "steps": [dict(step) for step in artifact.steps],
        "sha256": artifact.sha256,
        "bytes": artifact.bytes,
        "compressed_bytes": artifact.compressed_bytes,
        "interface": None if artifact.interface is None else artifact.interface.as_json(),
        "notes": list(artifact.notes),
        "provenance": dict(artifact.provenance),
        "accuracy": None if evaluation is None else host_facts(found.task, evaluation),
    }
    write_atomically(path.with_suffix(path.suffix + ".json"), (json.dumps(facts, indent=2) + "\n").encode())
    return facts


def _model(word: ModelWord, cache: Path) -> tuple[Model, str, Mapping[str, str]]:
    """The model that a word means, what its artifacts are called, and whose it is where that is known."""
    if is_zoo_name(word.written):
        entry = zoo_model(word.written)
        whose = {"author": entry.author, "licence": entry.licence}
        return read_model(entry.path, shapes=word.shapes or entry.shapes), entry.path.stem, whose
    path = Path(word.written)
    if is_factory(word.written) and not path.exists():
        made = export_factory(word.written, word.shapes, cache, folder=Path.cwd())
        return read_model(made, shapes=word.shapes), word.written.rpartition(":")[2], {}
    return read_model(path, shapes=word.shapes), path.stem, {}
