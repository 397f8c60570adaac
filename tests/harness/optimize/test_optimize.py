"""Whole optimisations on this machine, with the real runtime: found, gone on with, kept and used again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness import protocol
from hilbench.harness.errors import Interrupted, PlanError
from hilbench.harness.home import Home
from hilbench.harness.optimize import artifact, optimize
from hilbench.harness.optimize.artifact import Wanted
from hilbench.harness.optimize.ledger import Found
from hilbench.harness.optimize.optimize import optimize_plan
from hilbench.harness.optimize.settingsfile import read_settings
from hilbench.harness.optimize.subjects import subjects
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.run import run_plan
from hilbench.harness.selection import Boards
from hilbench.harness.store import Store
from hilbench.reports.record import Outcome
from hilbench.targets.errors import BoardHeldError
from onnx import TensorProto, helper, numpy_helper, save

from .runs import DEFAULT, record, run

PLAN = """\
name: folded
models: {m: {file: m.onnx}}
boards: [here]
runtimes: [{graph_optimization: disabled}]
blocks: 2
operators: false
counters: false
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab whose model computes constants anew in each inference unless its graph is optimised: a sure winner."""
    monkeypatch.setenv("HILBENCH_HEALTH_WAIT_S", "0")
    quick = replace(protocol.QUICK, warmup_seconds=0.05, min_seconds=0.1, gap_s=0.0)
    monkeypatch.setitem(protocol.BY_NAME, "quick", quick)
    save_folded(tmp_path / "m.onnx")
    (tmp_path / "inventory.yaml").write_text(f"boards:\n  here: {{connection: local, workdir: {tmp_path}/work}}\n")
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path


def save_folded(path: Path, size: int = 256) -> None:
    """y = x * mean(a^6): all but one product is constant."""
    nodes = [
        helper.make_node("MatMul", ["a", "a"], ["p0"]),
        *(helper.make_node("MatMul", [f"p{i}", "a"], [f"p{i + 1}"]) for i in range(4)),
        helper.make_node("ReduceMean", ["p4"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["x", "mean"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in ("x", "y"))
    weights = [numpy_helper.from_array(np.full((size, size), 1e-2, np.float32), "a")]
    graph = helper.make_graph(nodes, "folded", [x], [y], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def optimized(folder: Path, wanted: Wanted) -> tuple[Found, ...]:
    plan = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))
    return optimize_plan(plan, home(folder), wanted=wanted, command="", progress=Progress(quiet=True), new=False)


def home(folder: Path) -> Home:
    return Home(folder=folder / "state")


def runs_of(folder: Path) -> list[str]:
    store = Store.open(home(folder).database_url)
    found = [run.run_id for run in reversed(store.runs())]
    store.close()
    return found


def stopped_at_run(monkeypatch: pytest.MonkeyPatch, number: int) -> Callable[[], None]:
    """From the next run on, the one of this number is stopped before it begins; the result undoes that."""
    original, begun = artifact.run_plan, list[int]()

    def run(*words: Any, **named: Any) -> Any:
        begun.append(1)
        if len(begun) == number:
            raise Interrupted("stopped")
        return original(*words, **named)

    monkeypatch.setattr(artifact, "run_plan", run)
    return lambda: monkeypatch.setattr(artifact, "run_plan", original)


def test_a_stopped_optimisation_goes_on_and_later_plans_take_what_it_proved(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Wanted(factors=("graph_optimization", "offline_graph", "providers"))
    undo = stopped_at_run(monkeypatch, 2)
    with pytest.raises(Interrupted):
        optimized(lab, wanted)
    screening = runs_of(lab)
    assert len(screening) == 1
    undo()
    # A job that a killed controller left on the board keeps its lease: going on must not wait for a look at it.
    monkeypatch.setattr(optimize, "board_facts", lambda *_: pytest.fail("the board was looked at again"))

    (found,) = optimized(lab, wanted)
    assert found.outcome == "better", found.sentence
    assert [found.runs[0]] == screening  # it was not measured again
    assert len(runs_of(lab)) == 2
    assert found.settings["graph_optimization"] != "disabled"
    assert "is faster than the default setting" in found.sentence
    assert {one["settings"]["graph_optimization"] for one in found.tried} == {"disabled", "all", "extended", "basic"}
    assert found.tried[0]["sentence"].startswith("graph optimization all: ratio 0.")
    words = {str(one["settings"].get("offline_graph") or one["settings"]["providers"]): one for one in found.tried}
    assert words["True"]["verdict"]["pairs"] == 2
    lacking = next(one for key, one in words.items() if "OpenVINO" in key)
    assert "this build of onnxruntime has no OpenVINOExecutionProvider" in lacking["sentence"]
    for verdict in (one["verdict"] for one in found.confirmed):
        assert verdict["pairs"] >= 6  # two blocks prove nothing, so the confirmation takes as many as it needs
    (kept,) = read_settings(home(lab).settings("here"))
    assert (kept.settings, kept.runs) == (dict(found.settings), list(found.runs))
    assert kept.evidence is not None
    assert kept.evidence.word == "faster"

    (lab / "plan.yaml").write_text(PLAN.replace("{graph_optimization: disabled}", "{settings: best}, {threads: 2}"))
    plan = load_plan(lab / "plan.yaml", Boards(lab / "inventory.yaml"))
    result = run_plan(plan, home(lab), new=False, command="", progress=Progress(quiet=True))
    best, plain = result.record.records
    used = best.trials[0].used
    assert used["graph_optimization"] == found.settings["graph_optimization"]
    assert best.settings == {"settings": "best"}
    assert any("is faster than the default setting" in remark for remark in best.remarks)
    assert not any("settings" in remark for remark in plain.remarks)  # nobody takes them who did not ask


KILLED = """\
import os, signal, sys
from pathlib import Path
from hilbench.harness.home import Home
from hilbench.harness.optimize import optimize
from hilbench.harness.optimize.artifact import Wanted
from hilbench.harness.plan import load_plan
from hilbench.harness.progress import Progress
from hilbench.harness.selection import Boards

