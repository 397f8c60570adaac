"""The settings of a runtime on this machine's real runtimes: what is asked is what holds, or it is `unsupported`."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hilbench.targets.agent.failures import CellFailure
from hilbench.targets.agent.job import job_from_json, job_to_json
from hilbench.targets.agent.offline_graph import graph_key, with_offline_graph
from hilbench.targets.agent.placement import cpus_of, named_cluster
from hilbench.targets.agent.runtime_onnx import load_onnx, providers_of, session_options
from hilbench.targets.agent.tuning import clusters

from .agent_jobs import cell, face_cell, job, of_kind, run_job

ORT: ModuleType = onnxruntime


@pytest.fixture(autouse=True)
def jobs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs in this process works as a worker does: in a folder of its own, where it notes its phase."""
    monkeypatch.chdir(tmp_path)


def fields(folder: Path, **changes: Any) -> dict[str, Any]:
    """A cell of the small CNN as a worker is sent it."""
    return json.loads(job_to_json(job(cell("one", folder, **changes))))["cells"][0]


def sysfs(root: Path, **capacities: int) -> Path:
    cpus = root / "sys/devices/system/cpu"
    for name, capacity in capacities.items():
        (cpus / name).mkdir(parents=True)
        (cpus / name / "cpu_capacity").write_text(f"{capacity}\n")
    (cpus / "online").write_text(f"0-{len(capacities) - 1}\n")
    return root


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Cells that differ in their settings alone, on a board whose sysfs tells of a big core 0 and a little core 1."""
    folder = tmp_path_factory.mktemp("settings")
    root = sysfs(folder / "root", cpu0=1024, cpu1=400)
    cells = (
        cell("usual", folder),
        cell("lean", folder, threads=2, arena=False, memory_pattern=False, spinning=False),
        cell("offline", folder, offline_graph=True),
        cell("little", folder, affinity="little"),
        cell("both", folder, affinity="all", threads=2),
        cell("nowhere", folder, affinity=(0, 4095)),
        face_cell("plain", folder, xnnpack=False),
        face_cell("delegated", folder, xnnpack=True),
    )
    return run_job(folder, job(*cells, blocks=2, iterations=5, root=str(root)))


def used(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return of_kind(events, "trial", kind="latency", cell=name)[0]["used"]


def test_a_cell_that_asks_for_nothing_has_the_runtimes_own_settings(events: list[dict[str, Any]]) -> None:
    assert used(events, "usual")["memory_settings"]["enable_cpu_mem_arena"] is True
    assert "arena" not in used(events, "usual")


def test_switches_are_read_back_from_the_session(events: list[dict[str, Any]]) -> None:
    found = used(events, "lean")
    assert (found["arena"], found["memory_pattern"], found["spinning"]) == (False, False, False)
    assert found["memory_settings"]["enable_cpu_mem_arena"] is False
    memory = of_kind(events, "trial", kind="memory", cell="lean")[0]["memory"]
    assert memory["settings"]["enable_mem_pattern"] is False  # memory is told with what decides about it


def test_affinity_is_where_the_process_really_ran(events: list[dict[str, Any]]) -> None:
    assert used(events, "little")["affinity"] == [1]
    assert used(events, "both")["affinity"][:2] == [0, 1]


def test_a_processor_that_is_not_there_is_unsupported(events: list[dict[str, Any]]) -> None:
    (failed,) = of_kind(events, "failed")
    assert (failed["cell"], failed["outcome"]) == ("nowhere", "unsupported")
    assert failed["reason"].startswith("affinity: this account cannot run on processor 4095 of the board; on 0, 1")


def test_xnnpack_of_tflite_is_on_or_off_as_asked_and_gives_the_same_answers(events: list[dict[str, Any]]) -> None:
    assert used(events, "plain")["xnnpack"] is False
    assert used(events, "delegated")["xnnpack"] is True
    plain, delegated = (of_kind(events, "check", cell=name)[0]["golden"] for name in ("plain", "delegated"))
    np.testing.assert_allclose(plain["regressors"], delegated["regressors"], rtol=1e-2, atol=1e-2)


def test_an_offline_graph_is_made_once_and_gives_the_same_answers(events: list[dict[str, Any]]) -> None:
    both = [trial["used"] for trial in of_kind(events, "trial", cell="offline")]
    assert len({one["offline_graph_sha256"] for one in both}) == 1
    assert both[0]["offline_graph"] is True
    assert both[0]["graph_optimization"] == "all"
    assert both[0]["model_sha256"] != both[0]["offline_graph_sha256"]  # the artifact that was deployed stays named
    usual, offline = (of_kind(events, "check", cell=name)[0]["golden"]["y"] for name in ("usual", "offline"))
    np.testing.assert_allclose(usual, offline, rtol=1e-5)


def test_an_offline_graph_is_loaded_as_it_is(tmp_path: Path) -> None:
    made = with_offline_graph(ORT, fields(tmp_path, offline_graph=True))
    loaded = load_onnx(ORT, made, None)
    assert loaded.used()["offline_graph"] is True
    assert loaded.used()["offline_graph_bytes"] == Path(made["model"]).stat().st_size
    assert Path(made["model"]).stem == made["offline"]["sha256"]
    usual = onnxruntime.InferenceSession(cell("same", tmp_path).model)
    sample = {"x": np.ones((1, 1, 12, 12), np.float32)}
    np.testing.assert_allclose(loaded.read(loaded.bind(sample)())[0], np.asarray(usual.run(None, sample)[0]), rtol=1e-5)


def test_an_offline_graph_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    asked = fields(tmp_path, offline_graph=True)
    first = with_offline_graph(ORT, asked)
    whole = Path(first["model"]).read_bytes()
    Path(first["model"]).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert Path(with_offline_graph(ORT, asked)["model"]).read_bytes() == whole
    inode = Path(first["model"]).stat().st_ino
    with_offline_graph(ORT, asked)
    assert Path(first["model"]).stat().st_ino == inode  # a whole one is not


def test_another_level_or_release_needs_another_graph(tmp_path: Path) -> None:
    asked = fields(tmp_path)
    newer = ModuleType("onnxruntime")
    newer.__version__ = "99"  # type: ignore[attr-defined]  # a module has what it is given
    keys = {graph_key(ORT, asked), graph_key(ORT, {**asked, "graph_optimization": "basic"}), graph_key(newer, asked)}
    assert len(keys) == 3


def test_a_graph_that_cannot_be_made_is_an_outcome_of_the_cell(tmp_path: Path) -> None:
    asked = fields(tmp_path, offline_graph=True)
    Path(asked["model"]).write_bytes(b"no model")
    with pytest.raises(CellFailure, match="while it optimised the graph"):
        with_offline_graph(ORT, asked)
    assert [path.name for path in tmp_path.glob("*part*")] == []


def test_xnnpack_of_onnxruntime_gets_the_threads_and_the_session_one(tmp_path: Path) -> None:
    class Build:
        """A build of onnxruntime with XNNPACK, which the published wheels lack."""

        SessionOptions, ExecutionMode = ORT.SessionOptions, ORT.ExecutionMode
        GraphOptimizationLevel = ORT.GraphOptimizationLevel

        @staticmethod
        def get_available_providers() -> list[str]:
            return ["XnnpackExecutionProvider", "CPUExecutionProvider"]

    build: Any = Build
    asked = fields(tmp_path, threads=4, providers=("XnnpackExecutionProvider", "CPUExecutionProvider"))
    providers = providers_of(build, asked)
    assert providers == [("XnnpackExecutionProvider", {"intra_op_num_threads": "4"}), "CPUExecutionProvider"]
    options = session_options(build, asked, "all")
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    with pytest.raises(CellFailure, match="this build of onnxruntime has no XnnpackExecutionProvider"):
        providers_of(ORT, asked)


def test_clusters_are_named_by_their_speed(tmp_path: Path) -> None:
    kinds = clusters(sysfs(tmp_path, cpu0=300, cpu1=300, cpu2=700, cpu3=1024))
    assert kinds == ((3,), (2,), (0, 1))
    assert [named_cluster(name, kinds) for name in ("big", "middle", "little")] == [(3,), (2,), (0, 1)]
    assert cpus_of("little", (3,), tmp_path, allowed=range(4)) == (0, 1)
    assert cpus_of(None, (3,), tmp_path) == (3,)  # the profile's, where the cell asks for nothing


@pytest.mark.parametrize("kinds", [((0, 1),), ((1,), (0,))])
def test_a_cluster_that_a_board_lacks_is_unsupported(kinds: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(CellFailure, match="middle"):
        named_cluster("middle", kinds)


def test_settings_travel_in_the_job(tmp_path: Path) -> None:
    asked = job(cell("one", tmp_path, affinity=(1, 0), spinning=True, xnnpack=False, offline_graph=True))
    assert job_from_json(job_to_json(asked)) == asked
