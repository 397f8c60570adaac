"""The count process of an emulated board: user-mode instructions of load, first, warm-up and steady inferences."""

from __future__ import annotations

import gc
import statistics
from array import array
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from .arrays import encode_int64
from .counters import Counter, open_counter
from .phase import enter_phase
from .runtimes import LoadedModel
from .tasks import Task, feeds, first_inference, guarded, load, read_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EMPTY_WINDOWS = 20

Result = TypeVar("Result")


def count_instructions(task: Task, module: ModuleType) -> dict[str, Any]:
    """Count one forked child of a clean importer. Nothing here is a time: `load_ns` and `first_ns` stay None.

    Returns `warmup` and `samples` (Arrays, instructions per inference), `counter_source`, and in `used` also
    `load_instructions`, `first_instructions` and `empty_window_instructions`: what a window counts around nothing, the
    same for every cell and not subtracted.
    """
    path = str(task.cell["timing"])
    arrays = read_inputs(path)
    counter = open_counter(int(task.cell["threads"]))
    gc.collect()
    gc.disable()
    load_count, model = _window(counter, lambda: load(task, module))
    samples = feeds(arrays, model, path)
    first_call = first_inference(model, samples[0])
    first_count, _ = guarded(lambda: _window(counter, first_call), "in its first inference")
    enter_phase("warmup")
    warmup = guarded(lambda: _series(counter, model, samples, task.warmup_iterations), "while it warmed up")
    enter_phase("steady")
    steady = guarded(lambda: _series(counter, model, samples, task.iterations), "in its steady inferences")
    return {
        "load_ns": None,
        "first_ns": None,
        "loop_k": 1,
        "warmup": encode_int64(warmup),
        "samples": encode_int64(steady),
        "counter_source": counter.source,
        "used": {
            **model.used(),
            "distinct_inputs": len(samples),
            "load_instructions": load_count,
            "first_instructions": first_count,
            "empty_window_instructions": _empty_window(counter),
        },
    }


def _window(counter: Counter, call: Callable[[], Result]) -> tuple[int, Result]:
    before = counter.read()
    result = call()
    after = counter.read()
    return counter.difference(before, after), result


def _empty_window(counter: Counter) -> int:
    return round(statistics.median(_window(counter, _nothing)[0] for _ in range(_EMPTY_WINDOWS)))


def _nothing() -> None:
    return None


def _series(counter: Counter, model: LoadedModel, inputs: list[dict[str, NDArray[Any]]], number: int) -> array[int]:
    """Counts of `number` inferences, inputs in turn; reads are kept raw and decoded afterwards."""
    read, bind, distinct = counter.read, model.bind, len(inputs)
    befores: list[object] = [None] * number
    afters: list[object] = [None] * number
    for index in range(number):
        call = bind(inputs[index % distinct])
        befores[index] = read()
        call()
        afters[index] = read()
    return array("q", (counter.difference(a, b) for a, b in zip(befores, afters, strict=True)))
