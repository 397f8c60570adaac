"""The examples of the documentation, run by the command line on emulated boards: the same plans, with less of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
HILBENCH = Path(sys.executable).parent / "hilbench"
LESS: dict[str, Any] = {"accuracy_samples": 5, "operators": False, "counters": False}


@dataclass(frozen=True)
class Done:
    code: int
    cells: dict[str, dict[str, Any]]  # by recipe
    page: str
    told: str


@pytest.fixture(scope="module")
def host_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that each board boots from nothing only once."""
    return tmp_path_factory.mktemp("host")


def run(
    name: str, folder: Path, host_dir: Path, *, recipes: list[str], baseline: str = "fp32", processes: int = 3
) -> Done:
    """Run a plan of `plans/` with these of its recipes on its last board; few images, no operators, no counters.

    What needs no verdict needs no three `processes` either.
    """
    plan: dict[str, Any] = YAML(typ="safe").load((ROOT / "plans" / f"{name}.yaml").read_text())
    named = [recipe for recipe in plan["recipes"] if (recipe if isinstance(recipe, str) else recipe["name"]) in recipes]
    assert len(named) == len(recipes)
    (folder / "plans").mkdir()
    (folder / "models").symlink_to(ROOT / "models")
    (folder / "inventory.yaml").symlink_to(ROOT / "inventory.yaml")
    written = folder / "plans" / f"{name}.yaml"
    with written.open("w") as file:
        mine = {"recipes": named, "boards": plan["boards"][-1:], "baseline": baseline, "processes": processes}
        YAML(typ="safe").dump({**plan, **mine, **LESS}, file)
    own = {"HILBENCH_HOME": str(folder / "state"), "HILBENCH_HOST_DIR": str(host_dir)}
    environment = {"HILBENCH_HEALTH_WAIT_S": "0", **os.environ, **own}

    def hilbench(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HILBENCH, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=500, check=False
        )

    done = hilbench("run", written)
    exported = hilbench("export", "latest")
    assert exported.returncode == 0, done.stderr
    page = Path(done.stdout.split("report: ")[1].strip()).read_text().replace("\u202f", " ")
    cells = {cell["recipe"]: cell for cell in json.loads(exported.stdout)["cells"]}
    return Done(code=done.returncode, cells=cells, page=page, told=done.stderr)


def test_detection_keeps_its_boxes_in_8_bits(tmp_path: Path, host_dir: Path) -> None:
    done = run("scenes", tmp_path, host_dir, recipes=["fp32", "int8-static"], processes=1)
    assert done.code == 0, done.told
    for cell in done.cells.values():
        assert cell["outcome"] == "ok", cell["reason"]
        assert cell["accuracy"]["metric"] == "image-f1"
        assert cell["accuracy"]["host_map50"] > 0.85
        assert cell["accuracy"]["board_map50"] is not None
        assert cell["accuracy"]["agreement"] > 0.95
    counts = {recipe: cell["instructions"]["median"] for recipe, cell in done.cells.items()}
    assert counts["int8-static"] < 0.5 * counts["fp32"]
    assert "composed-scenes" in done.page  # every report says of what its figures are


def test_the_32_bit_board_runs_tflite_and_says_why_not_onnx(tmp_path: Path, host_dir: Path) -> None:
    recipes = ["fp32", "tflite", "tflite+int8-static"]
    done = run("armhf", tmp_path, host_dir, recipes=recipes)
    assert done.code == 0, done.told
    assert {recipe: cell["outcome"] for recipe, cell in done.cells.items()} == {
        "fp32": "unsupported",
        "tflite": "ok",
        "tflite+int8-static": "ok",
    }
    assert done.cells["fp32"]["reason"] == "emulated-armhf has no onnxruntime (it has: tflite-runtime)"
    assert done.cells["tflite+int8-static"]["verdict"]["word"] == "less-work"


def test_an_always_on_budget_names_the_choice_and_what_missed_it(tmp_path: Path, host_dir: Path) -> None:
    done = run("always-on", tmp_path, host_dir, recipes=["int8-static", "tflite"], baseline="tflite", processes=1)
    assert done.code == 0, done.told
    bound = 40 * 2**20
    assert (
        done.cells["tflite"]["memory_bytes"]["steady_peak"]
        < bound
        < done.cells["int8-static"]["memory_bytes"]["steady_peak"]
    )
    assert done.cells["int8-static"]["instructions"]["median"] < done.cells["tflite"]["instructions"]["median"] < 4e6
    assert "It is the only candidate within the budget" in done.page
    assert "over the limit of 40.0 MiB" in done.page
