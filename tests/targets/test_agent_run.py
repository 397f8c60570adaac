"""The agent on this machine with the real runtimes: what one job gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from .agent_jobs import SAMPLES, cell, face_cell, face_model, job, of_kind, run_job, save_inputs


@pytest.fixture(scope="module")
def latency_events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("latency")
    accuracy = save_inputs(folder / "accuracy.npz", samples=12)
    cells = (cell("plain", folder, accuracy=accuracy, graph_optimization="disabled"), face_cell("face", folder))
    return run_job(folder, job(*cells, blocks=2, warmup_iterations=4, iterations=12, max_iterations=12))


@pytest.fixture(scope="module")
def count_events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("count")
    cells = (cell("a", folder), cell("b", folder), face_cell("face", folder))
    return run_job(folder, job(*cells, blocks=3, mode="count", iterations=7))


def test_job_begins_with_start_and_ends_finished(latency_events: list[dict[str, Any]]) -> None:
    assert latency_events[0]["event"] == "start"
    assert latency_events[0]["of"] == 2 + 2 + 2 * 2
    assert latency_events[-1]["event"] == "end"
    assert latency_events[-1]["state"] == "finished"
    assert not of_kind(latency_events, "failed")


def test_every_result_is_followed_by_a_gap_that_counts_up(latency_events: list[dict[str, Any]]) -> None:
    kinds = [event["event"] for event in latency_events[1:-1]]
    assert set(kinds[0::2]) == {"check", "trial"}
    assert set(kinds[1::2]) == {"gap"}
    gaps = of_kind(latency_events, "gap")
    assert [gap["done"] for gap in gaps] == list(range(1, 9))
    for trial, gap in zip(latency_events[1::2], gaps, strict=False):  # a process takes longer than what it times
        timed_ns = int(trial["samples"].sum()) * trial["loop_k"] if trial["event"] == "trial" else 0
        assert gap["process_ns"] > timed_ns


def test_check_gives_the_outputs_that_the_runtime_gives_here(
    latency_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    (check,) = of_kind(latency_events, "check", cell="plain")
    session = onnxruntime.InferenceSession(cell("same", tmp_path).model)
    accuracy = np.load(save_inputs(tmp_path / "accuracy.npz", samples=12))["x"]
    expected = np.asarray(session.run(["y"], {"x": accuracy})[0])
    assert check["golden"]["y"].shape == (SAMPLES, 10)
    assert check["golden"]["y"].dtype == np.float32
    np.testing.assert_allclose(check["accuracy"]["y"], expected, rtol=1e-5, atol=1e-5)


def test_check_of_a_tflite_model_names_inputs_by_order_and_gives_all_outputs(
    latency_events: list[dict[str, Any]],
) -> None:
    (check,) = of_kind(latency_events, "check", cell="face")
    assert {name: values.shape for name, values in check["golden"].items()} == {
        "regressors": (3, 896, 16),
        "classificators": (3, 896, 1),
    }
    assert check["accuracy"] is None
    assert check["used"]["delegates"] == 1  # XNNPACK took the whole graph


def test_check_says_which_provider_ran_which_nodes(latency_events: list[dict[str, Any]]) -> None:
    used = of_kind(latency_events, "check", cell="plain")[0]["used"]
    assert used["providers"][-1] == "CPUExecutionProvider"
    assert used["nodes_by_provider"] == {"CPUExecutionProvider": 4}
    assert used["ops"] == {"Conv": 1, "Flatten": 1, "Gemm": 1, "Relu": 1}
    assert used["fell_back"] == {}


def test_latency_keeps_load_first_warmup_and_steady_samples_apart(latency_events: list[dict[str, Any]]) -> None:
    trials = of_kind(latency_events, "trial", kind="latency", cell="plain")
    assert [trial["block"] for trial in trials] == [0, 1]
    for trial in trials:
        assert trial["load_ns"] > 0
        assert trial["first_ns"] > 0
        assert len(trial["warmup"]) == 4
        assert len(trial["samples"]) == 12
        assert trial["samples"].dtype == np.int64
        assert (trial["samples"] > 0).all()
        assert trial["counter_source"] is None
        assert trial["importer"] is None
        assert trial["memory"] is None


def test_loop_k_of_the_first_block_is_kept(latency_events: list[dict[str, Any]]) -> None:
    first, second = of_kind(latency_events, "trial", kind="latency", cell="plain")
    assert first["loop_k"] >= 1
    assert first["loop_k"] == second["loop_k"]


def test_order_of_each_block_is_the_jobs_order(latency_events: list[dict[str, Any]]) -> None:
    trials = of_kind(latency_events, "trial", kind="latency")
    assert [(t["block"], t["cell"], t["position"]) for t in trials] == [
        (0, "plain", 0),
        (0, "face", 1),
        (1, "face", 0),
        (1, "plain", 1),
    ]


def test_memory_phases_are_absolute_and_never_below_the_baseline(latency_events: list[dict[str, Any]]) -> None:
    (trial,) = of_kind(latency_events, "trial", kind="memory", cell="face")
    memory = trial["memory"]
    assert memory["method"] == "clear_refs"
    assert 5e6 < memory["baseline_bytes"] < memory["load_peak_bytes"] <= memory["first_peak_bytes"]
    assert memory["anon_bytes"] + memory["file_bytes"] <= memory["steady_peak_bytes"] + 2**20
    assert memory["anon_bytes"] > 0
    assert memory["file_bytes"] > 0
    assert len(trial["samples"]) == 0


def test_state_is_recorded_before_and_after(latency_events: list[dict[str, Any]]) -> None:
    trial = of_kind(latency_events, "trial", kind="latency")[0]
    assert len(trial["state_before"]["loadavg"]) == 3
    assert trial["state_after"]["available_bytes"] > 0
    assert set(trial["state_before"]) == set(trial["state_after"])


def test_count_mode_gives_no_time_anywhere(count_events: list[dict[str, Any]]) -> None:
    trials = of_kind(count_events, "trial", kind="count")
    assert len(trials) == 9
    for trial in trials:
        assert trial["load_ns"] is None
        assert trial["first_ns"] is None
        assert trial["counter_source"] in ("pmu", "virtual-clock")
        assert len(trial["samples"]) == 7
        assert trial["used"]["first_instructions"] > 0
        assert trial["importer"] == trial["block"]


def test_first_importer_of_a_runtime_serves_checks_and_memory_before_counts(
    count_events: list[dict[str, Any]],
) -> None:
    block = [(e["event"], e.get("kind"), e["cell"]) for e in count_events if e["event"] in ("check", "trial")][:9]
    assert block == [
        ("check", None, "a"),
        ("check", None, "b"),
        ("trial", "memory", "a"),
        ("trial", "memory", "b"),
        ("trial", "count", "a"),
        ("trial", "count", "b"),
        ("check", None, "face"),
        ("trial", "memory", "face"),
        ("trial", "count", "face"),
    ]


def test_resumed_job_runs_only_what_is_missing(tmp_path: Path) -> None:
    done, missing = cell("done", tmp_path, check=False, memory=False, loop_k=3), cell("missing", tmp_path)
    events = run_job(tmp_path, job(done, missing, blocks=1))
    assert [event["cell"] for event in of_kind(events, "check")] == ["missing"]
    assert [event["cell"] for event in of_kind(events, "trial", kind="memory")] == ["missing"]
    assert of_kind(events, "trial", kind="latency", cell="done")[0]["loop_k"] == 3


def test_twin_gets_the_loop_k_of_its_subject(tmp_path: Path) -> None:
    subject = cell("subject", tmp_path, check=False, memory=False, loop_k=7)
    twin = cell("twin", tmp_path, check=False, memory=False)
    events = run_job(tmp_path, job(subject, twin))
    assert {trial["loop_k"] for trial in of_kind(events, "trial")} == {7}


def test_same_outputs_from_both_runtimes_in_count_and_latency_mode(
    latency_events: list[dict[str, Any]], count_events: list[dict[str, Any]]
) -> None:
    one, other = (of_kind(events, "check", cell="face")[0] for events in (latency_events, count_events))
    np.testing.assert_array_equal(one["golden"]["regressors"], other["golden"]["regressors"])
    assert face_model().stat().st_size > 100_000
