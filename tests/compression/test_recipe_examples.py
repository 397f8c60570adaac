"""Every recipe that the documentation shows is one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hilbench.compression.recipe import parse_recipe
from ruamel.yaml import YAML

DOCS = Path(__file__).parents[2] / "docs"


def examples() -> list[Any]:
    found: list[Any] = []
    for page in ("plans-and-recipes.md", "compression.md"):
        for block in re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
            found += (YAML(typ="safe").load(block) or {}).get("recipes", [])
    return found


@pytest.mark.parametrize("example", examples(), ids=str)
def test_a_recipe_of_the_documentation_is_understood(example: Any) -> None:
    recipe = parse_recipe(example)
    assert recipe.name == (example["name"] if isinstance(example, dict) else recipe.name)


def test_the_documentation_shows_every_step() -> None:
    shown = {step.kind for example in examples() for step in parse_recipe(example).steps}
    plain = (DOCS / "compression.md").read_text()
    for kind in ("fp16", "int8-dynamic", "int8-static", "int8-mixed", "prune-l1", "prune-taylor", "prune-channels"):
        assert f"`{kind}`" in plain
    assert {"finetune", "distil", "qat", "tflite", "prune-channels", "int8-mixed"} <= shown
