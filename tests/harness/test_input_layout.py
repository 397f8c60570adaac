"""`input_layout` in a plan: another file runs, its inputs are turned, and figures are compared as of one artifact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hilbench.harness import protocol
from hilbench.harness.home import Home
from hilbench.harness.optimize.settingsfile import Entry, fingerprint, keep_entry
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.run import run_plan
from hilbench.harness.runtimeplan import RuntimePlan
from hilbench.harness.selection import Boards
from hilbench.reports.deployed import deployed_file
from hilbench.reports.page import render
from hilbench.reports.record import Outcome, Record, RunRecord
from onnx import NodeProto, TensorProto, helper, numpy_helper, save

PLAN = """\
name: layouts
models: {m: {file: m.onnx}, flat: {file: flat.onnx}}
boards: [here]
runtimes: [{}, {input_layout: nhwc}, {input_layout: nchw}]
blocks: 2
operators: false
counters: false
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    kernel = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "k"], ["c"]), helper.make_node("GlobalAveragePool", ["c"], ["y"])]
    save_model(folder / "m.onnx", nodes, ([1, 3, 8, 8], [1, 4, 1, 1]), kernel)
    save_model(folder / "flat.onnx", [helper.make_node("MatMul", ["x", "k"], ["y"])], ([1, 4], [1, 4]), np.eye(4))
    (folder / "inventory.yaml").write_text(f"boards:\n  here: {{connection: local, workdir: {folder}/work}}\n")
    (folder / "plan.yaml").write_text(PLAN)
    return folder


def save_model(path: Path, nodes: list[NodeProto], shapes: tuple[list[int], list[int]], weights: np.ndarray) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in zip("xy", shapes, strict=True))
    tensor = numpy_helper.from_array(weights.astype(np.float32), "k")
    graph = helper.make_graph(nodes, path.stem, [x], [y], [tensor])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HILBENCH_HEALTH_WAIT_S", "0")
        quick = replace(protocol.QUICK, warmup_seconds=0.02, min_seconds=0.05, gap_s=0.0)
        patched.setitem(protocol.BY_NAME, "quick", quick)
        yield


@pytest.fixture(scope="module")
def record(lab: Path) -> RunRecord:
    return ran(lab, "plan.yaml")


def ran(lab: Path, name: str) -> RunRecord:
    plan = load_plan(lab / name, Boards(lab / "inventory.yaml"))
    return run_plan(plan, Home(folder=lab / "state"), new=True, command="", progress=Progress(quiet=True)).record


def of(record: RunRecord, model: str, layout: str | None) -> Record:
    return next(one for one in record.records if (one.model, one.settings.get("input_layout")) == (model, layout))


def test_the_board_runs_another_file_of_the_same_artifact_and_its_answers_hold(record: RunRecord) -> None:
    plain, nhwc, nchw = (of(record, "m", layout) for layout in (None, "nhwc", "nchw"))
    assert plain.artifact is not None
    for one in (plain, nhwc, nchw):
        assert (one.outcome, one.reason, one.artifact) == (Outcome.OK, None, plain.artifact)
    for trial in nhwc.trials:
        assert trial.used["made_of"] == plain.artifact.sha256
        assert trial.used["input_layout"] == "nhwc"
        assert trial.used["model_sha256"] != trial.used["made_of"]
    assert all("made_of" not in trial.used for trial in (*plain.trials, *nchw.trials))
    file = deployed_file(nhwc)
    assert file is not None
    assert file.path is not None
    assert (Path(file.path).is_file(), file.layout) == (True, "nhwc")
    assert (usual := deployed_file(nchw)) is not None
    assert (usual.layout, usual.sha256) == (None, plain.artifact.sha256)


def test_a_model_without_images_is_unsupported_where_a_layout_is_asked(record: RunRecord) -> None:
    assert of(record, "flat", None).outcome is Outcome.OK
    refused = of(record, "flat", "nhwc")
    assert refused.outcome is Outcome.UNSUPPORTED
    assert refused.reason == "no input has the four axes of images, so it has no layout to choose"
    assert of(record, "flat", "nchw").outcome is Outcome.OK  # as it is


def test_the_report_names_both_files(record: RunRecord) -> None:
    page = render(record)
    file = deployed_file(of(record, "m", "nhwc"))
    assert file is not None
    assert file.sha256 in page
    assert "fp32, images as NHWC" in page
    assert "input layout nhwc" in page


def test_best_settings_may_be_a_layout_and_one_that_cannot_be_costs_its_cell_only(lab: Path, record: RunRecord) -> None:
    board = fingerprint(record.boards["here"], "onnxruntime")
    for model in ("m", "flat"):
        artifact = of(record, model, None).artifact
        assert artifact is not None
        settings = RuntimePlan(name=None).settings()
        entry = Entry(
            artifact=artifact.sha256, model=model, recipe="fp32", runtime="onnxruntime", objective="latency",
            settings={**settings, "input_layout": "nhwc"}, default=settings, board=board, sentence="by hand", runs=[],
            at="2026-11-29T00:00:00.000Z",
        )  # fmt: skip
        keep_entry(Home(folder=lab / "state").settings("here"), entry)
    (lab / "best.yaml").write_text(
        PLAN.replace("[{}, {input_layout: nhwc}, {input_layout: nchw}]", "[{settings: best}]")
    )
    m, flat = ran(lab, "best.yaml").records
    assert m.outcome is Outcome.OK
    assert {trial.used["input_layout"] for trial in m.trials} == {"nhwc"}
    assert (flat.outcome, flat.trials) == (Outcome.UNSUPPORTED, ())
