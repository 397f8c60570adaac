"""The settings of a file on an emulated board, by the instructions that it takes there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hilbench.harness.home import Home
from hilbench.harness.optimize.artifact import Wanted
from hilbench.harness.optimize.optimize import optimize_plan
from hilbench.harness.optimize.settingsfile import read_settings
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.smokemodel import write_smoke_model
from onnx import TensorProto, helper, numpy_helper, save

pytestmark = pytest.mark.timeout(300)

# The runtime that a board without hardware acceleration imports fastest, its delegate switched off: a sure winner.
PLAN = """\
name: tiny
models: {m: {file: smoke.tflite}}
boards: [a72]
runtimes: [{name: tflite-runtime, xnnpack: false}]
"""


# Quantized convolutions of three channels: onnxruntime turns their input to NHWC first, unless it is so already.
IMAGES = """\
name: images
models: {m: {file: m.onnx}}
recipes: [fp32, int8-static]
boards: [a76]
"""


def test_an_emulated_board_finds_the_setting_that_does_less_work(tmp_path: Path) -> None:
    write_smoke_model(tmp_path, "tflite-runtime")
    (tmp_path / "inventory.yaml").write_text("boards:\n  a72: {connection: emulated, cpu: cortex-a72}\n")
    (tmp_path / "plan.yaml").write_text(PLAN)
    plan, home = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml")), Home(folder=tmp_path / "state")
    wanted = Wanted(factors=("place", "xnnpack", "arena"))
    (found,) = optimize_plan(plan, home, wanted=wanted, new=False, command="", progress=Progress(quiet=True))
    assert found.outcome == "better", found.sentence
    assert "does less work than the default setting" in found.sentence
    assert dict(found.left_out or {}) == {
        "place": "an emulated board has one processor, so threads and cores cannot differ",
        "arena": "tflite-runtime has no such setting",
    }
    assert "xnnpack" not in found.settings  # the runtime's own choice, which is on
    (kept,) = read_settings(home.settings("a72"))
    assert kept.evidence is not None
    assert (kept.evidence.word, kept.evidence.metric) == ("less-work", "instructions")
    assert kept.evidence.ratio is not None
    assert kept.evidence.ratio < 0.99
    assert kept.board["runtime_version"]


def test_quantized_convolutions_do_less_work_where_images_come_with_channels_last(tmp_path: Path) -> None:
    save_convolutions(tmp_path / "m.onnx")
    (tmp_path / "inventory.yaml").write_text("boards:\n  a76: {connection: emulated, cpu: cortex-a76}\n")
    (tmp_path / "plan.yaml").write_text(IMAGES)
    plan, home = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml")), Home(folder=tmp_path / "state")
    wanted = Wanted(factors=("input_layout",), recipes=("int8-static",))
    (found,) = optimize_plan(plan, home, wanted=wanted, new=False, command="", progress=Progress(quiet=True))
    assert found.outcome == "better", found.sentence
    assert found.sentence.startswith("input layout nhwc does less work than the default setting (ratio 0.9")
    assert found.settings["input_layout"] == "nhwc"
    assert found.file is not None
    assert Path(found.file).is_file()


def save_convolutions(path: Path) -> None:
    """Two convolutions with strides over [1, 3, 64, 64]."""
    generator = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(generator.standard_normal((8, 3, 3, 3)).astype(np.float32), "a"),
        numpy_helper.from_array(generator.standard_normal((16, 8, 3, 3)).astype(np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["c"], strides=[2, 2], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "b"], ["d"], strides=[2, 2], pads=[1] * 4),
        helper.make_node("Relu", ["d"], ["s"]),
        helper.make_node("GlobalAveragePool", ["s"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16, 1, 1])
    graph = helper.make_graph(nodes, "m", [x], [y], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
