"""Cells that fail on the board: each gets one outcome and one sentence, and the others go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.targets.agent.failures import explain_exit
from hilbench.targets.agent.job import Job, JobCell, job_to_json
from hilbench.targets.agent.journal import JOURNAL, parse_journal
from hilbench.targets.agent.refusals import translate
from onnx import helper

from .agent_jobs import (
    agent,
    agent_file,
    agent_pid,
    alive,
    cell,
    children,
    face_cell,
    job,
    of_kind,
    run_job,
    save_inputs,
    save_onnx,
    save_slow_model,
    stand_in_runtime,
    wait_for,
)

MODES = ("latency", "count")


def only_failure(events: list[dict[str, Any]], name: str) -> tuple[str, str]:
    """The one failure of a cell; the cell `fine` must be untouched by it and the job must have ended."""
    (failed,) = of_kind(events, "failed", cell=name)
    assert not of_kind(events, "failed", cell="fine")
    assert not of_kind(events, "trial", cell=name)
    assert of_kind(events, "trial", cell="fine")
    assert events[-1]["state"] == "finished"
    assert "\n" not in failed["reason"]
    last_gap = of_kind(events, "gap")[-1]
    assert last_gap["done"] <= last_gap["of"]
    return failed["outcome"], failed["reason"]


def broken_onnx(folder: Path, what: str) -> Path:
    relu = helper.make_node("Relu", ["x"], ["y"])
    match what:
        case "operator":
            return save_onnx(folder / "broken.onnx", [helper.make_node("NotAnOp", ["x"], ["y"])])
        case "domain":
            return save_onnx(folder / "broken.onnx", [helper.make_node("Mine", ["x"], ["y"], domain="elsewhere")])
        case "opset":
            return save_onnx(folder / "broken.onnx", [relu], opset=99)
        case _:
            return save_onnx(folder / "broken.onnx", [relu], ir_version=99)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("operator", "it has no operator NotAnOp of opset 18"),
        ("domain", "it has no operator elsewhere:Mine"),
        ("opset", "the opset is 99, it supports up to"),
        ("ir_version", "the IR version is 99, it reads up to"),
    ],
)
def test_model_that_the_runtime_lacks_something_for_is_unsupported(
    tmp_path: Path, mode: str, what: str, says: str
) -> None:
    cells = (cell("fine", tmp_path), cell("bad", tmp_path, model=broken_onnx(tmp_path, what)))
    outcome, reason = only_failure(run_job(tmp_path, job(*cells, mode=mode)), "bad")
    assert outcome == "unsupported"
    assert says in reason


@pytest.mark.parametrize("mode", MODES)
def test_runtime_that_is_not_installed_is_unsupported(tmp_path: Path, mode: str) -> None:
    cells = (cell("bad", tmp_path, runtime="tflite-runtime"), cell("fine", tmp_path))
    outcome, reason = only_failure(run_job(tmp_path, job(*cells, blocks=2, mode=mode)), "bad")
    assert outcome == "unsupported"
    assert reason == "tflite-runtime cannot be imported on this board: No module named 'tflite_runtime'"


@pytest.mark.parametrize("mode", MODES)
def test_interpreter_that_is_not_there_is_unsupported(tmp_path: Path, mode: str) -> None:
    cells = (cell("bad", tmp_path, python="/no/such/python3"), cell("fine", tmp_path))
    outcome, reason = only_failure(run_job(tmp_path, job(*cells, mode=mode)), "bad")
    assert outcome == "unsupported"
    assert reason == "the interpreter /no/such/python3 cannot be started on this board: No such file or directory"


def test_provider_that_this_build_lacks_is_unsupported(tmp_path: Path) -> None:
    cells = (cell("bad", tmp_path, providers=("CUDAExecutionProvider",)), cell("fine", tmp_path))
    outcome, reason = only_failure(run_job(tmp_path, job(*cells)), "bad")
    assert outcome == "unsupported"
    assert reason.startswith("this build of onnxruntime has no CUDAExecutionProvider; it has ")


@pytest.mark.parametrize(
    ("content", "says"), [(b"no model at all", "Protobuf parsing failed"), (None, "doesn't exist")]
)
def test_file_that_is_no_model_is_an_error(tmp_path: Path, content: bytes | None, says: str) -> None:
    bad = tmp_path / "bad.onnx"
    if content is not None:
        bad.write_bytes(content)
    outcome, reason = only_failure(
        run_job(tmp_path, job(cell("bad", tmp_path, model=bad), cell("fine", tmp_path))), "bad"
    )
    assert outcome == "error"
    assert reason.startswith("the runtime failed while it loaded the model: ")
    assert says in reason


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": np.zeros((3, 1, 9, 9), np.float32)}, "a sample for input 'x' is 1×1×9×9, but the model wants ?×1×12×12"),
        (
            {"x": np.zeros((3, 1, 12, 12), np.complex64)},
            "input 'x' is complex64, which cannot become the model's float32",
        ),
        ({"x": np.zeros((0, 1, 12, 12), np.float32)}, "the arrays must have the same number of samples, at least one"),
        ({"x": np.zeros((3, 1, 12, 12)), "z": np.zeros(3)}, "holds 2 arrays, but the model has 1 inputs"),
    ],
)
def test_inputs_that_do_not_fit_are_one_sentence(tmp_path: Path, arrays: dict[str, Any], says: str) -> None:
    inputs = save_inputs(tmp_path / "odd.npz", **arrays)
    cells = (cell("bad", tmp_path, golden=inputs), cell("fine", tmp_path))
    outcome, reason = only_failure(run_job(tmp_path, job(*cells)), "bad")
    assert outcome == "error"
    assert says in reason


def test_float64_inputs_become_the_models_float32(tmp_path: Path) -> None:
    inputs = save_inputs(tmp_path / "wide.npz", x=np.zeros((2, 1, 12, 12), np.float64))
    events = run_job(tmp_path, job(cell("fine", tmp_path, golden=inputs)))
    assert of_kind(events, "check")[0]["golden"]["y"].shape == (2, 10)


@pytest.mark.parametrize("mode", MODES)
def test_process_that_hangs_is_a_timeout_and_others_go_on(tmp_path: Path, mode: str) -> None:
    slow = cell("bad", tmp_path, model=save_slow_model(tmp_path / "slow.onnx", repeats=20000))
    given = job(slow, cell("fine", tmp_path), mode=mode, process_timeout_s=8.0)
    outcome, reason = only_failure(run_job(tmp_path, given), "bad")
    assert outcome == "timeout"
    assert reason.startswith("took longer than 8 s ")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("number", "outcome", "says"),
    [
        (signal.SIGKILL, "error", "the process was ended by SIGKILL while it imported the runtime"),
        (signal.SIGSEGV, "error", "the process was ended by SIGSEGV while it imported the runtime"),
        (signal.SIGILL, "unsupported", "an instruction that this processor lacks (SIGILL) while it imported"),
    ],
)
def test_runtime_that_dies_in_its_import_is_named_with_its_signal(
    tmp_path: Path, mode: str, number: signal.Signals, outcome: str, says: str
) -> None:
    site = stand_in_runtime(tmp_path, f"import os\nos.kill(os.getpid(), {int(number)})\n")
    given = job(cell("bad", tmp_path, site=site), face_cell("fine", tmp_path), mode=mode)
    became, reason = only_failure(run_job(tmp_path, given), "bad")
    assert became == outcome
    assert says in reason


def timed_only(name: str, folder: Path, **changes: Any) -> JobCell:
    return cell(name, folder, check=False, memory=False, **changes)


def busy_cell(folder: Path) -> JobCell:
    """Some ten milliseconds an inference, so that its many iterations last until the test ends them."""
    return timed_only("bad", folder, model=save_slow_model(folder / "slow.onnx", repeats=40))


def start_and_wait_until_steady(folder: Path, given: Job) -> Path:
    """The first cell of the job is then in its steady inferences."""
    jobdir = folder / given.job_id
    jobdir.mkdir()
    (jobdir / "job.json").write_text(job_to_json(given))
    started = agent(agent_file(folder), "start", str(jobdir))
    assert started.returncode == 0, started.stderr
    phase = jobdir / "phase"
    wait_for(lambda: phase.exists() and phase.read_text().strip() == "steady", "the steady phase")
    return jobdir


def read(jobdir: Path) -> list[dict[str, Any]]:
    return parse_journal((jobdir / JOURNAL).read_bytes())


def failed_once(jobdir: Path) -> str:
    (failed,) = wait_for(lambda: of_kind(read(jobdir), "failed"), "the failure")
    assert (failed["cell"], failed["outcome"]) == ("bad", "error")
    return str(failed["reason"])


def test_worker_killed_in_its_steady_phase_is_an_error_of_that_cell(tmp_path: Path) -> None:
    given = job(busy_cell(tmp_path), face_cell("fine", tmp_path, check=False, memory=False), iterations=2000)
    jobdir = start_and_wait_until_steady(tmp_path, given)
    (worker,) = children(agent_pid(jobdir))
    os.kill(worker, signal.SIGKILL)
    assert failed_once(jobdir) == "the process was ended by SIGKILL in its steady inferences"
    wait_for(lambda: of_kind(read(jobdir), "end"), "the end of the job")
    assert only_failure(read(jobdir), "bad")[0] == "error"


def test_child_killed_leaves_the_importer_to_the_next_cell(tmp_path: Path) -> None:
    given = job(busy_cell(tmp_path), timed_only("fine", tmp_path), mode="count", iterations=2000)
    jobdir = start_and_wait_until_steady(tmp_path, given)
    (importer,) = children(agent_pid(jobdir))
    (child,) = children(importer)
    os.kill(child, signal.SIGKILL)
    assert failed_once(jobdir) == "the process was ended by SIGKILL in its steady inferences"
    wait_for(lambda: of_kind(read(jobdir), "end"), "the end of the job")
    assert len(of_kind(read(jobdir), "trial", cell="fine")) == 1


def test_importer_killed_costs_one_cell_and_another_importer_serves_the_rest(tmp_path: Path) -> None:
    given = job(busy_cell(tmp_path), timed_only("fine", tmp_path), mode="count", iterations=2000)
    jobdir = start_and_wait_until_steady(tmp_path, given)
    (importer,) = children(agent_pid(jobdir))
    (child,) = children(importer)
    os.kill(importer, signal.SIGKILL)
    assert failed_once(jobdir).startswith("the process was ended by SIGKILL")
    wait_for(lambda: of_kind(read(jobdir), "end"), "the end of the job")
    assert not alive(child)
    assert len(of_kind(read(jobdir), "trial", cell="fine")) == 1


def test_killed_agent_leaves_no_busy_process_and_a_readable_journal(tmp_path: Path) -> None:
    given = job(busy_cell(tmp_path), iterations=20000)
    jobdir = start_and_wait_until_steady(tmp_path, given)
    pid = agent_pid(jobdir)
    workers = children(pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(alive(worker) for worker in workers), "the end of the workers")
    events = read(jobdir)
    assert events[0]["event"] == "start"
    assert not of_kind(events, "end")


def test_sigkill_counts_as_out_of_memory_only_where_the_kernel_says_so() -> None:
    def reason(oom_kills: int | None) -> str:
        return explain_exit(-9, phase="while it loaded the model", oom_kills=oom_kills, last_words="").reason

    assert reason(1) == "the board's memory was exhausted (out-of-memory killer) while it loaded the model"
    assert reason(0) == reason(None) == "the process was ended by SIGKILL while it loaded the model"


def test_exit_without_an_answer_quotes_the_last_words() -> None:
    failure = explain_exit(3, phase="before it began", oom_kills=0, last_words="cannot open shared object")
    expected = "the process ended with status 3 and no result before it began: cannot open shared object"
    assert (failure.outcome, failure.reason) == ("error", expected)


@pytest.mark.parametrize(
    ("text", "outcome", "says"),
    [
        ("Encountered unresolved custom op: TFLite_Detection.\nSee instructions", "unsupported", "no operator TFLite_"),
        ("Didn't find op for builtin opcode 'CONV_2D' version '9'. An older", "unsupported", "CONV_2D of version 9"),
        ("std::bad_alloc", "error", "the board's memory was exhausted"),
        ("Could not open 'x.tflite'.", "error", "Could not open 'x.tflite'."),
        ("", "error", "the runtime failed while it loaded the model: RuntimeError"),
    ],
)
def test_what_a_runtime_says_becomes_an_outcome(text: str, outcome: str, says: str) -> None:
    failure = translate(RuntimeError(text), "while it loaded the model")
    assert failure.outcome == outcome
    assert says in failure.reason
