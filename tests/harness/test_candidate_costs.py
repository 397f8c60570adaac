"""What is counted in a candidate's file is kept with its artifact, and a file that cannot be counted stops nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.errors import ModelError
from hilbench.harness import candidates
from hilbench.harness.candidates import prepare
from hilbench.harness.plan import expand, load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards
from hilbench.harness.sources import read_sources
from hilbench.reports.record import ArtifactFacts
from onnx import TensorProto, helper, numpy_helper, save

PLAN = (
    "name: t\nmodels: {m: {file: m.onnx, input_shapes: {x: [1, 3, 6, 5]}}}\nrecipes: [fp32, prune-l1]\nboards: [here]\n"
)


def artifacts(folder: Path) -> list[ArtifactFacts]:
    """fp32 and prune-l1 of a convolution whose height and width the plan declares."""
    weights = np.random.default_rng(1).uniform(0.1, 1, (4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "free",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w_"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, "a", "b"])],
        [numpy_helper.from_array(weights, "w")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "m.onnx")
    (folder / "inventory.yaml").write_text("boards:\n  here: {connection: local}\n")
    (folder / "plan.yaml").write_text(PLAN)
    plan = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))
    sources = read_sources(plan, cache=folder / "cache")
    prepared = prepare(plan, sources, cache=folder / "cache", progress=Progress(quiet=True))
    found = [prepared.candidate(cell).artifact for cell in expand(plan, {"m": "onnx"})]
    return [one for one in found if one is not None]


def test_costs_are_counted_at_the_declared_shape_and_survive_the_store(tmp_path: Path) -> None:
    whole, pruned = artifacts(tmp_path)
    assert whole.costs is not None
    assert pruned.costs is not None
    assert (whole.costs["macs"], whole.costs["parameters"]) == (4 * 4 * 3 * 27, 108)
    assert pruned.costs["nonzero_share"] == 0.5
    assert ArtifactFacts(**json.loads(json.dumps(asdict(pruned)))).costs == pruned.costs


def test_a_file_that_cannot_be_counted_is_a_candidate_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ModelError("no")

    monkeypatch.setattr(candidates, "costs_of", refuse)
    assert [one.costs for one in artifacts(tmp_path)] == [None, None]
