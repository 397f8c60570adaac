"""ONNX Runtime: one session per process, settings as the cell asks, and an account of what was really used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .failures import UNSUPPORTED, CellFailure
from .inputs import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"float": "float32", "double": "float64"}  # others are called as numpy calls them
_LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
XNNPACK = "XnnpackExecutionProvider"
_SWITCHES = {"arena": "enable_cpu_mem_arena", "memory_pattern": "enable_mem_pattern"}
_SPINNING = "session.intra_op.allow_spinning"
_ERRORS_ONLY = 3
_NS_PER_US = 1000


class OnnxModel:
    """An `InferenceSession`. The timed call is `session.run` with all outputs; input copies are the runtime's own."""

    def __init__(self, session: Any, version: str, cell: Mapping[str, Any]) -> None:
        self._session = session
        self._version = version
        self._cell = cell
        self.inputs = tuple(
            InputSpec(name=node.name, shape=_shape(node.shape), dtype=_dtype(node.type))
            for node in session.get_inputs()
        )
        self.output_names: tuple[str, ...] = tuple(node.name for node in session.get_outputs())
        self._names = list(self.output_names)

    def bind(self, sample: Mapping[str, NDArray[Any]]) -> Callable[[], object]:
        """See LoadedModel; a partial object calls `run` without a Python frame in between."""
        return partial(self._session.run, self._names, sample)

    def read(self, returned: object) -> list[NDArray[Any]]:
        """See LoadedModel."""
        assert isinstance(returned, list)
        return returned

    def used(self) -> dict[str, Any]:
        """See LoadedModel."""
        options = self._session.get_session_options()
        return {
            "runtime_version": self._version,
            "threads": self._cell["threads"],
            "graph_optimization": self._cell["graph_optimization"],
            "providers": list(self._session.get_providers()),
            "memory_settings": _memory_settings(options),
            **_chosen(options, self._cell),
        }

    def inspect(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """See LoadedModel: nodes and operators of the optimised graph by provider, from the session's own profile."""
        self.bind(sample)()
        profile = Path(self._session.end_profiling())
        try:
            return read_profile(profile.read_text(encoding="utf-8"), list(self._session.get_providers()))
        finally:
            profile.unlink(missing_ok=True)

    def operator_costs(self, warmup: int) -> dict[str, Any]:
        """See LoadedModel."""
        from .trace_onnx import profile_of_trace, read_trace

        path = Path(self._session.end_profiling())
        try:
            with path.open(encoding="utf-8") as lines:
                totals = read_trace(lines, warmup)
        finally:
            path.unlink(missing_ok=True)
        return profile_of_trace(totals, self._session.get_providers()[0], _NS_PER_US)


def load_onnx(module: ModuleType, cell: Mapping[str, Any], profile_prefix: str | None) -> OnnxModel:
    """Create the session. Raises CellFailure `unsupported` for a provider this build lacks, else ORT's exceptions."""
    providers = providers_of(module, cell)
    # What was optimised on this board before is loaded as it is.
    options = session_options(module, cell, "disabled" if "offline" in cell else cell["graph_optimization"])
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    session = module.InferenceSession(cell["model"], sess_options=options, providers=providers)
    return OnnxModel(session, str(module.__version__), cell)


def providers_of(module: ModuleType, cell: Mapping[str, Any]) -> list[Any] | None:
    """The providers that a cell asks for, XNNPACK with its threads; None = the build's own choice. Raises CellFailure.

    XNNPACK has a pool of its own. (ONNX Runtime, Execution Providers: XNNPACK, "Recommended configuration".)
    """
    available: Sequence[str] = module.get_available_providers()
    for provider in cell["providers"]:
        if provider not in available:
            have = ", ".join(available)
            raise CellFailure(UNSUPPORTED, f"this build of onnxruntime has no {provider}; it has {have}")
    own = {"intra_op_num_threads": str(cell["threads"])}
    return [(one, own) if one == XNNPACK and has_own_pool(cell) else one for one in cell["providers"]] or None


def has_own_pool(cell: Mapping[str, Any]) -> bool:
    """Whether the cell's threads are XNNPACK's: the session's own pool then has one, or both would want the cores."""
    return XNNPACK in cell["providers"] and cell["threads"] > 1


def session_options(module: ModuleType, cell: Mapping[str, Any], level: str) -> Any:
    """The session's options for a cell, its graph optimised at `level`."""
    threads = 1 if has_own_pool(cell) else cell["threads"]
    options = module.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads
    options.execution_mode = module.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = getattr(module.GraphOptimizationLevel, _LEVELS[level])
    options.log_severity_level = _ERRORS_ONLY
    for setting, option in _SWITCHES.items():
        if cell.get(setting) is not None:
            setattr(options, option, cell[setting])
    # A waiting pool that spins burns instructions and heat that are not the model's.
    spinning: bool | None = False if cell.get("spinning") is None and threads == 1 else cell.get("spinning")
    if spinning is not None:
        options.add_session_config_entry(_SPINNING, "1" if spinning else "0")
    return options


def read_profile(text: str, providers: list[str]) -> dict[str, Any]:
    """Count nodes by provider and operators by kind in ONNX Runtime's profile (Chrome trace events, cat `Node`).

    `fell_back` names the operators that ran on another provider than the first one of the session.
    """
    nodes: dict[str, tuple[str, str]] = {}
    for event in json.loads(text):
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            nodes[name] = (str(event["args"].get("provider", "unknown")), str(event["args"].get("op_name", "unknown")))
    first = providers[0] if providers else None
    return {
        "nodes_by_provider": dict(Counter(provider for provider, _ in nodes.values())),
        "ops": dict(sorted(Counter(op for _, op in nodes.values()).items())),
        "fell_back": dict(sorted(Counter(op for provider, op in nodes.values() if provider != first).items())),
    }


def _chosen(options: Any, cell: Mapping[str, Any]) -> dict[str, Any]:
    """What holds of the settings that the cell leaves not to the runtime, read back from the session."""
    used: dict[str, Any] = {
        setting: getattr(options, option) for setting, option in _SWITCHES.items() if cell.get(setting) is not None
    }
    if cell.get("spinning") is not None:
        used["spinning"] = options.get_session_config_entry(_SPINNING) == "1"
    if has_own_pool(cell):
        used["intra_op_threads"] = options.intra_op_num_threads
    if "offline" in cell:
        as_it_is = options.graph_optimization_level.name == _LEVELS["disabled"]
        used |= {"offline_graph": as_it_is, **{f"offline_graph_{key}": value for key, value in cell["offline"].items()}}
    return used


def _memory_settings(options: Any) -> dict[str, Any]:
    """What decides how much the session holds on to; memory is compared at equal settings only."""
    names = ("enable_cpu_mem_arena", "enable_mem_pattern", "enable_mem_reuse")
    # The arena's growth is not a session option: ONNX Runtime's default doubles it and keeps its peak.
    return {**{name: getattr(options, name, None) for name in names}, "arena_extend_strategy": "default"}


def _shape(shape: Sequence[object]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in shape)


def _dtype(name: str) -> str:
    """`tensor(float)` -> `float32`."""
    if not name.startswith("tensor(") or name == "tensor(string)":
        raise CellFailure(UNSUPPORTED, f"the model has an input of type {name}; only tensors of numbers can be fed")
    inner = name[len("tensor(") : -1]
    return _DTYPES.get(inner, inner)
