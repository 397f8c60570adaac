"""The operator profile: what ONNX Runtime's trace says, and what TensorFlow Lite cannot say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness.collect import trial_from_event
from hilbench.reports.measured import OperatorProfile
from hilbench.reports.operators import rest, share, side_by_side
from hilbench.reports.record import FIGURE_KINDS, TrialKind
from hilbench.targets.agent.ops_tflite import operators_without_costs
from hilbench.targets.agent.trace_onnx import MOST_LISTED, profile_of_trace, read_trace
from onnx import helper

from .agent_jobs import cell, face_cell, job, of_kind, run_job, save_onnx, stored

CPU = "CPUExecutionProvider"


def node_line(
    name: str, us: int, op: str = "Conv", provider: str = CPU, given: str = "float", made: str = "float"
) -> str:
    args = {"op_name": op, "provider": provider, "input_type_shape": [{given: [1]}], "output_type_shape": [{made: [1]}]}
    return json.dumps({"cat": "Node", "dur": us, "name": f"{name}_kernel_time", "args": args}) + ","


def run_line(us: int) -> str:
    return json.dumps({"cat": "Session", "dur": us, "name": "model_run", "args": {}}) + ","


def trace(*inferences: list[str]) -> list[str]:
    return ["[", *(line for one in inferences for line in [*one, run_line(100)]), "]"]


def test_warm_up_inferences_are_left_out_of_a_profile() -> None:
    totals = read_trace(trace([node_line("a", 90)], [node_line("a", 5)], [node_line("a", 7)]), warmup=1)
    assert (totals.iterations, totals.inferences_us) == (2, 200)
    assert [(node.name, node.calls, node.total_us) for node in totals.nodes] == [("a", 2, 12)]


def test_profile_sums_by_operator_and_lists_the_costliest_nodes_first() -> None:
    one = [node_line("a", 5), node_line("b", 30), node_line("c", 8, op="Relu")]
    profile = profile_of_trace(read_trace(trace(one, one), 0), CPU, 1000)
    assert [(o["op"], o["nodes"], o["total"]) for o in profile["operators"]] == [
        ("Conv", 2, 70_000),
        ("Relu", 1, 16_000),
    ]
    assert [node["name"] for node in profile["nodes"]["listed"]] == ["b", "c", "a"]
    assert profile["nodes"]["total"] == 86_000
    assert profile["inferences_total"] == 200_000


def test_long_lists_are_cut_and_their_rest_is_counted() -> None:
    lines = [node_line(f"n{i}", i + 1) for i in range(MOST_LISTED + 4)]
    group = profile_of_trace(read_trace(trace(lines), 0), CPU, 1)["nodes"]
    assert (group["number"], len(group["listed"])) == (MOST_LISTED + 4, MOST_LISTED)
    left = rest(profile_of(nodes=group).nodes)  # type: ignore[arg-type]
    assert (left.nodes, left.total) == (4, 1 + 2 + 3 + 4)


def test_nodes_on_another_provider_than_the_first_fell_back() -> None:
    lines = [node_line("a", 5, provider="NPU"), node_line("b", 30)]
    profile = profile_of_trace(read_trace(trace(lines), 0), "NPU", 1)
    assert [node["name"] for node in profile["fell_back"]["listed"]] == ["b"]
    assert profile["fell_back"]["total"] == 30


def test_nodes_that_compute_floats_are_named_only_in_an_8_bit_model() -> None:
    floats = [node_line("plain", 5), node_line("shape", 1, op="Shape", made="int64")]
    assert profile_of_trace(read_trace(trace(floats), 0), CPU, 1)["in_float"]["number"] == 0
    eight = [
        node_line("q", 2, op="QuantizeLinear", made="uint8"),
        node_line("conv", 9, op="QLinearConv", given="uint8", made="uint8"),
        node_line("d", 2, op="DequantizeLinear", given="uint8"),
    ]
    mixed = profile_of_trace(read_trace(trace(floats + eight), 0), CPU, 1)
    assert mixed["quantized"]
    assert [node["name"] for node in mixed["in_float"]["listed"]] == ["plain"]


def test_line_that_is_no_trace_is_refused() -> None:
    with pytest.raises(ValueError, match="not an event of a trace"):
        read_trace(["[", "[1, 2],"], 0)


def profile_of(unit: str | None = "ns", **facts: Any) -> OperatorProfile:
    from hilbench.harness.trialfacts import profile_from_facts

    profile = profile_from_facts({"unit": unit, "iterations": 2, **facts})
    assert profile is not None
    return profile


def costs(*inference: str, unit: str = "ns") -> OperatorProfile:
    return profile_of(unit, **profile_of_trace(read_trace(trace([*inference], [*inference]), 0), CPU, 1000))


def test_a_model_and_its_8_bit_form_are_paired_by_what_operators_do() -> None:
    fp32 = costs(node_line("c", 40), node_line("g", 10, op="Gemm"))
    int8 = costs(
        node_line("c", 10, op="QLinearConv"), node_line("g", 5, op="QGemm"), node_line("q", 1, op="QuantizeLinear")
    )
    pairs = {pair.family: pair for pair in side_by_side(fp32, int8)}
    assert list(pairs) == ["Conv", "MatMul", "Conversion"]
    assert pairs["Conv"].ratio == pytest.approx(0.25)
    assert pairs["Conv"].first is not None
    assert pairs["Conv"].first.per_inference == 40_000
    assert pairs["Conv"].first.share == pytest.approx(0.8)
    assert (pairs["Conversion"].first, pairs["Conversion"].ratio) == (None, None)


def test_time_and_instructions_are_never_divided() -> None:
    pairs = side_by_side(costs(node_line("c", 40)), costs(node_line("c", 40), unit="instructions"))
    assert [pair.ratio for pair in pairs] == [None]


def test_shares_of_what_was_not_timed_are_none() -> None:
    details = [{"index": 0, "op_name": "CONV_2D", "operand_types": [np.int8], "result_types": [np.int8]}]
    profile = profile_of(None, **operators_without_costs(details, "tflite-runtime"))
    assert share(profile.operators[0].total, profile) is None
    assert profile.unavailable == {"time": "tflite-runtime has no profiler that Python can read"}


def test_interpreter_that_lists_no_operators_says_so() -> None:
    assert set(operators_without_costs(None, "tflite-runtime")["unavailable"]) == {"time", "operators"}


def save_half_quantized(path: Path) -> Path:
    """A convolution whose input is quantized and back, so that the optimiser leaves 8-bit nodes and a float one."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Conv", ["d", "w"], ["c"], kernel_shape=[3, 3], name="the_conv"),
        helper.make_node("Sigmoid", ["c"], ["y"], name="the_sigmoid"),
    ]
    weights = np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32)
    return save_onnx(path, nodes, s=np.float32(0.1), z=np.uint8(0), w=weights)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("profile")
    once = {"check": False, "memory": False, "profile": True}
    half = save_half_quantized(folder / "half.onnx")
    cells = (cell("plain", folder, **once), cell("half", folder, model=half, **once), face_cell("face", folder, **once))
    return run_job(folder, job(*cells, blocks=1, iterations=10))


