"""The processes that touch a model: a fresh one for one task, or a clean importer that forks a child per task.

Both answer on a pipe of their own, one JSON line a message, since runtimes print to stdout and stderr as they like:
`{"answer": {…}}` or `{"failed": outcome, "reason": sentence}` for a task. An importer first says `{"ready": import_ns}`
or why it cannot, and after each task `{"exit": status}` of the child, negative for a signal.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from types import ModuleType
from typing import Any

from .failures import ERROR, MEMORY_EXHAUSTED, CellFailure, one_sentence
from .phase import enter_phase
from .runtimes import import_runtime
from .tasks import Task

_PR_SET_PDEATHSIG = 1


def run_worker(answer_fd: int, parent_pid: int) -> int:
    """Do the one task on stdin in this process."""
    _die_with_parent(parent_pid)
    task = json.loads(sys.stdin.buffer.readline())
    _send(answer_fd, attempt(task, None))
    return 0


def run_importer(answer_fd: int, parent_pid: int, runtime: str) -> int:
    """Import the runtime once, then fork a child for each task line until stdin ends. Never runs a model itself."""
    _die_with_parent(parent_pid)
    try:
        import_ns, module = _timed_import(runtime)
    except CellFailure as failure:
        _send(answer_fd, {"failed": failure.outcome, "reason": failure.reason})
        return 0
    _import_all()
    _send(answer_fd, {"ready": import_ns})
    while line := _read_line():
        _send(answer_fd, {"exit": _fork(answer_fd, line, module)})
    return 0


def attempt(task: dict[str, Any], module: ModuleType | None) -> dict[str, Any]:
    """Do a task; whatever goes wrong in it becomes this cell's outcome, and no other's."""
    try:
        return {"answer": _perform(task, module)}
    except CellFailure as failure:
        return {"failed": failure.outcome, "reason": failure.reason}
    except MemoryError:
        return {"failed": ERROR, "reason": MEMORY_EXHAUSTED}
    except Exception as error:  # noqa: BLE001  the documented per-cell boundary
        return {"failed": ERROR, "reason": f"{type(error).__name__}: {one_sentence(str(error))}"}


def _perform(raw: dict[str, Any], module: ModuleType | None) -> dict[str, Any]:
    if raw["cell"].get("command") is not None:
        from .command import run_command_task

        return run_command_task(Task(**raw))
    if module is None:
        raw["import_ns"], module = _timed_import(raw["cell"]["runtime"])
    if raw["cell"].get("offline_graph"):
        from .offline_graph import with_offline_graph

        raw["cell"] = with_offline_graph(module, raw["cell"])
    task = Task(**raw)
    # Each kind imports only what it needs: a small board compiles this file's modules anew in every process.
    if task.kind == "check":
        from .check import check_outputs

        return check_outputs(task, module)
    if task.kind == "memory":
        from .memory import measure_memory

        return measure_memory(task, module)
    if task.kind == "latency":
        from .latency import measure_latency

        return measure_latency(task, module)
    if task.kind == "sustained":
        from .sustained import run_sustained

        return run_sustained(task, module)
    if task.kind == "counters":
        from .pmu import measure_counters

        return measure_counters(task, module)
    if task.kind == "profile":
        from .profile import profile_operators

        return profile_operators(task, module)
    from .count import count_instructions

    return count_instructions(task, module)


def _import_all() -> None:
    """All that a child needs, so that it is imported once and children do their own work only."""
    import zipfile  # numpy reads its archives with it

    from . import (
        cgroup,
        check,
        count,
        memory,
        offline_graph,
        perf_event,
        pmu,
        profile,
        runtime_onnx,
        runtime_tflite,
        trace_onnx,
    )

    _ = (zipfile, cgroup, check, count, memory, offline_graph, perf_event, pmu, profile)
    _ = (runtime_onnx, runtime_tflite, trace_onnx)


def _timed_import(runtime: str) -> tuple[int, ModuleType]:
    enter_phase("import")
    start = time.perf_counter_ns()
    module = import_runtime(runtime)
    return time.perf_counter_ns() - start, module


def _fork(answer_fd: int, line: bytes, module: ModuleType) -> int:
    """Fork a child for the raw task line, which the importer leaves unparsed to stay as it was after the import."""
    parent_pid = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _die_with_parent(parent_pid)
            _send(answer_fd, attempt(json.loads(line), module))
            status = 0
        finally:
            os._exit(status)  # nothing of the importer may run its exit handlers twice
    _, wait_status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(wait_status)


def _die_with_parent(parent_pid: int) -> None:
    """Have the kernel end this process when its parent ends (prctl(2)): a killed agent leaves nothing busy."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def _read_line() -> bytes:
    """One line from stdin without a buffer that a forked child would share; the agent never sends two at once."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return b""
        line += piece
    return line


def _send(fd: int, message: dict[str, Any]) -> None:
    view = memoryview(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    while view:
        view = view[os.write(fd, view) :]
