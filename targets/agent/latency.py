"""The latency process: load, first inference, warm-up and steady samples, each apart, in nanoseconds."""

from __future__ import annotations

import gc
import math
import os
import resource
import statistics
import time
from array import array
from itertools import repeat
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .arrays import encode_int64
from .pacing import Timed, paced_series
from .phase import enter_phase
from .power_marks import between_idle
from .runtimes import LoadedModel
from .tasks import Task, elapsed_ns, feeds, first_inference, guarded, load, read_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLOCK_STEPS_PER_SAMPLE = 1000  # so that the clock's own step is at most 0.1 % of a sample
_CLOCK_READS = 200
_MOST_LOOP_K = 10_000


def measure_latency(task: Task, module: ModuleType) -> dict[str, Any]:
    """Time one fresh process by `CLOCK_MONOTONIC`, around the runtime's own call only.

    Returns `load_ns`, `first_ns`, `loop_k`, `warmup` and `samples` (Arrays; samples are already divided by loop_k) and
    `used`; of a metered cell also `marks_ns` and `inferences` (see power_marks). Setting the next input and all
    bookkeeping lie between the windows; the garbage collector is off.
    """
    path = str(task.cell["timing"])
    arrays = read_inputs(path)
    load_ns, model = _timed_load(task, module)
    samples = feeds(arrays, model, path)
    first_ns, _ = guarded(lambda: elapsed_ns(first_inference(model, samples[0])), "in its first inference")
    gc.collect()
    gc.freeze()
    gc.disable()
    enter_phase("warmup")
    warmup = guarded(
        lambda: timed_series(model, samples, 1, task.warmup_iterations, task.warmup_seconds, task.max_iterations),
        "while it warmed up",
    ).samples
    loop_k = 1 if task.rate_hz else task.loop_k or choose_loop_k(warmup[len(warmup) // 2 :], clock_step_ns())
    enter_phase("steady")
    before = resource.getrusage(resource.RUSAGE_SELF)
    steady, window = guarded(lambda: _steady_window(task, model, samples, loop_k), "in its steady inferences")
    after = resource.getrusage(resource.RUSAGE_SELF)
    gc.enable()
    return {
        "load_ns": load_ns,
        "first_ns": first_ns,
        "loop_k": loop_k,
        "warmup": encode_int64(warmup),
        "samples": encode_int64(steady.samples),
        **window,
        "used": {
            **model.used(),
            "import_ns": task.import_ns,
            "distinct_inputs": len(samples),
            "longest_pause_ns": steady.longest_pause_ns,
            **_rate_facts(task, steady),
            "voluntary_switches": after.ru_nvcsw - before.ru_nvcsw,
            "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
            "affinity": sorted(os.sched_getaffinity(0)),
            "major_faults": after.ru_majflt - before.ru_majflt,
        },
    }


def _steady_window(
    task: Task, model: LoadedModel, inputs: list[dict[str, NDArray[Any]]], loop_k: int
) -> tuple[Timed, dict[str, Any]]:
    """The steady series, between idle windows where power is measured: then with their marks, if this cell is metered.

    A twin that is not metered has the same windows: what differs between the two is the meter alone.
    """
    if not task.idle_s:
        return _steady_series(task, model, inputs, loop_k), {}
    series: list[Timed] = []

    def work() -> int:
        until = time.perf_counter_ns() + int(task.active_s * 1e9)
        series.append(_steady_series(task, model, inputs, loop_k))
        return len(series[0].samples) * loop_k + _run_on(model, inputs, until)

    marks = between_idle(work, task.idle_s)
    return series[0], marks if task.cell.get("power") else {}


def _run_on(model: LoadedModel, inputs: list[dict[str, NDArray[Any]]], until_ns: int) -> int:
    """Further inferences, not timed one by one, until the meter has seen enough; returns how many."""
    clock, bind, distinct, done = time.perf_counter_ns, model.bind, len(inputs), 0
    while clock() < until_ns:
        bind(inputs[done % distinct])()
        done += 1
    return done


def _steady_series(task: Task, model: LoadedModel, inputs: list[dict[str, NDArray[Any]]], loop_k: int) -> Timed:
    if task.rate_hz:
        seconds = max(task.min_seconds, task.active_s)  # inferences at another rate would draw another power
        return paced_series(model, inputs, task.rate_hz, task.iterations, seconds, task.max_iterations)
    return timed_series(model, inputs, loop_k, task.iterations, task.min_seconds, task.max_iterations)


def _rate_facts(task: Task, steady: Timed) -> dict[str, Any]:
    if not task.rate_hz:
        return {}
    return {"rate_hz": task.rate_hz, "period_ns": round(1e9 / task.rate_hz), "late_starts": steady.late_starts}


def choose_loop_k(warmup_ns: array[int], step_ns: int) -> int:
    """Inferences per sample so that a sample is at least 1000 steps of the clock; 1 without warm-up samples."""
    if not warmup_ns:
        return 1
    median_ns = max(1.0, statistics.median(warmup_ns))
    return min(_MOST_LOOP_K, max(1, math.ceil(_CLOCK_STEPS_PER_SAMPLE * step_ns / median_ns)))


def clock_step_ns() -> int:
    """The smallest non-zero step seen between two reads of the clock: its resolution and its cost together."""
    steps: list[int] = []
    for _ in range(_CLOCK_READS):
        before = time.perf_counter_ns()
        after = time.perf_counter_ns()
        if after > before:
            steps.append(after - before)
    return min(steps, default=1)


def _timed_load(task: Task, module: ModuleType) -> tuple[int, LoadedModel]:
    start = time.perf_counter_ns()
    model = load(task, module)
    return time.perf_counter_ns() - start, model


def timed_series(
    model: LoadedModel,
    inputs: list[dict[str, NDArray[Any]]],
    loop_k: int,
    minimum: int,
    seconds: float,
    maximum: int,
) -> Timed:
    """Samples until both `minimum` and `seconds` are reached, at most `maximum`; inputs in turn, storage in advance."""
    clock, bind, distinct = time.perf_counter_ns, model.bind, len(inputs)
    samples = array("q", bytes(8 * maximum))
    end = clock()
    until = end + int(seconds * 1e9)
    done = longest_pause_ns = 0
    while done < maximum and (done < minimum or clock() < until):
        begun = end
        call = bind(inputs[done % distinct])
        if loop_k == 1:
            start = clock()
            call()
            end = clock()
        else:
            start = clock()
            for _ in repeat(None, loop_k):
                call()
            end = clock()
        samples[done] = end - start
        if start - begun > longest_pause_ns:
            longest_pause_ns = start - begun
        done += 1
    del samples[done:]
    if loop_k > 1:
        samples = array("q", (round(sample / loop_k) for sample in samples))
    return Timed(samples=samples, longest_pause_ns=longest_pause_ns)