def test_profile_runs_before_the_blocks_and_in_none_of_them(events: list[dict[str, Any]]) -> None:
    kinds = [event["kind"] for event in of_kind(events, "trial")]
    assert kinds == ["profile"] * 3 + ["latency"] * 3
    assert not {TrialKind.PROFILE} & FIGURE_KINDS


def test_profile_of_onnxruntime_has_every_node_with_its_time(events: list[dict[str, Any]]) -> None:
    (trial,) = of_kind(events, "trial", kind="profile", cell="plain")
    profile = trial["profile"]
    assert (profile["unit"], profile["iterations"]) == ("ns", 10)
    assert {one["op"] for one in profile["operators"]} >= {"Conv", "Gemm"}
    assert sum(one["total"] for one in profile["operators"]) == profile["nodes"]["total"] <= profile["inferences_total"]
    assert profile["fell_back"]["number"] == profile["in_float"]["number"] == 0
    assert len(trial["samples"]) == 0


def test_float_nodes_of_a_half_quantized_model_are_named(events: list[dict[str, Any]]) -> None:
    (trial,) = of_kind(events, "trial", kind="profile", cell="half")
    assert trial["profile"]["quantized"]
    assert {node["op"] for node in trial["profile"]["in_float"]["listed"]} >= {"Conv"}  # with the Sigmoid inside


def test_profile_of_tflite_names_operators_and_says_that_times_are_not_available(events: list[dict[str, Any]]) -> None:
    profile = of_kind(events, "trial", kind="profile", cell="face")[0]["profile"]
    assert profile["unit"] is None
    assert profile["unavailable"]["time"] == "ai-edge-litert has no profiler that Python can read"
    assert {one["op"]: one["nodes"] for one in profile["operators"]}["CONV_2D"] == 21
    assert all(one["total"] is None for one in profile["operators"])


def test_profile_survives_the_journal_and_the_store(events: list[dict[str, Any]]) -> None:
    for event in of_kind(events, "trial", kind="profile"):
        trial = trial_from_event(event)
        assert trial.profile is not None
        assert stored(trial).profile == trial.profile


def test_events_and_rows_of_older_versions_have_no_profile(events: list[dict[str, Any]]) -> None:
    (event, *_) = of_kind(events, "trial", kind="profile")
    old = {name: value for name, value in event.items() if name not in ("profile", "counters", "sustained")}
    assert trial_from_event(old).profile is None
