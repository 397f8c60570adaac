"""Memory beyond its peaks: what else the kernel gives or refuses, and what a model adds to the bare runtime."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness.collect import trial_from_event
from hilbench.harness.trialfacts import memory_from_facts
from hilbench.reports.memorydelta import deltas
from hilbench.reports.record import MemoryPhases
from hilbench.targets.agent.cgroup import PeakGroup
from hilbench.targets.agent.memory import is_mapped, resident_split
from onnx import helper

from .agent_jobs import cell, face_cell, job, of_kind, run_job, save_onnx, stored

ROLLUP = """5568c6483000-7fffe3cbd000 ---p 00000000 00:00 0                          [rollup]
Rss:                1728 kB
Pss:                 214 kB
Private_Clean:        40 kB
Private_Dirty:       112 kB
Anonymous:           112 kB
Swap:                  8 kB
"""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("memory")
    cells = (cell("onnx", folder, check=False), face_cell("face", folder, check=False))
    return run_job(folder, job(*cells, blocks=0, iterations=5))


def memory_of(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return of_kind(events, "trial", kind="memory", cell=name)[0]["memory"]


def test_split_counts_what_is_private_proportional_and_swapped(tmp_path: Path) -> None:
    (tmp_path / "smaps_rollup").write_text(ROLLUP)
    kib = {name: value // 1024 for name, value in resident_split(tmp_path).items() if value is not None}
    assert kib == {
        "anon_bytes": 112,
        "file_bytes": 1728 - 112,
        "pss_bytes": 214,
        "private_bytes": 152,
        "swap_bytes": 8,
    }


def test_every_phase_has_its_split(events: list[dict[str, Any]]) -> None:
    memory = memory_of(events, "onnx")
    assert list(memory["splits"]) == ["baseline", "load", "first", "steady"]
    assert memory["splits"]["steady"]["pss_bytes"] == memory["pss_bytes"]
    assert 0 < memory["private_bytes"] <= memory["pss_bytes"] <= memory["anon_bytes"] + memory["file_bytes"]
    assert memory["splits"]["load"]["anon_bytes"] > memory["splits"]["baseline"]["anon_bytes"]
    assert memory["runtime_bytes"] > 5e6


def test_peak_of_the_load_is_not_that_of_the_phases_after_it(tmp_path: Path) -> None:
    """32 MiB of weights that are summed once: loading holds them twice, as file and as tensor, running once."""
    nodes = [
        helper.make_node("ReduceSum", ["w"], ["s"], keepdims=0),
        helper.make_node("ReduceMean", ["x"], ["m"], keepdims=0),
        helper.make_node("Add", ["s", "m"], ["y"]),
    ]
    model = save_onnx(tmp_path / "heavy.onnx", nodes, w=np.ones((8, 1024, 1024), np.float32))
    heavy = cell("heavy", tmp_path, model=model, graph_optimization="disabled", check=False)
    memory = memory_of(run_job(tmp_path, job(heavy, blocks=0, iterations=5)), "heavy")
    assert memory["load_peak_bytes"] > memory["steady_peak_bytes"] + 16 * 2**20


def test_settings_that_decide_about_memory_are_recorded(events: list[dict[str, Any]]) -> None:
    settings = memory_of(events, "onnx")["settings"]
    assert settings["enable_cpu_mem_arena"] is True
    assert settings["enable_mem_pattern"] is True
    assert settings["arena_extend_strategy"] == "default"
    assert "malloc_arena_max" in settings


def test_model_that_is_mapped_is_told_from_one_that_is_read(events: list[dict[str, Any]]) -> None:
    assert memory_of(events, "face")["model_mapped"] is True
    assert memory_of(events, "onnx")["model_mapped"] is False
    assert memory_of(events, "onnx")["model_bytes"] > 10_000


def test_what_could_not_be_had_has_a_reason(events: list[dict[str, Any]]) -> None:
    memory = memory_of(events, "onnx")
    missing = {name for name, value in memory.items() if value is None}
    assert set(memory["unavailable"]) == missing
    assert all(reason for reason in memory["unavailable"].values())


def test_mapping_is_seen_by_the_real_name_of_the_file(tmp_path: Path) -> None:
    model, link = tmp_path / "a model.bin", tmp_path / "link.bin"
    model.write_bytes(b"x" * mmap.PAGESIZE)
    link.symlink_to(model)
    proc = Path("/proc/self")
    assert is_mapped(proc, str(link)) is False
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        assert is_mapped(proc, str(link)) is True
    assert is_mapped(tmp_path, str(link)) is None


def cgroup_tree(root: Path, *, mounted: bool = True, files: tuple[str, ...] = ()) -> Path:
    proc = root / "proc" / "self"
    proc.mkdir(parents=True)
    kind = "cgroup2 cgroup2" if mounted else "tmpfs tmpfs"
    (proc / "mountinfo").write_text(f"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - {kind} rw\n")
    (proc / "cgroup").write_text("4:memory:/old\n0::/user.slice\n")
    own = root / "sys/fs/cgroup/user.slice"
    own.mkdir(parents=True)
    for name in files:
        (own / name).write_text("")
    return root


def test_board_without_cgroup_v2_says_so(tmp_path: Path) -> None:
    group = PeakGroup(cgroup_tree(tmp_path, mounted=False))
    group.enter()
    assert (group.reason, group.peak_bytes()) == ("cgroup v2 is not mounted on this board", None)


def test_cgroup_without_the_memory_controller_says_so_and_is_removed(tmp_path: Path) -> None:
    group = PeakGroup(cgroup_tree(tmp_path))
    group.enter()
    group.leave()
    assert group.reason == "the memory controller is not given to new cgroups on this board"
    assert list((tmp_path / "sys/fs/cgroup").rglob("hilbench-*")) == []


def test_groups_of_killed_processes_are_removed(tmp_path: Path) -> None:
    root = cgroup_tree(tmp_path)
    left_over = root / "sys/fs/cgroup/user.slice/hilbench-memory-77"
    left_over.mkdir()
    PeakGroup(root).enter()
    assert not left_over.exists()


def test_board_whose_cgroups_are_not_ours_says_so(tmp_path: Path) -> None:
    root = cgroup_tree(tmp_path)
    (root / "sys/fs/cgroup/user.slice").rmdir()
    (root / "sys/fs/cgroup").rmdir()
    group = PeakGroup(root)
    group.enter()
    assert group.reason == "this account may not make a cgroup: No such file or directory"


def test_model_adds_to_the_bare_runtime_phase_by_phase() -> None:
    phases = MemoryPhases(baseline_bytes=100, load_peak_bytes=180, first_peak_bytes=150, steady_peak_bytes=None)
    found = deltas(phases)
    assert (found.load_bytes, found.first_bytes, found.steady_bytes) == (80, 50, None)
    assert (found.peak_bytes, found.peak_phase) == (80, "load")


def test_model_is_not_said_to_add_nothing_where_nothing_was_measured() -> None:
    found = deltas(MemoryPhases(load_peak_bytes=180))
    assert (found.peak_bytes, found.peak_phase) == (None, None)


def test_memory_survives_the_journal_and_the_store(events: list[dict[str, Any]]) -> None:
    trial = trial_from_event(of_kind(events, "trial", kind="memory", cell="face")[0])
    assert trial.memory is not None
    assert trial.memory.splits["first"]["pss_bytes"]
    assert stored(trial).memory == trial.memory


def test_memory_of_older_agents_still_reads() -> None:
    old = json.loads('{"baseline_bytes": 5, "load_peak_bytes": null, "method": "clear_refs"}')
    assert memory_from_facts(old) == MemoryPhases(baseline_bytes=5)
