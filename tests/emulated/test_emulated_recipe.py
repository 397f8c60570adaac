from __future__ import annotations

import dataclasses
import re

import pytest
from hilbench.targets.emulated import guest, recipe
from hilbench.targets.emulated.guest import init_script


def test_recipe_hash_is_stable_and_short() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", recipe.recipe_hash())
    assert recipe.recipe_hash() == recipe.recipe_hash()


@pytest.mark.parametrize("name", ["PACKAGES", "SUITE", "LAYOUT", "DISK_BYTES", "TRIMMED", "KERNEL_META_PACKAGE"])
def test_every_part_of_the_recipe_changes_its_hash(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.recipe_hash()
    value = getattr(recipe, name)
    changed = (*value, "x") if isinstance(value, tuple) else value + 1 if isinstance(value, int) else value + "x"
    monkeypatch.setattr(recipe, name, changed)
    assert recipe.recipe_hash() != before


def test_a_runtimes_version_and_the_init_change_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.recipe_hash()
    with monkeypatch.context() as patch:
        first = recipe.RUNTIMES["onnxruntime"][0]
        newer = (dataclasses.replace(first, version="9.9"), *recipe.RUNTIMES["onnxruntime"][1:])
        patch.setitem(recipe.RUNTIMES, "onnxruntime", newer)
        assert recipe.recipe_hash() != before
    monkeypatch.setattr(guest, "GUEST_ADDRESS", "10.0.2.99")
    assert recipe.recipe_hash() != before


def test_every_runtime_has_a_module_to_import_and_the_init_has_no_gap() -> None:
    assert recipe.RUNTIMES.keys() == recipe.RUNTIME_MODULES.keys()
    assert re.search(r"@[A-Z]+@", init_script(recipe.PYTHON, recipe.RUNTIME_MODULES)) is None
