"""TensorFlow Lite, as tflite-runtime and as ai-edge-litert: the same interpreter under two package names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .failures import UNSUPPORTED, CellFailure
from .inputs import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DELEGATED = "DELEGATE"


class TfliteModel:
    """An `Interpreter` with tensors allocated. The timed call is `invoke` alone; inputs are copied in before."""

    def __init__(self, interpreter: Any, cell: Mapping[str, Any]) -> None:
        self._interpreter = interpreter
        self._cell = cell
        self._details: list[dict[str, Any]] = interpreter.get_input_details()
        self._index: dict[str, int] = {detail["name"]: detail["index"] for detail in self._details}
        self._outputs: list[dict[str, Any]] = interpreter.get_output_details()
        self.inputs = tuple(_spec(detail) for detail in self._details)
        self.output_names: tuple[str, ...] = tuple(str(detail["name"]) for detail in self._outputs)

    def bind(self, sample: Mapping[str, NDArray[Any]]) -> Callable[[], object]:
        """See LoadedModel. Inputs of varying shape are resized first, which allocates anew."""
        resized = False
        for detail in self._details:
            values = sample[detail["name"]]
            if None in _spec(detail).shape and tuple(detail["shape"]) != values.shape:
                self._interpreter.resize_tensor_input(detail["index"], values.shape)
                resized = True
        if resized:
            self._interpreter.allocate_tensors()
            self._details = self._interpreter.get_input_details()
        for name, values in sample.items():
            self._interpreter.set_tensor(self._index[name], values)
        return self._interpreter.invoke

    def read(self, returned: object) -> list[NDArray[Any]]:  # noqa: ARG002  the interpreter holds the outputs
        """See LoadedModel; `get_tensor` copies."""
        return [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]

    def used(self) -> dict[str, Any]:
        """See LoadedModel."""
        used = {"runtime_version": _version(self._cell["runtime"]), "threads": self._cell["threads"]}
        return used if self._cell.get("xnnpack") is None else {**used, "xnnpack": delegated(self._interpreter)}

    def inspect(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, Any]:  # noqa: ARG002  needs no inference
        """See LoadedModel: the execution plan's operators; what a delegate took over appears as DELEGATE."""
        details = getattr(self._interpreter, "_get_ops_details", None)
        if details is None:
            return {}
        ops = Counter(str(op["op_name"]) for op in details())
        return {"ops": dict(sorted(ops.items())), "delegates": ops[_DELEGATED]}

    def operator_costs(self, warmup: int) -> dict[str, Any]:  # noqa: ARG002  nothing was timed
        """See LoadedModel: which operators there are and which compute in float, without costs."""
        from .ops_tflite import operators_without_costs

        details = getattr(self._interpreter, "_get_ops_details", None)
        return operators_without_costs(None if details is None else details(), self._cell["runtime"])


def load_tflite(module: ModuleType, cell: Mapping[str, Any]) -> TfliteModel:
    """Build the interpreter and allocate its tensors. Raises what the library raises (ValueError, RuntimeError).

    Raises CellFailure `unsupported` where XNNPACK is to be on or off and this build cannot, or does not, do so.
    """
    xnnpack: bool | None = cell.get("xnnpack")
    extra = {} if xnnpack is not False else {"experimental_op_resolver_type": _without_delegates(module, cell)}
    interpreter = module.Interpreter(model_path=cell["model"], num_threads=cell["threads"], **extra)
    interpreter.allocate_tensors()
    if xnnpack is not None and delegated(interpreter) is not xnnpack:
        what = "took none of this model's operators" if xnnpack else "cannot be switched off"
        raise CellFailure(UNSUPPORTED, f"XNNPACK {what} in this build of {cell['runtime']}")
    return TfliteModel(interpreter, cell)


def delegated(interpreter: Any) -> bool | None:
    """Whether a delegate runs any operator (by default XNNPACK is the only one); None where the build does not tell."""
    details = getattr(interpreter, "_get_ops_details", None)
    return None if details is None else any(str(op["op_name"]) == _DELEGATED for op in details())


def _without_delegates(module: ModuleType, cell: Mapping[str, Any]) -> Any:
    kinds = getattr(module, "OpResolverType", None)
    if kinds is None:
        raise CellFailure(UNSUPPORTED, f"this build of {cell['runtime']} cannot switch XNNPACK off")
    return kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def _spec(detail: Mapping[str, Any]) -> InputSpec:
    import numpy as np

    signature = detail.get("shape_signature")
    shape = detail["shape"] if signature is None or len(signature) == 0 else signature
    sizes = tuple(None if size < 0 else int(size) for size in shape)
    return InputSpec(name=detail["name"], shape=sizes, dtype=np.dtype(detail["dtype"]).name)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
