"""One model through one recipe without any board: what `hilbench compress` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..compression.apply import apply_recipe
from ..compression.cache import write_atomically
from ..compression.evaluate import evaluate
from ..compression.model import read_model
from ..compression.recipe import parse_recipe
from ..compression.zoo import is_zoo_name, zoo_model
from .candidates import host_facts
from .plan import TaskPlan
from .progress import Say
from .taskdata import read_data


def compress_one(
    model_file: Path,
    recipe_name: str,
    folder: Path,
    *,
    cache: Path,
    calibration: Path | None,
    data: Path | None,
    say: Say,
) -> dict[str, Any]:
    """Compress one model for `hilbench compress`: the artifact and a JSON file with the facts, in `folder`."""
    recipe = parse_recipe(recipe_name)
    shapes = None
    if is_zoo_name(str(model_file)):
        entry = zoo_model(str(model_file))
        model_file, shapes = entry.path, entry.shapes
    model = read_model(model_file, shapes=shapes)
    kind = "none" if data is None else "classification"
    wanted = TaskPlan(kind=kind, test=data, calibration=calibration, scale=None, mean=(), std=(), layout="nchw")
    found = read_data(wanted, model, seed=0)
    artifact = apply_recipe(
        model,
        recipe,
        found.calibration,
        found.task,
        cache=cache,
        progress=lambda what, done, of: say(f"{what} ({done}/{of})"),
    )
    evaluation = evaluate(artifact, model, found.test, found.task, cache=cache)
    path = folder / f"{model_file.stem}.{recipe.name}.{artifact.format}"
    write_atomically(path, artifact.path.read_bytes())
    facts: dict[str, Any] = {
        "path": str(path.resolve()),
        "model": str(model_file),
        "recipe": recipe.name,
        "steps": [dict(step) for step in artifact.steps],
        "sha256": artifact.sha256,
        "bytes": artifact.bytes,
        "compressed_bytes": artifact.compressed_bytes,
        "notes": list(artifact.notes),
        "provenance": dict(artifact.provenance),
        "accuracy": None if evaluation is None else host_facts(found.task, evaluation),
    }
    write_atomically(path.with_suffix(path.suffix + ".json"), (json.dumps(facts, indent=2) + "\n").encode())
    return facts
