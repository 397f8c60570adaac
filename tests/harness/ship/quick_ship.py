"""`ship` of a small made model on this machine, in short processes; as a script, for those who kill it.

What is proven with it does not hang on how long is measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hilbench.harness import protocol
from hilbench.harness.home import Home
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.ship import plans
from hilbench.harness.ship.request import Asked
from hilbench.harness.ship.shipping import ShipResult, ship_model
from hilbench.reports.language import Language
from onnx import TensorProto, helper, numpy_helper, save

BUDGET = "drop<=5pp, latency<=1s, memory<=1GiB"
INVENTORY = """\
boards:
  here: {{connection: local, role: reference, workdir: {work}}}
  sim: {{connection: emulated, arch: arm64, cpu: cortex-a76, runtimes: [onnxruntime]}}
  old: {{connection: emulated, arch: armhf, cpu: cortex-a15, runtimes: [tflite-runtime]}}
"""
SIDE, CLASSES = 12, 3


def shorten(setattr_: Callable[[Any, str, Any], None] = setattr) -> None:
    """Short processes and a small effort, set by `setattr_`."""
    quick = replace(protocol.QUICK, warmup_seconds=0.02, min_seconds=0.05, iterations=150, gap_s=0.0)
    setattr_(protocol, "BY_NAME", {**protocol.BY_NAME, "quick": quick})
    setattr_(plans, "EFFORT", [6])


def write_lab(folder: Path) -> None:
    """A model, its data and an inventory."""
    save_model(folder / "m.onnx")
    images, labels = made_data(per_class=60)
    np.savez(folder / "data.npz", images=images, labels=labels)
    (folder / "inventory.yaml").write_text(INVENTORY.format(work=folder / "work"))


def made_data(per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright stripe whose place is the class, faint enough that some are mistaken."""
    generator = np.random.default_rng(3)
    labels = np.arange(per_class * CLASSES) % CLASSES
    images = generator.integers(0, 200, (len(labels), SIDE, SIDE))
    images[np.arange(len(labels)), labels * 3 + 1] += 45
    return images.astype(np.uint8), labels


def save_model(path: Path) -> None:
    """Sums up the row of each class."""
    weights = np.zeros((SIDE * SIDE, CLASSES), np.float32)
    for label in range(CLASSES):
        row = (label * 3 + 1) * SIDE
        weights[row : row + SIDE, label] = 1
    shapes = {"x": [None, 1, SIDE, SIDE], "y": [None, CLASSES]}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    graph = helper.make_graph(nodes, "m", [x], [y], [numpy_helper.from_array(weights, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def asked(lab: Path, *budget: str, **more: Any) -> Asked:
    """The words of a small ship, changed."""
    given: dict[str, Any] = {
        "model": lab / "m.onnx",
        "data": str(lab / "data.npz"),
        "budget": budget or (BUDGET,),
        "boards": ["here"],
        "trials": 1,
        "finalists": 1,
        "protocol": "quick",
        "blocks": 6,
        "factors": ("memory_pattern",),
    }
    return Asked(**{**given, **more})


def shipped(lab: Path, *budget: str, **more: Any) -> ShipResult:
    """Ship, to `ship/` in the lab."""
    language = more.pop("language", Language.ENGLISH)
    return ship_model(
        asked(lab, *budget, **more),
        Boards(lab / "inventory.yaml"),
        Home(folder=lab / ".hilbench"),
        target=lab / "ship",
        command="hilbench ship m.onnx",
        progress=Progress(quiet=True),
        language=language,
    )


if __name__ == "__main__":
    shorten()
    sys.exit(shipped(Path(sys.argv[1])).exit_code)
