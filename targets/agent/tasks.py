"""What a worker process is asked to do, and the steps that its kinds of task share: inputs, load, first inference."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from .failures import CellFailure
from .inputs import match_inputs, read_arrays
from .phase import enter_phase
from .refusals import translate
from .runtimes import LoadedModel, load_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

Result = TypeVar("Result")

_PROFILE = "profile"  # in the job's folder, where workers run


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One process's work. `cell` has the fields of a JobCell; the budgets are those of the Job.

    With `idle_s` above 0 a latency process sleeps that long before and after its inferences, which then go on for
    `active_s`, timed or not: the windows of an energy figure.
    """

    kind: str
    cell: Mapping[str, Any]
    loop_k: int | None
    warmup_iterations: int
    warmup_seconds: float
    iterations: int
    min_seconds: float
    max_iterations: int
    emulated: bool = False
    rate_hz: float | None = None
    sustained_window_s: float = 5.0
    sustained_limit_s: float = 600.0
    root: str = "/"
    idle_s: float = 0.0
    active_s: float = 0.0
    import_ns: int | None = None


def read_inputs(path: str) -> Arrays:
    """The arrays of an input file, not yet matched to the model."""
    enter_phase("inputs")
    return read_arrays(path)


def load(task: Task, module: ModuleType, *, profile: bool = False) -> LoadedModel:
    """Load the cell's model; a refusal becomes a CellFailure."""
    enter_phase("load")
    prefix = _PROFILE if profile else None
    return guarded(lambda: load_model(module, task.cell, prefix), "while it loaded the model")


def feeds(arrays: Arrays, model: LoadedModel, path: str) -> list[Arrays]:
    """One dict of inputs per sample, as the model wants them."""
    return match_inputs(arrays, model.inputs, path)


def first_inference(model: LoadedModel, sample: Arrays) -> Callable[[], object]:
    """Bind the first sample; the caller makes (and times) the call through `guarded`."""
    enter_phase("first")
    return guarded(lambda: model.bind(sample), "while its inputs were set")


def guarded(call: Callable[[], Result], doing: str) -> Result:
    """Call into a runtime; what it raises becomes a CellFailure with one sentence."""
    try:
        return call()
    except CellFailure:
        raise
    except Exception as error:  # runtimes raise bare subclasses of Exception
        raise translate(error, doing) from error


def elapsed_ns(call: Callable[[], object]) -> tuple[int, object]:
    """Time one call by the monotonic clock, with what it returned."""
    start = time.perf_counter_ns()
    returned = call()
    return time.perf_counter_ns() - start, returned
