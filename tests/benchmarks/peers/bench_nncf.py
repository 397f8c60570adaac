"""int8-static beside NNCF's post-training quantization: same model, same calibration inputs, same boards.

NNCF lives in an environment of its own that this bench makes, once for an account (some 600 MB). The instructions are
counted by `hilbench run` on two emulated boards, with both files as models. Not part of `make test`: it takes minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.short_names import shorten_names
from hilbench.compression.stepkinds import Int8Static

from ..digits_figures import DIGITS, Digits, Figures, judge, load_digits, saved

NNCF = "nncf==3.4.0"
ROOT = Path(__file__).parents[3]
ENVIRONMENT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hilbench" / "peers" / "nncf-3.4.0"
HILBENCH = Path(sys.executable).parent / "hilbench"
BOARDS = ("emulated-a72", "emulated-a76")
NOISE_PP = 0.2  # five of the 2,500 images

INVENTORY = """\
boards:
  emulated-a72: {connection: emulated, cpu: cortex-a72}
  emulated-a76: {connection: emulated, cpu: cortex-a76}
"""
PLAN = f"""\
name: peers
models:
  ours: {{file: ours.onnx, task: &digits {{kind: classification, test: {DIGITS}/digits-test.npz}}}}
  nncf: {{file: nncf.onnx, task: *digits}}
recipes: [fp32]
boards: [{", ".join(BOARDS)}]
protocol: quick
accuracy_samples: 20
"""


@pytest.fixture(scope="module")
def nncf_python() -> Path:
    """The interpreter of NNCF's environment, made where it is not there yet."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        wanted = [NNCF, "onnx", "onnxruntime", "numpy"]
        argv = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *wanted]
        subprocess.run(argv, check=True, timeout=1800)
        (ENVIRONMENT / "ready").touch()
    return python


def test_int8_static_is_not_worse_than_nncf(
    nncf_python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = load_digits()
    samples = digits.samples()
    quantized = shorten_names(quantize_static_int8(digits.proto, Int8Static(), samples, tmp_path))
    ours = saved(quantized, tmp_path / "ours.onnx")
    theirs = _by_nncf(nncf_python, digits, samples, tmp_path)
    figures = {name: judge(onnx.load(path), digits) for name, path in (("ours", ours), ("nncf", theirs))}
    instructions = _instructions(tmp_path)
    with capsys.disabled():
        print("\n" + "\n".join(_row(name, figures[name], instructions[name]) for name in figures))  # noqa: T201
    assert figures["ours"].drop_pp <= figures["nncf"].drop_pp + NOISE_PP
    assert figures["ours"].bytes <= figures["nncf"].bytes
    for board in BOARDS:
        assert instructions["ours"][board] <= instructions["nncf"][board]


def _by_nncf(python: Path, digits: Digits, samples: list[dict[str, np.ndarray]], folder: Path) -> Path:
    inputs, target = folder / "calibration.npy", folder / "nncf.onnx"
    np.save(inputs, np.concatenate([sample["image"] for sample in samples]))
    script = Path(__file__).with_name("nncf_quantize.py")
    subprocess.run([python, script, digits.model.path, inputs, target], check=True, timeout=900, capture_output=True)
    return target


def _instructions(folder: Path) -> dict[str, dict[str, float]]:
    """Return instructions an inference by model and board."""
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "plan.yaml").write_text(PLAN)
    subprocess.run([HILBENCH, "run", "plan.yaml", "--new"], cwd=folder, check=True, timeout=1800, capture_output=True)
    exported = folder / "export.json"
    argv = [HILBENCH, "export", "latest", "--format", "json", "-o", exported]
    subprocess.run(argv, cwd=folder, check=True, timeout=120, capture_output=True)
    found: dict[str, dict[str, float]] = {}
    for cell in json.loads(exported.read_text())["cells"]:
        assert cell["outcome"] == "ok", cell["reason"]
        found.setdefault(cell["model"], {})[cell["board"]] = cell["instructions"]["median"]
    return found


def _row(name: str, figures: Figures, instructions: dict[str, float]) -> str:
    counted = ", ".join(f"{instructions[board] / 1e6:.2f} M on {board}" for board in BOARDS)
    return f"{figures.row(name)}  {counted}"
