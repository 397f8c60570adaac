"""A converted model in a plan: the board gets inputs as the file takes them, and is judged in the model's terms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hilbench.compression.host import open_model, run_each, stacked
from hilbench.compression.task import Array
from hilbench.harness.candidates import Prepared, prepare
from hilbench.harness.checks import judge_check
from hilbench.harness.plan import Cell, expand, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.sources import formats, read_sources

DIGITS = Path(__file__).parents[2] / "models" / "digits"
PLAN = f"""name: both
models:
  digits:
    file: {DIGITS / "digits.onnx"}
    task: {{test: {DIGITS / "digits-test.npz"}, calibration: {DIGITS / "digits-calibration.npz"}}}
recipes: [fp32, tflite, tflite+int8-static]
boards: [here]
accuracy_samples: 40
"""
MACS = 9_403_904


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, tuple[Cell, ...]]:
    folder = tmp_path_factory.mktemp("both")
    (folder / "inventory.yaml").write_text(
        "boards:\n  here: {connection: local, runtimes: [onnxruntime, ai-edge-litert]}\n"
    )
    (folder / "plan.yaml").write_text(PLAN)
    plan = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))
    sources = read_sources(plan, cache=folder / "cache")
    prepared = prepare(plan, sources, cache=folder / "cache", progress=Progress(quiet=True))
    return prepared, expand(plan, formats(sources))


def test_each_file_has_the_runtime_of_its_format_and_the_baseline_alone_a_twin(
    both: tuple[Prepared, tuple[Cell, ...]],
) -> None:
    _, cells = both
    found = [(cell.recipe, cell.runtime, cell.skip, cell.twin) for cell in cells]
    assert found == [
        ("fp32", "onnxruntime", None, True),
        ("tflite", "ai-edge-litert", None, False),
        ("tflite+int8-static", "ai-edge-litert", None, False),
    ]


@pytest.mark.parametrize("recipe", ["tflite", "tflite+int8-static"])
def test_what_a_board_gives_is_judged_as_the_model_gives_it(
    both: tuple[Prepared, tuple[Cell, ...]], recipe: str
) -> None:
    prepared, cells = both
    cell = next(cell for cell in cells if cell.recipe == recipe)
    inputs = prepared.inputs(cell, cell.board)
    assert inputs.accuracy is not None
    event = {
        "golden": on_board(prepared, cell, inputs.golden.path),
        "accuracy": on_board(prepared, cell, inputs.accuracy.path),
    }
    facts = judge_check(event, prepared, cell)
    assert facts["reason"] is None
    assert (facts["agreement"], facts["board_samples"]) == (1.0, 40)
    assert facts["board"] == facts["host_on_board_images"] >= 0.95
    host = prepared.host(cell)
    assert host is not None
    assert host["host_runtime"].startswith("ai-edge-litert ")
    assert host["host"] > 0.985


def test_each_board_gets_as_many_images_as_it_is_judged_on(
    both: tuple[Prepared, tuple[Cell, ...]], tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "boards:\n  small: {connection: emulated, cpu: cortex-a72, runtimes: [ai-edge-litert]}\n"
        "  here: {connection: local, runtimes: [ai-edge-litert]}\n"
    )
    text = PLAN.replace("[here]", "[small, here]").replace("accuracy_samples: 40\n", "")
    (tmp_path / "plan.yaml").write_text(text)
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    cache = both[0]._cache  # what was converted there is not converted again
    sources = read_sources(plan, cache=cache)
    prepared = prepare(plan, sources, cache=cache, progress=Progress(quiet=True))
    cells = [cell for cell in expand(plan, formats(sources)) if cell.recipe == "tflite"]
    sent = {cell.board.name: prepared.inputs(cell, cell.board).accuracy for cell in cells}
    assert {name: images(file.path) for name, file in sent.items() if file is not None} == {"small": 100, "here": 500}


def images(file: Path) -> int:
    with np.load(file) as archive:
        return len(archive[archive.files[0]])


def test_a_converted_file_does_the_work_of_its_source(both: tuple[Prepared, tuple[Cell, ...]]) -> None:
    prepared, cells = both
    for cell in cells:
        artifact = prepared.candidate(cell).artifact
        assert artifact is not None
        assert artifact.costs is not None
        assert artifact.costs["macs"] == MACS


def on_board(prepared: Prepared, cell: Cell, file: Path) -> dict[str, Array]:
    """Raw outputs under the file's own names, as an agent sends them."""
    with np.load(file) as archive:
        inputs = {name: archive[name] for name in archive.files}
    assert [values.shape[1:] for values in inputs.values()] == [(28, 28, 1)]
    runtime = open_model(prepared.artifact(cell).path, "tflite", doing="test")
    assert runtime is not None
    try:
        return stacked(list(run_each(runtime, inputs, doing="test")))
    finally:
        runtime.close()


def test_a_board_without_the_baselines_format_compares_with_its_conversion(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text("boards:\n  small: {connection: local, runtimes: [ai-edge-litert]}\n")
    (tmp_path / "plan.yaml").write_text(PLAN.replace("[here]", "[small]"))
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    cells = expand(plan, {"digits": "onnx"})
    assert [(cell.recipe, cell.skip is None, cell.twin) for cell in cells] == [
        ("fp32", False, False),
        ("tflite", True, True),
        ("tflite+int8-static", True, False),
    ]


def test_a_model_that_cannot_be_read_costs_its_own_cells_only(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    (tmp_path / "inventory.yaml").write_text("boards:\n  here: {connection: local}\n")
    (tmp_path / "plan.yaml").write_text(
        f"name: two\nmodels: {{broken: {{file: broken.onnx}}, digits: {{file: {DIGITS / 'digits.onnx'}}}}}\n"
        "boards: [here]\n"
    )
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    sources = read_sources(plan, cache=tmp_path / "cache")
    prepared = prepare(plan, sources, cache=tmp_path / "cache", progress=Progress(quiet=True))
    broken, digits = (prepared.candidate(cell) for cell in expand(plan, formats(sources)))
    assert (broken.outcome, digits.outcome) == ("error", "ok")
    assert broken.reason is not None
    assert "broken.onnx is neither an ONNX nor a TFLite file" in broken.reason
