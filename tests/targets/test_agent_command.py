"""A program on the board as runtime: what it prints becomes samples, and whatever goes wrong is one sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.targets.agent.command import fill
from hilbench.targets.agent.command_output import check_against_clock, read_output
from hilbench.targets.agent.failures import CellFailure
from hilbench.targets.agent.job import JobError, job_from_json, job_to_json

from .agent_jobs import PYTHON, agent_file, alive, cell, job, of_kind, run_job, wait_for

# A program as somebody would write it: it runs the model with onnxruntime and knows nothing of hilbench.
RUNS = """
import json, sys, time
import numpy as np, onnxruntime
model, inputs, outputs, warmup, iterations = sys.argv[1:]
start = time.perf_counter_ns()
session = onnxruntime.InferenceSession(model)
load_ns = time.perf_counter_ns() - start
x = np.load(inputs)["x"]
print("some banner")
print(json.dumps({"version": f"onnxruntime {onnxruntime.__version__}", "load_ns": load_ns}))
def once(i):
    start = time.perf_counter_ns()
    y = session.run(None, {"x": x[i % len(x)][None]})[0]
    return time.perf_counter_ns() - start, y
warm = [once(i)[0] for i in range(int(warmup))]
print(json.dumps({"warmup_ns": warm, "latency_ns": [once(i)[0] for i in range(int(iterations))]}))
np.savez(outputs, y=np.concatenate([once(i)[1] for i in range(len(x))]))
"""
PLACES = ("{model}", "{inputs}", "{outputs}", "{warmup}", "{iterations}")


def program(folder: Path, text: str, *places: str) -> tuple[str, ...]:
    file = folder / f"program{len(list(folder.glob('program*.py')))}.py"
    file.write_text(text)
    return (PYTHON, str(file), *places)


def command_cell(name: str, folder: Path, text: str, *places: str, **changes: Any) -> Any:
    return cell(name, folder, runtime="command", command=program(folder, text, *places), **changes)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("command")
    cells = (
        command_cell("program", folder, RUNS, *PLACES, profile=True, counters=True),
        cell("runtime", folder, memory=False),
    )
    return run_job(folder, job(*cells, blocks=2, warmup_iterations=4, iterations=12))


def test_samples_of_a_program_are_a_trial_like_any_other(events: list[dict[str, Any]]) -> None:
    trials = of_kind(events, "trial", kind="latency", cell="program")
    assert [trial["block"] for trial in trials] == [0, 1]
    for trial in trials:
        assert (len(trial["warmup"]), len(trial["samples"]), trial["loop_k"]) == (4, 12, 1)
        assert trial["load_ns"] > 0
        assert trial["used"]["runtime_version"].startswith("onnxruntime ")


def test_outputs_of_a_program_are_checked_like_those_of_a_runtime(events: list[dict[str, Any]]) -> None:
    mine, theirs = (of_kind(events, "check", cell=name)[0]["golden"]["y"] for name in ("program", "runtime"))
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_seen_from_outside_has_a_reason(events: list[dict[str, Any]]) -> None:
    (memory,) = of_kind(events, "trial", kind="memory", cell="program")
    assert "phases cannot be told apart" in memory["memory"]["unavailable"]["steady_peak_bytes"]
    (profile,) = of_kind(events, "trial", kind="profile", cell="program")
    assert "cannot be told" in profile["profile"]["unavailable"]["time"]
    (counters,) = of_kind(events, "trial", kind="counters", cell="program")
    assert "cannot be told" in counters["counters"]["unavailable"]["instructions"]


@pytest.mark.parametrize(
    ("text", "outcome", "says"),
    [
        ("import sys; sys.exit('no such engine')", "error", "ended with status 1: no such engine"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "error", "ended by SIGSEGV while its program ran"),
        ("print('done')", "error", "the program printed no latency_ns"),
        ("print('{\"latency_ms\": 3}')", "error", "printed no latency_ns; it printed latency_ms"),
        ("print('hello'); print('{oops')", "error", "line 2 of the program's output begins like JSON, but is none"),
        ("print('{\"latency_ns\": [5, -1]}')", "error", "line 1 of the program's output: latency_ns is -1; it must be"),
        ("print('{\"latency_ns\": 9e12}')", "error", "reports 9e+03 s of inferences, but ran for"),
    ],
)
def test_program_that_goes_wrong_is_one_sentence(tmp_path: Path, text: str, outcome: str, says: str) -> None:
    bad = command_cell("bad", tmp_path, text, check=False, memory=False)
    (failed,) = of_kind(run_job(tmp_path, job(bad, blocks=2)), "failed")
    assert failed["outcome"] == outcome
    assert says in failed["reason"]
    assert "\n" not in failed["reason"]


def test_program_that_is_not_on_the_board_is_unsupported(tmp_path: Path) -> None:
    absent = cell("absent", tmp_path, runtime="command", command=("trtexec-of-nobody", "{model}"), memory=False)
    (failed,) = of_kind(run_job(tmp_path, job(absent)), "failed")
    assert failed["outcome"] == "unsupported"
    assert failed["reason"] == "the program trtexec-of-nobody cannot be started: No such file or directory"


def test_program_on_an_emulated_board_is_unsupported(tmp_path: Path) -> None:
    given = command_cell("a", tmp_path, "", check=False, memory=False)
    (failed,) = of_kind(run_job(tmp_path, job(given, mode="count")), "failed")
    assert failed["outcome"] == "unsupported"
    assert failed["reason"] == "a program as runtime gives times, and an emulated board has none"


def test_program_without_a_place_for_outputs_is_measured_unchecked(tmp_path: Path) -> None:
    given = command_cell("a", tmp_path, 'print(\'{"latency_ns": [5, 6], "loop_k": 3}\')', memory=False)
    events = run_job(tmp_path, job(given))
    assert not of_kind(events, "check")
    (trial,) = of_kind(events, "trial")
    assert (trial["samples"].tolist(), trial["loop_k"]) == ([5, 6], 3)


def test_program_ends_with_an_agent_that_is_killed(tmp_path: Path) -> None:
    text = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(100)"
    jobdir = tmp_path / "job"
    jobdir.mkdir()
    (jobdir / "job.json").write_text(job_to_json(job(command_cell("a", tmp_path, text, check=False, memory=False))))
    running = subprocess.Popen([PYTHON, agent_file(tmp_path), "run", jobdir])
    pid = int(wait_for(lambda: (jobdir / "pid").exists() and (jobdir / "pid").read_text(), "the program"))
    os.kill(running.pid, 9)
    running.wait()
    wait_for(lambda: not alive(pid), "the program's end")


def test_objects_and_other_lines_may_be_mixed_and_add_up() -> None:
    printed = read_output(["log {", '{"latency_ns": 5}', '  {"latency_ns": [6.6], "first_ns": 9}', '{"more": 1}'])
    assert (printed.samples.tolist(), printed.first_ns, printed.unknown) == ([5, 7], 9, {"more"})


@pytest.mark.parametrize("value", ["true", "NaN", "Infinity", "0", '"5"', "null", "1e17", "1" + 400 * "0"])
def test_value_that_is_no_duration_is_refused(value: str) -> None:
    with pytest.raises(CellFailure, match=r"line 1 of the program's output: latency_ns is .*; it must be a number"):
        read_output([f'{{"latency_ns": {value}}}'])


def test_loop_k_counts_when_the_clock_is_asked() -> None:
    printed = read_output(['{"latency_ns": [100, 100], "loop_k": 5}'])
    check_against_clock(printed, 1000)
    with pytest.raises(CellFailure, match="latency_ns is in nanoseconds"):
        check_against_clock(printed, 999)


def test_places_are_filled_and_other_braces_stay() -> None:
    assert fill(("run", "--m={model}", '{"a": 1}', "{}"), {"model": "/m x"}) == ["run", "--m=/m x", '{"a": 1}', "{}"]
    with pytest.raises(CellFailure, match=r"the command has the place \{modell\}; allowed: \{model\}, \{iterations\}"):
        fill(("{modell}",), {"model": "m"})


def test_command_survives_the_jobs_file_and_must_have_words(tmp_path: Path) -> None:
    given = job(command_cell("a", tmp_path, "", "{model}"))
    assert job_from_json(job_to_json(given)) == given
    with pytest.raises(JobError, match="the command of cell 'a' has no words"):
        job_from_json(job_to_json(job(cell("a", tmp_path, command=()))))