folder = Path(sys.argv[1])
optimize.ask_probes = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
plan, home = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml")), Home(folder=folder / "state")
wanted = Wanted(factors=("place", "arena"), objective="memory")
optimize.optimize_plan(plan, home, wanted=wanted, command="", progress=Progress(quiet=True), new=False)
"""


def test_killed_while_it_looked_at_a_board_it_has_the_board_at_once_when_called_again(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(lab)], check=False)
    assert killed.returncode == -signal.SIGKILL
    monkeypatch.setenv("HILBENCH_LEASE_WAIT_S", "0")  # whoever has to wait gives up
    plan = load_plan(lab / "plan.yaml", Boards(lab / "inventory.yaml"))
    with pytest.raises(BoardHeldError):
        optimize.board_facts(plan.boards[0], Progress(quiet=True), "another optimisation")
    monkeypatch.setattr(artifact, "run_plan", lambda *_, **__: pytest.fail("it looked"))
    with pytest.raises(pytest.fail.Exception, match="it looked"):
        optimized(lab, Wanted(factors=("place", "arena"), objective="memory"))


def test_an_optimisation_that_ended_begins_anew(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Wanted(factors=("arena",), objective="memory")
    (found,) = optimized(lab, small)
    (tried,) = found.tried
    assert (tried["verdict"]["metric"], tried["verdict"]["pairs"]) == ("memory_bytes", 3)
    stopped_at_run(monkeypatch, 1)
    with pytest.raises(Interrupted):  # it asks for a run of its own: what an ended one measured is not taken again
        optimized(lab, small)


def test_words_that_are_not_known_are_refused_before_a_board_is_asked(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimize, "board_facts", lambda *_: pytest.fail("the board was asked"))
    with pytest.raises(PlanError, match='there is no "speed" to try'):
        optimized(lab, Wanted(factors=("speed",)))
    assert not home(lab).folder.exists()


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.INVALID, 1), (Outcome.ERROR, 3), (Outcome.UNSUPPORTED, 0)])
def test_without_a_default_the_exit_code_says_what_kind_of_failure_it_was(outcome: Outcome, code: int) -> None:
    base = run(record(DEFAULT, [1e6], outcome=outcome)).cells[0]
    nothing = Found(subject={}, objective="latency", outcome="default", settings={}, default={}, sentence="")
    found = artifact.without_default(nothing, base)
    assert (found.outcome, found.exit_code, found.sentence) == (
        "not-measured",
        code,
        "the default setting was not measured: it broke",
    )


def test_a_plan_is_asked_for_its_shortlist_else_for_all_it_has(lab: Path) -> None:
    text = PLAN + "recipes: [fp32, fp16, tflite]\n"
    (lab / "plan.yaml").write_text(text)
    boards = Boards(lab / "inventory.yaml")
    plan = load_plan(lab / "plan.yaml", boards)
    every = [subject.recipe for subject in subjects(plan, {"m": "onnx"}, ())]
    assert every == ["fp32", "fp16"]  # the board has no runtime for the third
    assert [s.recipe for s in subjects(replace(plan, shortlist=("fp16",)), {"m": "onnx"}, ())] == ["fp16"]
    with pytest.raises(PlanError, match='"int4" is no recipe of this plan; it has fp32, fp16, tflite'):
        subjects(plan, {"m": "onnx"}, ("int4",))
    with pytest.raises(PlanError, match="nothing of this plan can run"):
        subjects(plan, {"m": "onnx"}, ("tflite",))
