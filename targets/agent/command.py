"""A program on the board in place of a runtime: started once for each process of its cell, it prints JSON samples.

Its output goes to a file that is read when it has ended: a pipe would wake this process while the program times.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .arrays import encode_int64, encode_ndarray
from .cgroup import PeakGroup
from .command_output import Printed, check_against_clock, read_output
from .failures import ERROR, UNSUPPORTED, CellFailure, explain_exit, one_sentence
from .inputs import read_arrays
from .job import COMMAND_PLACES
from .phase import PHASE, enter_phase, phase_clause
from .state import read_oom_kills
from .tasks import Task

_OUTPUT, _ERRORS, _RESULTS = "command.out", "command.err", "command-outputs.npz"
_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 4096
_NO_PHASES = "a program as runtime is seen from outside: its phases cannot be told apart"
_NOT_TOLD = "a program as runtime runs its inferences itself: what one of them does cannot be told"


def run_command_task(task: Task) -> dict[str, Any]:
    """Do a task of a cell with a `command`; answers as the module of that kind does. Raises CellFailure."""
    if task.emulated:
        raise CellFailure(UNSUPPORTED, "a program as runtime gives times, and an emulated board has none")
    if task.kind == "check":
        return _check(task)
    if task.kind == "memory":
        return _memory(task)
    if task.kind == "latency":
        return _latency(task)
    if task.kind == "sustained":
        raise CellFailure(UNSUPPORTED, "a program as runtime runs its inferences itself, so it has no sustained run")
    nothing = {"unavailable": {"time" if task.kind == "profile" else "instructions": _NOT_TOLD}}
    if task.kind == "profile":
        return {"profile": {"unit": None, "source": None, "iterations": 0, **nothing}, "used": _used(task, None)}
    return {"counters": {"iterations": task.iterations, **nothing}, "used": _used(task, None)}


def fill(command: tuple[str, ...], values: Mapping[str, object]) -> list[str]:
    """The words of a command with its places filled. Raises CellFailure for a place that does not exist."""

    def value(found: re.Match[str]) -> str:
        if found.group(1) not in values:
            allowed = ", ".join(f"{{{name}}}" for name in COMMAND_PLACES)
            raise CellFailure(ERROR, f"the command has the place {found.group(0)}; allowed: {allowed}")
        return str(values[found.group(1)])

    return [re.sub(r"\{([a-z_]+)\}", value, word) for word in command]


def _latency(task: Task) -> dict[str, Any]:
    printed, ran_ns = _measured(task)
    return {
        "load_ns": printed.load_ns,
        "first_ns": printed.first_ns,
        "loop_k": printed.loop_k,
        "warmup": encode_int64(printed.warmup),
        "samples": encode_int64(printed.samples),
        "used": {**_used(task, printed), "process_ns": ran_ns},
    }


def _memory(task: Task) -> dict[str, Any]:
    """The peak of the program with all its processes, by a cgroup of their own; there is no other way that is exact."""
    group = PeakGroup()
    group.enter()
    try:
        printed, _ = _measured(task)
        peak_bytes = group.peak_bytes()
    finally:
        group.leave()
    unavailable = {"steady_peak_bytes": _NO_PHASES, "pss_bytes": _NO_PHASES}
    if peak_bytes is None:
        unavailable["cgroup_peak_bytes"] = group.reason or "memory.peak could not be read"
    memory = {"cgroup_peak_bytes": peak_bytes, "method": "cgroup", "unavailable": unavailable}
    return {"memory": memory, "used": _used(task, printed)}


def _check(task: Task) -> dict[str, Any]:
    accuracy = task.cell["accuracy"]
    golden, printed = _outputs(task, str(task.cell["golden"]))
    return {
        "golden": golden,
        "accuracy": None if accuracy is None else _outputs(task, str(accuracy))[0],
        "used": _used(task, printed),
    }


def _outputs(task: Task, inputs: str) -> tuple[dict[str, Any], Printed | None]:
    """The arrays that the program writes for these inputs; here it may print no samples."""
    results = Path(_RESULTS)
    results.unlink(missing_ok=True)
    _run(task, inputs, iterations=1, warmup=0)
    if not results.exists():
        raise CellFailure(ERROR, "the program ended well, but wrote no file {outputs}")
    try:
        arrays = {name: encode_ndarray(values) for name, values in read_arrays(_RESULTS).items()}
    except ValueError as error:
        raise CellFailure(ERROR, f"the program's outputs cannot be read: {error}") from error
    results.unlink()
    with suppress(CellFailure):
        return arrays, _printed()
    return arrays, None


def _measured(task: Task) -> tuple[Printed, int]:
    iterations = min(task.max_iterations, task.iterations)
    ran_ns = _run(task, str(task.cell["timing"]), iterations=iterations, warmup=task.warmup_iterations)
    printed = _printed()
    check_against_clock(printed, ran_ns)
    return printed, ran_ns


def _printed() -> Printed:
    with Path(_OUTPUT).open(encoding="utf-8", errors="replace") as lines:
        return read_output(lines)


def _run(task: Task, inputs: str, *, iterations: int, warmup: int) -> int:
    """Run the program to its end; how long it took in ns. Raises CellFailure for every other end."""
    values = {
        "model": task.cell["model"],
        "iterations": iterations,
        "warmup": warmup,
        "seconds": f"{task.min_seconds:g}",
        "threads": task.cell["threads"],
        "inputs": inputs,
        "outputs": Path(_RESULTS).resolve(),
    }
    argv = fill(tuple(task.cell["command"]), values)
    enter_phase("program")
    prctl, before = ctypes.CDLL(None).prctl, read_oom_kills()
    started = time.perf_counter_ns()
    try:
        with Path(_OUTPUT).open("wb") as output, Path(_ERRORS).open("wb") as errors:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                check=False,
                # It ends with this process, which the agent may have to kill; safe: this process has one thread.
                preexec_fn=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
            )
    except OSError as error:
        raise CellFailure(UNSUPPORTED, f"the program {argv[0]} cannot be started: {error.strerror}") from error
    ran_ns = time.perf_counter_ns() - started
    if done.returncode != 0:
        raise _failed(argv[0], done.returncode, before)
    return ran_ns


def _failed(program: str, status: int, oom_before: int | None) -> CellFailure:
    words = _last_words(Path(_ERRORS)) or _last_words(Path(_OUTPUT))
    if status > 0:
        said = f": {one_sentence(words)}" if words else ""
        return CellFailure(ERROR, f"the program {Path(program).name} ended with status {status}{said}")
    now = read_oom_kills()
    grown = None if now is None or oom_before is None else now - oom_before
    return explain_exit(status, phase=phase_clause(Path(PHASE)), oom_kills=grown, last_words=words)


def _last_words(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def _used(task: Task, printed: Printed | None) -> dict[str, Any]:
    return {
        "runtime_version": None if printed is None else printed.version,
        "threads": task.cell["threads"],
        "program": task.cell["command"][0],
    }
