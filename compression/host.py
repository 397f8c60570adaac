"""Run a model file on this machine, one sample at a time, exactly as a board does.

One sample at a time also because int8-dynamic scales the activations of a whole batch together: with other batches it
would give other answers than the board.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .cache import installed_version
from .errors import CompressionError
from .foreign import foreign_errors
from .task import Array
from .tflite_child import TfliteChild

Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much

# x86 without VNNI adds products of 8 bits in 16 bits and clips them, which no ARM board does. The reference does not
# clip; where this machine as a board does, the report says that it answers otherwise.
# onnxruntime/core/session/onnxruntime_session_options_config_keys.h
EXACT_SUMS = "session.x64quantprecision"

_LITERT = (("ai-edge-litert", "ai_edge_litert.interpreter"), ("tflite-runtime", "tflite_runtime.interpreter"))


def _nothing() -> None:
    """Close a runtime that holds nothing but memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRuntime:
    """A runtime on this machine with a model loaded: `run` takes one sample [1, ...] an input, gives all outputs.

    `name` is the runtime with its version. `close` ends the process that a .tflite file is loaded in; it ends by itself
    when nobody holds this object any more.
    """

    name: str
    run: Callable[[Mapping[str, Array]], dict[str, Array]]
    close: Callable[[], None] = _nothing


def host_runtime_name(file_format: str) -> str | None:
    """Return which runtime and version would run such a file here (`onnxruntime 1.32.0`), None if there is none."""
    candidates = ("onnxruntime",) if file_format == "onnx" else tuple(name for name, _ in _LITERT)
    found = ((name, installed_version(name)) for name in candidates)
    return next((f"{name} {version}" for name, version in found if version is not None), None)


def open_model(path: Path, file_format: str, *, doing: str) -> HostRuntime | None:
    """Load a model file, one thread; None where this machine has no runtime for the format.

    `doing` begins the sentence of an error. Raises UnsupportedRecipeError for an operator that the runtime lacks,
    CompressionError for what else keeps the file from loading.
    """
    name = host_runtime_name(file_format)
    if name is None:
        return None
    if file_format == "tflite":
        # The interpreter can crash on a damaged file: it must not take the controller along.
        module = dict(_LITERT)[name.split()[0]]
        child = TfliteChild(Path(sys.executable), module, path, name=name, doing=doing)
        return HostRuntime(name=name, run=child.run, close=child.close)
    with foreign_errors(doing):
        return HostRuntime(name=name, run=_onnxruntime(path))


def _onnxruntime(path: Path) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions; onnxruntime would also print them
    options.add_session_config_entry(EXACT_SUMS, "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(sample: Mapping[str, Array]) -> dict[str, Array]:
        values = session.run(names, dict(sample))
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}

    return run


def run_each(
    runtime: HostRuntime, inputs: Mapping[str, Array], *, doing: str, progress: Progress | None = None
) -> Iterator[dict[str, Array]]:
    """Yield the outputs of each sample of `inputs` ([N, ...] by name).

    Raises CompressionError where they are not finite.
    """
    count = len(next(iter(inputs.values())))
    report_every = max(1, count // 20)
    for index in range(count):
        with foreign_errors(doing):
            outputs = runtime.run({name: values[index : index + 1] for name, values in inputs.items()})
        for name, values in outputs.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise CompressionError(f"{doing}: output `{name}` of sample {index} is not finite.")
        if progress is not None and (index + 1 == count or (index + 1) % report_every == 0):
            progress(doing, index + 1, count)
        yield outputs


def stacked(samples: list[dict[str, Array]]) -> dict[str, Array]:
    """Return outputs of single samples as one array a name, first axis = samples."""
    return {name: _joined([sample[name] for sample in samples]) for name in samples[0]}


def _joined(values: list[Array]) -> Array:
    has_sample_axis = values[0].ndim > 0 and values[0].shape[0] == 1
    return np.concatenate(values) if has_sample_axis else np.stack(values)
