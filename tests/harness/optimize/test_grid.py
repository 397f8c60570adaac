"""Which settings are worth a try on which board."""

from __future__ import annotations

from typing import Any

import pytest
from hilbench.harness.errors import PlanError
from hilbench.harness.optimize.grid import Grid, check_factors, count_of, grid
from hilbench.harness.runtimeplan import RuntimePlan
from hilbench.targets.board import Arch, Board, EmulatedAddress, LocalAddress, Role

BIG_LITTLE = [
    {"cpus": "0-3", "max_mhz": 1800.0, "capacity": 400},
    {"cpus": "4-5", "max_mhz": 2400.0, "capacity": 1024},
]


def board(arch: Arch = Arch.ARM64, role: Role = Role.TARGET) -> Board:
    address = EmulatedAddress(cpu="cortex-a72") if role is Role.EMULATED else LocalAddress()
    return Board(name="b", address=address, arch=arch, role=role, runtimes=())


def tried(runtime: str, facts: dict[str, Any], default: RuntimePlan | None = None, **changes: Any) -> Grid:
    changes = {"board": board(), "images": "nchw", **changes}
    return grid(changes.pop("board"), facts, runtime, default or RuntimePlan(name=runtime), **changes)


def changes(found: Grid, factor: str) -> list[dict[str, Any]]:
    return [dict(level.changes) for level in found.levels if level.factor == factor]


def test_places_are_threads_up_to_the_cores_and_each_kind_of_core_alone() -> None:
    found = tried("onnxruntime", {"cores": 6, "clusters": BIG_LITTLE})
    assert changes(found, "place") == [
        {"threads": 2},
        {"threads": 4},
        {"threads": 6},
        {"threads": 6, "spinning": False},
        {"threads": 1, "affinity": "big"},
        {"threads": 2, "affinity": "big"},
        {"threads": 1, "affinity": "little"},
        {"threads": 4, "affinity": "little"},
    ]


def test_equal_cores_have_no_clusters_to_choose_from() -> None:
    equal = [{"cpus": "0-1", "max_mhz": 1500.0, "capacity": None}, {"cpus": "2-3", "max_mhz": 1500.0, "capacity": None}]
    assert all("affinity" not in one for one in changes(tried("onnxruntime", {"cores": 4, "clusters": equal}), "place"))


def test_an_emulated_board_skips_threads_and_cores_with_a_reason() -> None:
    found = tried("onnxruntime", {"cores": 1, "clusters": None}, board=board(role=Role.EMULATED))
    assert changes(found, "place") == []
    assert found.left_out["place"] == "an emulated board has one processor, so threads and cores cannot differ"


def test_a_board_that_does_not_tell_its_cores_skips_them_with_a_reason() -> None:
    assert "does not tell" in tried("onnxruntime", {"cores": None, "clusters": None}).left_out["place"]


def test_tflite_has_a_delegate_and_no_graph_to_optimise() -> None:
    found = tried("ai-edge-litert", {"cores": 2, "clusters": None})
    assert {level.factor for level in found.levels} == {"place", "xnnpack"}
    assert found.left_out["arena"] == "ai-edge-litert has no such setting"
    assert all("spinning" not in one for one in changes(found, "place"))


def test_the_default_itself_is_never_tried_again_and_switches_go_the_other_way() -> None:
    default = RuntimePlan(name="onnxruntime", graph_optimization="basic", offline_graph=True, arena=False)
    found = tried("onnxruntime", {"cores": 1, "clusters": None}, default)
    assert all(level.on(default) != default for level in found.levels)
    assert changes(found, "graph_optimization") == [{"graph_optimization": "all"}, {"graph_optimization": "extended"}]
    assert (changes(found, "offline_graph"), changes(found, "arena")) == ([{"offline_graph": False}], [{"arena": None}])


def test_the_layout_that_the_model_has_not_is_tried_where_it_takes_images() -> None:
    layouts = [changes(tried("onnxruntime", {"cores": 1}, images=one), "input_layout") for one in ("nchw", "nhwc")]
    assert layouts == [[{"input_layout": "nhwc"}], [{"input_layout": "nchw"}]]
    turned = RuntimePlan(name="onnxruntime", input_layout="nhwc")
    assert changes(tried("onnxruntime", {"cores": 1}, turned), "input_layout") == [{"input_layout": None}]
    without = tried("onnxruntime", {"cores": 1}, images=None)
    assert changes(without, "input_layout") == []
    assert without.left_out["input_layout"] == "no input of the model has the four axes of images"


def test_providers_are_those_of_the_instruction_set_before_the_plain_processor() -> None:
    arm, x86 = (tried("onnxruntime", {"cores": 1}, board=board(arch)) for arch in (Arch.ARM64, Arch.X86_64))
    assert changes(arm, "providers")[0] == {"providers": ("XnnpackExecutionProvider", "CPUExecutionProvider")}
    assert {one["providers"][0] for one in changes(x86, "providers")} >= {"DnnlExecutionProvider"}


def test_only_what_is_asked_is_tried_and_an_unknown_word_is_refused() -> None:
    found = tried("onnxruntime", {"cores": 2, "clusters": None}, factors=("arena",))
    assert ([level.factor for level in found.levels], dict(found.left_out)) == (["arena"], {})
    with pytest.raises(PlanError, match='there is no "areena" to try; allowed: place'):
        check_factors(("arena", "areena"))


def test_a_program_as_runtime_has_nothing_to_try() -> None:
    assert tried("command", {"cores": 4}).levels == ()


def test_lists_of_processors_are_counted() -> None:
    assert [count_of(text) for text in ("0", "0-3", "0-3,6", "")] == [1, 4, 5, 0]
