from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hilbench.targets.board import Arch
from hilbench.targets.emulated import guest, recipe
from hilbench.targets.emulated.guest import init_script
from hilbench.targets.emulated.recipe import ARM64, ARMHF, RECIPES, GuestRecipe, recipe_for, recipe_hash
from hilbench.targets.emulatedentry import EMULATED_RUNTIME_FOLDER, EMULATED_RUNTIMES
from hilbench.targets.errors import EmulatorError


def test_recipe_hash_is_stable_and_short() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", recipe_hash(ARM64))
    assert recipe_hash(ARM64) == recipe_hash(replace(ARM64))


def test_images_of_two_architectures_have_two_names() -> None:
    assert recipe_hash(ARM64) != recipe_hash(ARMHF)
    assert recipe_hash(replace(ARM64, arch=Arch.ARMHF)) != recipe_hash(ARM64)


@pytest.mark.parametrize("name", ["SUITE", "LAYOUT", "DISK_BYTES", "INITRD_SHELL_PACKAGE"])
def test_every_part_that_recipes_share_changes_the_hash(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe_hash(ARM64)
    value = getattr(recipe, name)
    monkeypatch.setattr(recipe, name, value + 1 if isinstance(value, int) else value + "x")
    assert recipe_hash(ARM64) != before


@pytest.mark.parametrize(
    "change",
    [
        {"packages": (*ARM64.packages, "x")},
        {"unused": frozenset[str]()},
        {"kernel_meta_package": "x"},
        {"trimmed": ()},
        {"links": {"a": "b"}},
        {"runtimes": {**ARM64.runtimes, "onnxruntime": (replace(ARM64.runtimes["onnxruntime"][0], version="9.9"),)}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_a_recipe_changes_its_hash(change: dict[str, Any]) -> None:
    assert recipe_hash(replace(ARM64, **change)) != recipe_hash(ARM64)


def test_the_guests_init_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe_hash(ARM64)
    monkeypatch.setattr(guest, "GUEST_ADDRESS", "10.0.2.99")
    assert recipe_hash(ARM64) != before


@pytest.mark.parametrize("made", RECIPES.values(), ids=RECIPES)
def test_every_runtime_has_a_module_to_import_and_the_init_has_no_gap(made: GuestRecipe) -> None:
    assert made.runtimes.keys() == made.runtime_modules.keys()
    assert re.search(r"@[A-Z]+@", init_script(recipe.PYTHON, made.runtime_modules)) is None


def test_the_inventory_knows_the_runtimes_of_every_image_and_their_folder() -> None:
    assert {arch: set(names) for arch, names in EMULATED_RUNTIMES.items()} == {
        arch: set(made.runtimes) for arch, made in RECIPES.items()
    }
    assert guest.RUNTIMES_DIR == EMULATED_RUNTIME_FOLDER


def test_there_is_no_emulated_pc() -> None:
    with pytest.raises(EmulatorError, match="an emulated board has arch arm64 or armhf, not x86_64"):
        recipe_for(Arch.X86_64)
