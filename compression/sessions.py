"""An ONNX model in memory run by onnxruntime over many samples: what torch is compared with, and what teaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from .errors import CompressionError
from .foreign import foreign_errors
from .task import Array

if TYPE_CHECKING:
    from onnx import ModelProto

Session = Callable[[Mapping[str, Array]], dict[str, Array]]


def open_proto(proto: ModelProto, *, doing: str) -> Session:
    """Return a function from inputs [N, ...] by name to all outputs [N, ...] by name; one thread, finite or refused.

    A file whose inputs have a free first dimension gets all samples at once, any other one after the other.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions
    with foreign_errors(doing):
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    at_once = all(not isinstance(value.shape[0], int) for value in session.get_inputs())

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        count = len(next(iter(inputs.values())))
        size = count if at_once else 1
        with foreign_errors(doing):
            parts = [
                session.run(names, {key: values[start : start + size] for key, values in inputs.items()})
                for start in range(0, count, size)
            ]
        outputs = {name: np.concatenate(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)}
        for name, values in outputs.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise CompressionError(f"{doing}: output `{name}` is not finite.")
        return outputs

    return run
