"""The plan that `bench` uses, written so that a person can go on from it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import PlanError
from .reporting import write_text

HEAD = "# Written by `hilbench bench`. Edit it and run it again: hilbench run {name}\n"


def plan_for(
    model: Path,
    *,
    boards: Sequence[str],
    data: Path | None,
    calibration: Path | None,
    recipes: Sequence[str],
    runtime: str | None,
    threads: int,
    python: str | None,
    shapes: Sequence[str],
    protocol: str,
) -> dict[str, Any]:
    """The plan as plain data. Paths are absolute here; `write_plan` makes them relative to the plan's folder."""
    entry: dict[str, Any] = {"file": model}
    task = {"test": data, "calibration": calibration}
    if data is not None or calibration is not None:
        kind = "classification" if data is not None else "none"
        entry["task"] = {"kind": kind, **{key: value for key, value in task.items() if value is not None}}
    if shapes:
        entry["input_shapes"] = shapes_from(shapes)
    name = plan_name(model)
    plan: dict[str, Any] = {
        "name": f"bench-{name}"[:64],
        "models": {name: entry},
        "recipes": list(dict.fromkeys(["fp32", *recipes])),
        "boards": list(boards),
        "protocol": protocol,
    }
    if runtime is not None or threads != 1 or python is not None:
        given = {"name": runtime, "threads": threads, "python": python}
        plan["runtimes"] = [{key: value for key, value in given.items() if value is not None}]
    return plan


def plan_name(model: Path) -> str:
    """What a model is called in a plan: its file's name, with what a plan does not allow replaced."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in model.stem).strip("._-") or "model"


def shapes_from(words: Sequence[str]) -> dict[str, list[int]]:
    """`NAME=1,3,224,224`, one an input."""
    return dict(_shape(text) for text in words)


def write_plan(plan: Mapping[str, Any], target: Path | None, *, model: Path) -> Path:
    """Write the plan to `target`, or to `bench-NAME.yaml` here; a file that holds another plan is never overwritten."""
    if not model.is_file():
        raise PlanError(f"there is no model file {model}")
    if target is not None:
        return write_text(target, _text(plan, target))
    for number in range(1, 1000):
        path = Path.cwd() / f"{plan['name']}{'' if number == 1 else f'-{number}'}.yaml"
        text = _text(plan, path)
        if not path.exists() or path.read_text(encoding="utf-8") == text:
            return write_text(path, text)
    raise PlanError(f"the present folder already has 999 plans called {plan['name']}; name another with --plan")


def _text(plan: Mapping[str, Any], path: Path) -> str:
    return HEAD.format(name=path.name) + yaml_text(plan, path)


def yaml_text(plan: Mapping[str, Any], path: Path) -> str:
    """A plan as YAML, its paths relative to the folder of `path`."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(_relative(plan, path.expanduser().resolve().parent), stream)
    return stream.getvalue()


def _relative(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return os.path.relpath(value.expanduser().resolve(), folder)
    if isinstance(value, Mapping):
        pairs: Mapping[str, Any] = value
        return {key: _relative(item, folder) for key, item in pairs.items()}
    return value


def _shape(text: str) -> tuple[str, list[int]]:
    name, _, sizes = text.rpartition("=")
    try:
        shape = [int(size) for size in sizes.split(",")]
    except ValueError:
        shape = []
    if not name or not shape:
        raise PlanError(f'--shape "{text}" is not of the form NAME=1,3,224,224')
    return name, shape
