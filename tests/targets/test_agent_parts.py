"""The agent's pure parts, and its one file."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import zipfile
from array import array
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.targets.agent.arrays import decode_array, encode_int64, encode_ndarray
from hilbench.targets.agent.failures import explain_exit
from hilbench.targets.agent.job import Job, JobError, job_from_json, job_to_json
from hilbench.targets.agent.journal import parse_journal
from hilbench.targets.agent.latency import choose_loop_k, timed_series
from hilbench.targets.agent.memory import PeakMemory, resident_split
from hilbench.targets.agent.modelfile import model_sha256
from hilbench.targets.agent.perf_event import syscall_number
from hilbench.targets.agent.runtime_onnx import read_profile
from hilbench.targets.agent.schedule import schedule
from hilbench.targets.agent.state import read_state
from hilbench.targets.bundle import build_agent
from numpy.typing import NDArray

from .agent_jobs import agent, agent_file, cell, job

AGENT_SOURCES = Path(__file__).parents[2] / "targets" / "agent"
OLDEST_PYTHON = (3, 10)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "uint8", "int64", "bool", ">i4"])
def test_arrays_survive_the_journal_exactly(dtype: str) -> None:
    values = np.random.default_rng(0).integers(-100, 100, size=(3, 4)).astype(dtype)
    decoded = decode_array(json.loads(json.dumps(encode_ndarray(values))))
    np.testing.assert_array_equal(decoded, values)
    assert decoded.dtype == np.dtype(dtype).newbyteorder("=")


def test_samples_keep_all_64_bits() -> None:
    values = array("q", [0, -1, 2**62 + 1, -(2**63)])
    assert decode_array(encode_int64(values)).tolist() == list(values)


def test_array_of_text_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no numbers"):
        encode_ndarray(np.array(["a"]))


def test_damaged_array_is_refused() -> None:
    with pytest.raises(ValueError, match="array"):
        decode_array({"dtype": "<i8", "shape": [1], "zlib64": "AAAA"})


def test_journal_line_that_was_cut_off_is_ignored() -> None:
    whole = b'{"event":"start","of":3}\n\n{"event":"gap","done":1}\n'
    for cut in (b"", b'{"ev', b'{"event":"end"}'):
        assert [event["event"] for event in parse_journal(whole + cut)] == ["start", "gap"]


def test_whole_line_that_is_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="not a journal event"):
        parse_journal(b'{"event":"start"}\n[1,2]\n')


def test_job_survives_its_file(tmp_path: Path) -> None:
    given = job(cell("a", tmp_path, providers=("CPUExecutionProvider",), loop_k=2), cell("b", tmp_path), blocks=2)
    assert job_from_json(job_to_json(given)) == given


def test_job_of_an_older_controller_still_parses(tmp_path: Path) -> None:
    given = job(cell("a", tmp_path))
    old = json.loads(job_to_json(given))
    for name in ("board_profile", "profile_required", "frequency_khz", "root", "rate_hz"):
        del old[name]
    for name in ("profile", "counters", "sustained", "command"):
        del old["cells"][0][name]
    assert job_from_json(json.dumps(old)) == given


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mode": "quick"}, "mode is 'quick'; allowed: latency, count"),
        ({"iterations": 0}, "iterations is 0; allowed: 1 to max_iterations (20000)"),
        ({"process_timeout_s": 0}, "process_timeout_s must be above 0"),
        ({"schema": 2}, "is not a job of schema 1"),
        ({"surprise": 1}, "surprise"),
        ({"blocks": [{"block": 0, "attempt": 0, "order": ["a", "z"]}]}, "block 0 names the unknown cell 'z'"),
        ({"blocks": [{"block": 3, "attempt": 0, "order": ["a", "a"]}]}, "block 3 runs a cell twice"),
    ],
)
def test_wrong_job_is_one_sentence(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    raw = {**json.loads(job_to_json(job(cell("a", tmp_path)))), **changes}
    with pytest.raises(JobError) as caught:
        job_from_json(json.dumps(raw))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_cells_of_one_name_are_refused(tmp_path: Path) -> None:
    text = job_to_json(job(cell("a", tmp_path), cell("a", tmp_path)))
    with pytest.raises(JobError, match="same name"):
        job_from_json(text)


def steps(given: Job) -> list[tuple[bool, list[str]]]:
    return [(g.forked, [f"{s.kind} {s.cell.cell} {s.block}" for s in g.steps]) for g in schedule(given)]


def test_latency_schedule_is_a_fresh_process_for_each_step(tmp_path: Path) -> None:
    given = job(cell("a", tmp_path), cell("b", tmp_path, check=False), blocks=2)
    assert steps(given) == [
        (False, ["check a 0"]),
        (False, ["memory a 0"]),
        (False, ["memory b 0"]),
        (False, ["latency a 0"]),
        (False, ["latency b 0"]),
        (False, ["latency b 1"]),
        (False, ["latency a 1"]),
    ]


def test_count_schedule_is_an_importer_for_each_block_and_runtime(tmp_path: Path) -> None:
    cells = (
        cell("a", tmp_path),
        cell("t", tmp_path, site="/elsewhere", memory=False),
        cell("b", tmp_path, check=False),
    )
    assert steps(job(*cells, blocks=2, mode="count")) == [
        (True, ["check a 0", "memory a 0", "memory b 0", "count a 0", "count b 0"]),
        (True, ["check t 0", "count t 0"]),
        (True, ["count b 1", "count a 1"]),
        (True, ["count t 1"]),
    ]


def test_count_schedule_without_blocks_still_checks(tmp_path: Path) -> None:
    given = replace(job(cell("a", tmp_path, memory=False), mode="count"), blocks=())
    assert steps(given) == [(True, ["check a 0"])]


@pytest.mark.parametrize(
    ("warmup_ns", "step_ns", "loop_k"),
    [([1_000_000] * 5, 50, 1), ([10_000] * 5, 50, 5), ([100] * 5, 50, 500), ([0, 0], 50, 10_000), ([], 50, 1)],
)
def test_loop_k_makes_a_sample_a_thousand_clock_steps(warmup_ns: list[int], step_ns: int, loop_k: int) -> None:
    assert choose_loop_k(array("q", warmup_ns), step_ns) == loop_k


class SteadyModel:
    """Takes 100 ns of a clock of its own per inference; notes which inputs it was given."""

    inputs = ()
    output_names = ()

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        self.bound: list[float] = []
        monkeypatch.setattr("hilbench.targets.agent.latency.time.perf_counter_ns", lambda: self.now_ns)

    def bind(self, sample: Mapping[str, NDArray[Any]]) -> Callable[[], object]:
        self.bound.append(float(sample["x"][0]))
        self.now_ns += 7  # setting an input takes time, outside of the window
        return self.run

    def run(self) -> None:
        self.now_ns += 100

    def read(self, returned: object) -> list[NDArray[Any]]:
        raise AssertionError("nothing is read in a timed series")

    def used(self) -> dict[str, Any]:
        return {}

    def inspect(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        return {}

    def operator_costs(self, warmup: int) -> dict[str, Any]:
        return {}


FEEDS = [{"x": np.array([float(number)])} for number in range(3)]


@pytest.mark.parametrize("loop_k", [1, 5])
def test_sample_is_the_time_of_one_inference_whatever_loop_k(monkeypatch: pytest.MonkeyPatch, loop_k: int) -> None:
    timed = timed_series(SteadyModel(monkeypatch), FEEDS, loop_k, 4, 0.0, 10)
    assert timed.samples.tolist() == [100] * 4
    assert timed.longest_pause_ns == 7


def test_inputs_are_taken_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SteadyModel(monkeypatch)
    timed_series(model, FEEDS, 1, 5, 0.0, 10)
    assert model.bound == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("minimum", "seconds", "maximum", "number"), [(4, 1070e-9, 50, 10), (4, 1.0, 8, 8), (0, 0, 9, 0)]
)
def test_series_ends_by_number_and_duration_but_never_above_the_most(
    monkeypatch: pytest.MonkeyPatch, minimum: int, seconds: float, maximum: int, number: int
) -> None:
    assert len(timed_series(SteadyModel(monkeypatch), FEEDS, 1, minimum, seconds, maximum).samples) == number


@pytest.mark.parametrize(
    ("machine", "bits", "number"),
    [("aarch64", 64, 241), ("x86_64", 64, 298), ("armv7l", 32, 364), ("aarch64", 32, 364), ("sparc", 64, None)],
)
def test_syscall_number_follows_machine_and_width(machine: str, bits: int, number: int | None) -> None:
    assert syscall_number(machine, bits) == number


def fake_proc(folder: Path, peak_kib: int) -> None:
    (folder / "status").write_text(f"Name:\tx\nVmHWM:\t  {peak_kib} kB\n")


def test_peak_without_reset_tells_only_phases_that_rose(tmp_path: Path) -> None:
    (tmp_path / "clear_refs").mkdir()  # cannot be written, as on a kernel without it
    peak = PeakMemory(tmp_path)
    seen: list[int | None] = []
    for peak_kib in (100, 300, 300, 400):
        fake_proc(tmp_path, peak_kib)
        seen.append(peak.phase_bytes())
        peak.phase_begins()
    assert not peak.resets
    assert peak.refused == "Is a directory"
    assert seen == [102_400, 307_200, None, 409_600]


def test_peak_of_this_process_falls_after_a_reset() -> None:
    peak = PeakMemory()
    assert peak.resets, "the kernel has no clear_refs"
    held: bytearray | None = bytearray(64 * 2**20)
    with_block = peak.phase_bytes()
    held = None
    peak.phase_begins()
    without_block = peak.phase_bytes()
    assert held is None
    assert with_block is not None
    assert without_block is not None
    assert with_block - without_block > 48 * 2**20


def test_resident_split_is_missing_where_the_kernel_has_no_rollup(tmp_path: Path) -> None:
    assert set(resident_split(tmp_path).values()) == {None}


def board_tree(root: Path) -> Path:
    files = {
        "proc/loadavg": "0.50 0.40 0.30 2/113 999",
        "proc/stat": "cpu  1 2 3 4 5 6 7 88 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0",
        "proc/vmstat": "nr_free_pages 1\npswpin 4\npswpout 5\noom_kill 3",
        "proc/meminfo": "MemTotal: 1000 kB\nMemAvailable:    400 kB\nSwapTotal: 70 kB\nSwapFree:    60 kB",
        "sys/class/thermal/thermal_zone0/temp": "48312",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone1/temp": "broken",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "2",
        "sys/devices/system/cpu/online": "0-1,10",
        "sys/devices/system/cpu/cpufreq/boost": "1",
        "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0",
        "sys/class/thermal/cooling_device0/cur_state": "3",
        "sys/class/thermal/cooling_device1/type": "pwm-fan",
        "sys/class/thermal/cooling_device1/cur_state": "4",
        "sys/class/hwmon/hwmon2/oc1_event_cnt": "6",
        "sys/class/hwmon/hwmon2/oc3_event_cnt": "0",
        "var/lib/nvpmodel/status": "pmode:0002 fmode:fanNull",
    }
    for number in (0, 1, 10):
        files[f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq"] = str(1_000_000 + number)
        files[f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor"] = "ondemand"
        files[f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_min_freq"] = "600000"
        files[f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_max_freq"] = "1800000"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_state_is_read_from_proc_and_sys(tmp_path: Path) -> None:
    state = read_state(board_tree(tmp_path))
    clock = state.pop("clock")
    assert state == {
        "loadavg": [0.5, 0.4, 0.3],
        "runnable": 2,
        "steal_ticks": 88,
        "busy_ticks": 1 + 2 + 3 + 6 + 7,
        "oom_kills": 3,
        "available_bytes": 400 * 1024,
        "swap_used_bytes": 10 * 1024,
        "swapped_pages": 9,
        "temperature_c": {"thermal_zone0:cpu-thermal": 48.312},
        "cpu_freq_khz": [1_000_000, 1_000_001, 1_000_010],
        "cpu_freq_min_khz": [600_000] * 3,
        "cpu_freq_max_khz": [1_800_000] * 3,
        "governor": ["ondemand"] * 3,
        "boost": 1,
        "online": "0-1,10",
        "cooling": {"cooling_device0:cpufreq-cpu0": 3},
        "pi_throttled": 0x50005,
        "thermal_throttles": 2,
        "over_current_events": {"oc1_event_cnt": 6, "oc3_event_cnt": 0},
        "power_mode": "0002",
    }
    assert clock["monotonic_ns"] > clock["own_cpu_ns"] > 0


def test_state_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    state = read_state(tmp_path)
    del state["clock"]  # is of this process
    assert set(state.values()) == {None}


def test_profile_names_operators_that_fell_back() -> None:
    def node(name: str, provider: str, op: str) -> dict[str, Any]:
        return {"cat": "Node", "name": f"{name}_kernel_time", "args": {"provider": provider, "op_name": op}}

    events = [node("a", "CUDA", "Conv"), node("a", "CUDA", "Conv"), node("b", "CPU", "NonMaxSuppression")]
    events.append({"cat": "Session", "name": "model_run", "args": {}})
    assert read_profile(json.dumps(events), ["CUDA", "CPU"]) == {
        "nodes_by_provider": {"CUDA": 1, "CPU": 1},
        "ops": {"Conv": 1, "NonMaxSuppression": 1},
        "fell_back": {"NonMaxSuppression": 1},
    }


def test_late_expiry_does_not_end_the_next_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from hilbench.targets.agent.interrupts import Interrupts\n"
        "folder = Path(sys.argv[1]); interrupts = Interrupts(folder); seen = []\n"
        "for wanted, done in ((4, 4), (4, 5), (5, 5)):\n"
        "    (folder / 'expire').write_text(str(wanted)); interrupts.done = done\n"
        "    os.kill(os.getpid(), signal.SIGUSR1); seen.append(interrupts.take_expiry())\n"
        "print(seen)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, False, True]"


def test_agent_is_the_same_bytes_each_time() -> None:
    first = build_agent()
    build_agent.cache_clear()
    assert build_agent() == first


def test_agent_file_holds_its_sources_and_starts_with_a_shebang(tmp_path: Path) -> None:
    path = agent_file(tmp_path)
    assert path.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert names == {"__main__.py", *(f"hilbench_agent/{source.name}" for source in AGENT_SOURCES.glob("*.py"))}


@pytest.mark.parametrize("source", sorted(AGENT_SOURCES.glob("*.py")), ids=lambda path: path.name)
def test_agent_needs_python_3_10_and_its_standard_library_only(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=OLDEST_PYTHON)
    at_start = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in at_start:
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif node.level == 0:
            assert (node.module or "").split(".")[0] in sys.stdlib_module_names
    newer = {"tomllib", "StrEnum", "UTC", "Self", "TaskGroup", "ExceptionGroup", "batched"}  # since 3.11 and 3.12
    assert newer.isdisjoint(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def test_interpreter_that_is_too_old_is_told_so_before_anything_is_imported(tmp_path: Path) -> None:
    program = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv[1], run_name='__main__')"
    argv = [sys.executable, "-c", program, agent_file(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "hilbench needs Python 3.10 or newer on the board; this one is 3.9\n"
    failure = explain_exit(1, phase="before it began", oom_kills=None, last_words=done.stderr)
    assert (failure.outcome, failure.reason) == ("unsupported", done.stderr.strip())


@pytest.mark.parametrize("words", [(), ("dance",), ("start",), ("expire", "x")])
def test_wrong_command_line_is_one_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = agent(agent_file(tmp_path), *words)
    assert done.returncode == 2
    assert done.stderr == "usage: agent start|run|status|stop JOBDIR | expire JOBDIR DONE\n"


def test_start_without_a_job_is_one_sentence(tmp_path: Path) -> None:
    done = agent(agent_file(tmp_path), "start", str(tmp_path))
    assert done.returncode == 2
    assert "job.json" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_bytes_that_ran_are_named_even_when_the_file_is_exchanged_between_processes(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"first")
    assert model_sha256(str(model)) == hashlib.sha256(b"first").hexdigest()
    model.write_bytes(b"second")
    assert model_sha256(str(model)) == hashlib.sha256(b"second").hexdigest()
    model.unlink()
    assert model_sha256(str(model)) is None
