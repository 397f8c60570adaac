"""The sustained run: inferences without a break from a cold start until temperature and latency stay, or a limit.

Between two windows, in no timed one, the board's temperature and frequency are read. What ranks a board that throttles
is the figure of the last windows; the first one is what a user sees who runs a single inference now and then.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .arrays import encode_int64
from .latency import timed_series
from .phase import enter_phase
from .runtimes import LoadedModel
from .state import read_state
from .tasks import Task, elapsed_ns, feeds, first_inference, guarded, load, read_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN = 6  # windows that must agree
LEAST_S = 60.0
LEAST_INFERENCES = 1024
WARMER_C = 1.0
SLOWER = 0.01
_P95_LEAST = 130  # samples for a 99 % bound of the 95th percentile
_MOST_PER_WINDOW = 20_000
_NO_ZONE = "this board tells no temperature, so only the latency was looked at"
_NO_FREQUENCY = "this board tells no frequency"


def run_sustained(task: Task, module: ModuleType) -> dict[str, Any]:
    """Run until steady. Returns `load_ns`, `first_ns`, `samples` (of the last windows), `sustained` and `used`."""
    path = str(task.cell["timing"])
    arrays = read_inputs(path)
    load_ns, loaded = elapsed_ns(lambda: load(task, module))
    model: Any = loaded
    samples = feeds(arrays, model, path)
    first_ns, _ = guarded(lambda: elapsed_ns(first_inference(model, samples[0])), "in its first inference")
    gc.collect()
    gc.freeze()
    gc.disable()
    enter_phase("steady")
    windows, timed, ended = guarded(lambda: _windows(task, model, samples), "in its steady inferences")
    last = array("q")
    for series in timed:
        last.extend(series)
    return {
        "load_ns": load_ns,
        "first_ns": first_ns,
        "samples": encode_int64(last),
        "sustained": {"ended": ended, "windows": windows, "unavailable": _unavailable(windows)},
        "used": {**model.used(), "distinct_inputs": len(samples), "affinity": sorted(os.sched_getaffinity(0))},
    }


def is_steady(windows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last windows agree: within a degree, and their halves' latency within a hundredth.

    Not before a minute and 1024 inferences, so that one stretch that happens to be even ends nothing.
    """
    span = windows[-SPAN:]
    lasted_s = windows[-1]["start_s"] if windows else 0.0
    inferences = sum(window["inferences"] for window in windows)
    if len(span) < SPAN or lasted_s < LEAST_S or inferences < LEAST_INFERENCES:
        return False
    temperatures = [window["temperature_c"] for window in span if window["temperature_c"] is not None]
    if temperatures and max(temperatures) - min(temperatures) > WARMER_C:
        return False
    medians = [window["median_ns"] for window in span]
    early, late = statistics.mean(medians[: SPAN // 2]), statistics.mean(medians[SPAN // 2 :])
    return abs(late / early - 1) <= SLOWER


def _windows(
    task: Task, model: LoadedModel, inputs: list[dict[str, NDArray[Any]]]
) -> tuple[list[dict[str, Any]], list[array[int]], str]:
    """The windows, the samples of the last ones, and how it ended."""
    windows: list[dict[str, Any]] = []
    timed: list[array[int]] = []
    began = time.perf_counter_ns()
    while True:
        start_s = (time.perf_counter_ns() - began) / 1e9
        series = timed_series(model, inputs, 1, 1, task.sustained_window_s, _MOST_PER_WINDOW).samples
        timed = [*timed[1 - SPAN :], series]
        windows.append(_window(start_s, series, read_state(Path(task.root))))
        if is_steady(windows):
            return windows, timed, "steady"
        if start_s + 2 * task.sustained_window_s > task.sustained_limit_s:
            return windows, timed, "limit"


def _window(start_s: float, series: array[int], state: Mapping[str, Any]) -> dict[str, Any]:
    zones, frequencies = state["temperature_c"], state["cpu_freq_khz"]
    ordered = sorted(series)
    return {
        "start_s": round(start_s, 3),
        "inferences": len(series),
        "median_ns": round(statistics.median(ordered)),
        "p95_ns": ordered[-(-95 * len(ordered) // 100) - 1] if len(ordered) >= _P95_LEAST else None,
        "temperature_c": max(zones.values()) if zones else None,
        "freq_khz": min(frequencies) if frequencies else None,
    }


def _unavailable(windows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    reasons = {"temperature_c": _NO_ZONE, "freq_khz": _NO_FREQUENCY}
    return {name: why for name, why in reasons.items() if all(window[name] is None for window in windows)}
