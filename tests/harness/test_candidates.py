"""What goes to the boards is the same bytes for the same inputs, whatever the inputs are called."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from hilbench.harness.candidates import prepare
from hilbench.harness.plan import expand, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.sources import read_sources
from onnx import TensorProto, helper, save

INVENTORY = "boards:\n  here: {connection: local}\n"


def two_input_model(path: Path) -> None:
    """y = file + allow_pickle: names that are also keywords of numpy."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("file", "allow_pickle")]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])]
    graph = helper.make_graph([helper.make_node("Add", ["file", "allow_pickle"], ["y"])], "sum", inputs, outputs)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def test_inputs_of_any_name_reach_the_board_unchanged(tmp_path: Path) -> None:
    two_input_model(tmp_path / "m.onnx")
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "plan.yaml").write_text("name: t\nmodels: {m: {file: m.onnx}}\nboards: [here]\n")
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    hashes: set[str] = set()
    for cache in ("one", "two"):
        sources = read_sources(plan, cache=tmp_path / cache)
        prepared = prepare(plan, sources, cache=tmp_path / cache, progress=Progress(quiet=True))
        (cell,) = expand(plan, {"m": "onnx"})
        golden = prepared.inputs(cell, cell.board).golden
        hashes.add(golden.sha256)
        with np.load(io.BytesIO(golden.path.read_bytes())) as arrays:
            assert sorted(arrays.files) == ["allow_pickle", "file"]
            on_host = prepared.golden_on_host(cell)
            assert on_host is not None
            np.testing.assert_array_equal(on_host["y"], arrays["file"] + arrays["allow_pickle"])
    assert len(hashes) == 1
