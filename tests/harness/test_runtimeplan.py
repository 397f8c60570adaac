"""Runtime settings of a plan: the cells of old plans keep their ids, and what a runtime lacks is said beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.harness.boardjob import chosen_settings
from hilbench.harness.errors import PlanError
from hilbench.harness.plan import expand, load_plan
from hilbench.harness.runtimeplan import RuntimePlan
from hilbench.harness.selection import Boards
from hilbench.targets.agent.job import JobCell

INVENTORY = "boards:\n  here: {connection: local, runtimes: [onnxruntime, ai-edge-litert]}\n"
PLAN = "name: trial\nmodels: {m: {file: m.onnx}}\nboards: [here]\nruntimes: [{}]\n"


def settings_of(folder: Path, runtime: str) -> RuntimePlan:
    (folder / "m.onnx").touch()
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "plan.yaml").write_text(PLAN.replace("[{}]", f"[{runtime}]"))
    (setting,) = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml")).runtimes
    return setting


@pytest.mark.parametrize(
    ("setting", "variant"),
    [  # as they were written before affinity, switches and offline graphs were known
        (RuntimePlan(name=None), "onnxruntime-t1"),
        (RuntimePlan(name=None, threads=4), "onnxruntime-t4"),
        (RuntimePlan(name=None, graph_optimization="basic"), "onnxruntime-t1-f7947a"),
        (RuntimePlan(name=None, threads=2, providers=("CPUExecutionProvider",)), "onnxruntime-t2-686b73"),
    ],
)
def test_cells_of_older_plans_keep_their_ids(setting: RuntimePlan, variant: str) -> None:
    assert setting.variant("onnxruntime") == variant
    assert set(setting.settings()) == {"threads", "graph_optimization", "providers"}


def test_each_setting_has_an_id_of_its_own(tmp_path: Path) -> None:
    written = (
        "{}", "{affinity: all}", "{affinity: [0, 1]}", "{arena: false}", "{memory_pattern: false}", "{spinning: true}",
        "{spinning: false}", "{offline_graph: true}", "{input_layout: nchw}", "{input_layout: nhwc}",
        "{settings: best}", "{settings: best-memory}",
    )  # fmt: skip
    found = {settings_of(tmp_path, one).variant("onnxruntime") for one in written}
    assert len(found) == len(written)


def test_what_a_plan_says_reaches_the_job(tmp_path: Path) -> None:
    setting = settings_of(
        tmp_path,
        "{threads: 2, affinity: [0, 1], arena: false, offline_graph: true, python: python3.11, input_layout: nhwc}",
    )
    assert chosen_settings(setting.settings()) == {
        "threads": 2,
        "graph_optimization": "all",
        "providers": (),
        "affinity": (0, 1),
        "arena": False,
        "offline_graph": True,
        "input_layout": "nhwc",
    }
    assert set(chosen_settings(setting.settings())) <= set(JobCell.__slots__)


@pytest.mark.parametrize(
    ("runtime", "setting", "reason"),
    [
        ("ai-edge-litert", RuntimePlan(name=None, arena=False), "ai-edge-litert has no setting arena"),
        (
            "tflite-runtime",
            RuntimePlan(name=None, spinning=True, offline_graph=True, input_layout="nhwc"),
            "tflite-runtime has no setting spinning, offline_graph, input_layout",
        ),
        (
            "onnxruntime",
            RuntimePlan(name=None, xnnpack=True),
            "onnxruntime has no setting xnnpack (name XnnpackExecutionProvider among the providers)",
        ),
        ("command", RuntimePlan(name=None, threads=2, affinity="big"), None),
        ("ai-edge-litert", RuntimePlan(name=None, xnnpack=False, threads=2), None),
    ],
)
def test_what_a_runtime_lacks_is_said_in_a_sentence(runtime: str, setting: RuntimePlan, reason: str | None) -> None:
    assert setting.lacking(runtime) == reason


def test_a_cell_whose_runtime_lacks_the_setting_is_not_measured(tmp_path: Path) -> None:
    settings_of(tmp_path, "{xnnpack: true}")
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    (cell,) = expand(plan, {"m": "onnx"})
    assert cell.skip is not None
    assert "has no setting xnnpack" in cell.skip


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{settings: best, threads: 2}", '"settings: best" stands for all settings, so not with threads'),
        ("{affinity: fast}", "affinity"),
        ("{affinity: []}", "affinity"),
        ("{settings: worst}", '"worst" is not allowed'),
    ],
)
def test_a_wrong_setting_is_refused_with_its_line(tmp_path: Path, written: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=r"plan\.yaml:4") as caught:
        settings_of(tmp_path, written)
    assert sentence in str(caught.value)
