"""The check process: raw outputs on the golden and accuracy inputs, and an account of what really ran."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from .arrays import encode_ndarray
from .failures import ERROR, CellFailure
from .phase import enter_phase
from .runtimes import LoadedModel
from .tasks import Task, feeds, guarded, load, read_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The outputs travel to the controller inside the journal, and small boards hold them in memory until then.
_MOST_OUTPUT_BYTES = 64 * 2**20


def check_outputs(task: Task, module: ModuleType) -> dict[str, Any]:
    """Run golden and accuracy inputs once each, in a session of its own.

    Returns `golden` and `accuracy`: {output name: Array of all samples} (`accuracy` None without such inputs), `used`.
    """
    golden_path, accuracy_path = str(task.cell["golden"]), task.cell["accuracy"]
    arrays = read_inputs(golden_path)
    model = load(task, module, profile=True)
    golden = feeds(arrays, model, golden_path)
    enter_phase("first")
    inspected = guarded(lambda: model.inspect(golden[0]), "in its first inference")
    enter_phase("steady")
    answer: dict[str, Any] = {"golden": _outputs(model, golden), "accuracy": None}
    if accuracy_path is not None:
        accuracy = feeds(read_inputs(accuracy_path), model, accuracy_path)
        enter_phase("steady")
        answer["accuracy"] = _outputs(model, accuracy)
    return {**answer, "used": {**model.used(), **inspected}}


def _outputs(model: LoadedModel, samples: list[dict[str, NDArray[Any]]]) -> dict[str, Any]:
    import numpy as np

    collected: list[list[NDArray[Any]]] = [[] for _ in model.output_names]
    total_bytes = 0
    for sample in samples:
        for kept, values in zip(collected, guarded(lambda: _run(model, sample), "on a check input"), strict=True):  # noqa: B023
            kept.append(np.asarray(values))
            total_bytes += kept[-1].nbytes
        if total_bytes > _MOST_OUTPUT_BYTES:
            mib = _MOST_OUTPUT_BYTES // 2**20
            raise CellFailure(ERROR, f"the outputs of {len(samples)} check inputs exceed {mib} MiB: use fewer of them")
    return {name: _stacked(name, kept) for name, kept in zip(model.output_names, collected, strict=True)}


def _run(model: LoadedModel, sample: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    return model.read(model.bind(sample)())


def _stacked(name: str, kept: list[NDArray[Any]]) -> dict[str, Any]:
    """One array whose first axis is samples, whatever shape (even none) one sample's output has."""
    import numpy as np

    if len({values.shape for values in kept}) != 1:
        raise CellFailure(ERROR, f"output {name!r} changes its shape from sample to sample; it cannot be compared")
    one = kept[0].shape[:1] == (1,)
    try:
        return encode_ndarray(np.concatenate(kept) if one else np.stack(kept))
    except ValueError as error:
        raise CellFailure(ERROR, f"output {name!r} cannot be compared: {error}") from error
