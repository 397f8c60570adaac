"""The emulated 32-bit board: what its image has, how the agent counts there, and what it cannot run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness.plan import expand, load_plan
from hilbench.harness.selection import Boards
from hilbench.targets.emulated import recipe
from hilbench.targets.emulated.image import find_image, superseded_images
from hilbench.targets.emulated.machine import Machine
from numpy.typing import NDArray

from ..targets.agent_jobs import face_cell, face_model, job, of_kind
from .test_agent_emulated import Event, Guest

GuestRun = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models" / "digits" / "digits.onnx"
PLAN = f"""\
name: both
models:
  face: {{file: {face_model()}}}
  digits: {{file: {DIGITS}}}
recipes: [fp32]
boards: [emulated-armhf, emulated-a72]
"""


@pytest.fixture(scope="module")
def counted(armhf: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Event]]:
    """One importer of tflite-runtime; the board was rolled back just before, as before every run."""
    folder = tmp_path_factory.mktemp("armhf")
    guest = Guest(armhf)
    guest.clean()
    face = face_cell("face", folder, runtime="tflite-runtime", memory=False)
    yield guest.run(job(face, mode="count", iterations=6), folder / "mirror")
    guest.close()
    armhf.restore()


def test_guest_is_32_bit_debian_12_and_imports_its_runtime(
    counted: list[Event], armhf: Machine, guest_run: GuestRun
) -> None:
    code = (
        "import struct, numpy, tflite_runtime as t; print(struct.calcsize(chr(80)), numpy.__version__, t.__version__)"
    )
    command = f"uname -m; . /etc/os-release; echo $VERSION_ID; PYTHONPATH=$0 python3 -c '{code}'"
    answer = guest_run(armhf, command.replace("$0", "/opt/hilbench/runtimes/tflite-runtime"))
    assert (answer.stdout.split(), answer.stderr) == (["armv7l", "12", "4", "1.24.2", "2.14.0"], "")


def test_instructions_are_counted_by_the_pmu_and_repeat(counted: list[Event]) -> None:
    (trial,) = of_kind(counted, "trial", kind="count")
    samples = np.asarray(trial["samples"])
    assert trial["counter_source"] == "pmu"
    assert samples.std() / samples.mean() <= 0.001
    assert np.median(samples) == pytest.approx(44.61e6, rel=0.02)  # as measured when this board was made


def test_32_bit_arm_answers_like_this_host(counted: list[Event]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    (check,) = of_kind(counted, "check", cell="face")
    interpreter = Interpreter(model_path=str(face_model()), num_threads=1)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    expected: dict[str, list[NDArray[Any]]] = {}
    for picture in np.random.default_rng(1).uniform(size=(3, 128, 128, 3)).astype(np.float32):
        interpreter.set_tensor(given["index"], picture[None])
        interpreter.invoke()
        for output in interpreter.get_output_details():
            expected.setdefault(str(output["name"]), []).append(interpreter.get_tensor(output["index"]))
    assert expected.keys() == check["golden"].keys()
    for name, values in expected.items():
        np.testing.assert_allclose(check["golden"][name], np.concatenate(values), rtol=1e-3, atol=1e-2)


def test_boards_of_two_architectures_run_side_by_side(armhf: Machine, a72: Machine) -> None:
    assert (armhf.alive(), a72.alive()) == (True, True)
    assert armhf.folder != a72.folder
    assert armhf.facts()["image"] == recipe.recipe_hash(recipe.ARMHF) != a72.facts()["image"]
    assert (armhf.facts()["cpu_model"], armhf.facts()["kernel_abi"][-5:]) == ("cortex-a15", "armmp")


def test_both_images_are_todays(armhf: Machine, a72: Machine) -> None:
    assert find_image(armhf.image.arch) == armhf.image
    assert {armhf.image.folder, a72.image.folder}.isdisjoint(superseded_images())


def test_onnx_is_unsupported_on_32_bit_arm_and_tflite_is_not(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    plan = load_plan(tmp_path / "plan.yaml", Boards(ROOT / "inventory.yaml"))
    found = {(c.board.name, c.model): c.skip for c in expand(plan, {"face": "tflite", "digits": "onnx"})}
    assert found == {
        ("emulated-armhf", "face"): None,
        ("emulated-armhf", "digits"): "emulated-armhf has no onnxruntime (it has: tflite-runtime)",
        ("emulated-a72", "face"): None,
        ("emulated-a72", "digits"): None,
    }
