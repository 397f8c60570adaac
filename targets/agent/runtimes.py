"""The runtimes that the agent can drive, behind one Protocol: ONNX Runtime, and the two builds of TensorFlow Lite."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from .failures import UNSUPPORTED, CellFailure, one_sentence
from .inputs import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MODULES = {
    "onnxruntime": "onnxruntime",
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}


class LoadedModel(Protocol):
    """A model that is ready to run, one sample at a time."""

    inputs: tuple[InputSpec, ...]
    output_names: tuple[str, ...]

    def bind(self, sample: Mapping[str, NDArray[Any]]) -> Callable[[], object]:
        """Make the sample the next input; the returned call, and nothing else, is what is timed."""
        ...

    def read(self, returned: object) -> list[NDArray[Any]]:
        """The outputs, in the order of `output_names`, after a bound call returned `returned`; they stay."""
        ...

    def used(self) -> dict[str, Any]:
        """What really runs: version, threads, providers."""
        ...

    def inspect(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Operators by what ran them, found with one more inference of `sample`. For check processes only."""
        ...

    def operator_costs(self, warmup: int) -> dict[str, Any]:
        """What each operator cost since the load, the first `warmup` inferences left out. For profile processes only.

        Fields of OperatorProfile without its unit, totals in ns of the runtime's clock. Where the runtime has no
        profiler the totals are None, `inferences_total` is missing and `unavailable` says why.
        """
        ...


def import_runtime(name: str) -> ModuleType:
    """Import a runtime (and numpy with it). Raises CellFailure `unsupported` where this interpreter has none."""
    if name == "command":
        raise CellFailure(UNSUPPORTED, "a program as runtime gives times, and an emulated board has none")
    if name not in _MODULES:
        raise CellFailure(UNSUPPORTED, f"the agent knows no runtime {name!r}; it knows {', '.join(sorted(_MODULES))}")
    try:
        importlib.import_module("numpy")
        return importlib.import_module(_MODULES[name])
    except (ImportError, OSError, SystemError, AttributeError) as error:  # broken wheels raise all of these
        reason = f"{name} cannot be imported on this board: {one_sentence(str(error))}"
        raise CellFailure(UNSUPPORTED, reason) from error


def load_model(module: ModuleType, cell: Mapping[str, Any], profile_prefix: str | None = None) -> LoadedModel:
    """Load the cell's model: this is what `load_ns` times. Raises CellFailure where the runtime refuses it.

    Args:
        module: from `import_runtime`.
        cell: the fields of a JobCell.
        profile_prefix: where ONNX Runtime may write its profile, for `inspect` and `operator_costs`.
    """
    if cell["runtime"] == "onnxruntime":
        from .runtime_onnx import load_onnx

        return load_onnx(module, cell, profile_prefix)
    from .runtime_tflite import load_tflite

    return load_tflite(module, cell)
