"""The profile process: what each operator costs, by the runtime's own profiler. Its figures are no latency.

A profiler makes inferences slower, so this process times nothing else and its totals are only compared among
themselves. On an emulated board its microseconds are no time either: the emulator's clock runs one nanosecond an
instruction (`-icount shift=0`), so they are thousands of instructions, user and kernel mode together. That is checked
against the PMU, and not believed where the two disagree.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .counters import PMU, Counter, open_counter
from .phase import enter_phase
from .runtimes import LoadedModel
from .tasks import Task, feeds, first_inference, guarded, load, read_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROFILE_ITERATIONS = 20
_WARMUP = 3
# How far the clock may be from the PMU, which leaves the kernel out: a third in very short inferences.
_CLOCK_RATIO = (0.9, 1.5)


def profile_operators(task: Task, module: ModuleType) -> dict[str, Any]:
    """Profile `iterations` inferences, at most 20, after the warm-up.

    Returns `profile` with the fields of OperatorProfile (`unit` is `ns`, or `instructions` on an emulated board, None
    where the runtime gives no costs; `unavailable` says why) and `used`.
    """
    path = str(task.cell["timing"])
    arrays = read_inputs(path)
    counter = open_counter(int(task.cell["threads"])) if task.emulated else None
    model = load(task, module, profile=True)
    samples = feeds(arrays, model, path)
    iterations = min(task.iterations, PROFILE_ITERATIONS)
    guarded(first_inference(model, samples[0]), "in its first inference")
    enter_phase("warmup")
    guarded(lambda: _run(model, samples, _WARMUP), "while it warmed up")
    enter_phase("steady")
    ratio = guarded(lambda: _clock_ratio(counter, model, samples, iterations), "in its steady inferences")
    costs = guarded(lambda: model.operator_costs(1 + _WARMUP), "while its profile was read")
    return {"profile": _in_unit(costs, counter, ratio), "used": model.used()}


def _run(model: LoadedModel, samples: list[dict[str, NDArray[Any]]], number: int) -> None:
    for index in range(number):
        model.bind(samples[index % len(samples)])()


def _clock_ratio(
    counter: Counter | None, model: LoadedModel, samples: list[dict[str, NDArray[Any]]], number: int
) -> float | None:
    """Run `number` inferences; the clock's nanoseconds per instruction of the PMU, None where there is no PMU."""
    if counter is None or counter.source != PMU:
        _run(model, samples, number)
        return None
    clock, counted = time.perf_counter_ns(), counter.read()
    _run(model, samples, number)
    instructions = counter.difference(counted, counter.read())
    return (time.perf_counter_ns() - clock) / max(1, instructions)


def _in_unit(costs: dict[str, Any], counter: Counter | None, ratio: float | None) -> dict[str, Any]:
    """The costs with their unit, or without figures where they would be neither time nor instructions."""
    if "inferences_total" not in costs:
        return {"unit": None, "source": None, **costs}
    if counter is None:
        return {"unit": "ns", "source": "onnxruntime profiler", **costs}
    if ratio is not None and not _CLOCK_RATIO[0] <= ratio <= _CLOCK_RATIO[1]:
        why = f"this board's clock runs {ratio:.2f} ns an instruction, so a profiler's time does not count instructions"
        return {"unit": None, "source": None, **without_totals(costs), "unavailable": {"instructions": why}}
    return {"unit": "instructions", "source": "onnxruntime profiler, virtual-clock", **costs}


def without_totals(value: Any) -> Any:
    """The same costs with None in place of every total."""
    if isinstance(value, dict):
        return {k: None if k in ("total", "inferences_total") else without_totals(v) for k, v in value.items()}
    return [without_totals(one) for one in value] if isinstance(value, list) else value
