"""ONNX to TFLite by onnx2tf, in an environment of its own.

onnx2tf (2.6.9, without TensorFlow) pins its own onnx and numpy, so it runs as a program. Shapes are fixed and the graph
is simplified by onnxslim first: with free sizes it writes inputs of 1 x 1. It turns inputs of three to five dimensions
from channels first to channels last (NCHW to NHWC), sometimes outputs too, and sometimes renames both: what a file
takes and gives is found afterwards, see interface.py.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CompressionError, UnsupportedRecipeError
from .foreign import disk_error, foreign_errors
from .program import Finished, death, run_program
from .tensor import TensorSpec
from .tflite_file import is_tflite
from .tflite_ports import custom_operators
from .toolenv import ONNX2TF, Say, silent, tool_env

if TYPE_CHECKING:
    from onnx import ModelProto

TIMEOUT_S = 600.0
_DOING = "Converting to TFLite"


def convert_onnx(proto: ModelProto, model_inputs: Sequence[TensorSpec], *, say: Say = silent) -> bytes:
    """Return a float32 .tflite file of an ONNX model, for one sample at a time.

    `model_inputs` are the model's inputs with every size but the first declared. Raises UnsupportedRecipeError where
    onnxslim or a Python for onnx2tf is missing or onnx2tf lacks an operator, CompressionError for what else goes wrong.
    """
    prepared = with_fixed_shapes(proto, model_inputs)
    python = tool_env(ONNX2TF, say=say)
    say(f"{_DOING} with {ONNX2TF.requirements[0]}.")
    try:
        with tempfile.TemporaryDirectory(prefix="hilbench-tflite-") as folder:
            source = Path(folder) / "model.onnx"
            source.write_bytes(prepared.SerializeToString())
            argv = [python, "-I", "-m", "onnx2tf", "-i", source, "-o", Path(folder) / "out", "-n", "-v", "error"]
            finished = run_program(argv, doing=_DOING, timeout_s=TIMEOUT_S, folder=Path(folder))
            return _result(Path(folder) / "out" / "model_float32.tflite", finished)
    except OSError as error:
        raise disk_error(_DOING, error) from error


def with_fixed_shapes(proto: ModelProto, model_inputs: Sequence[TensorSpec]) -> ModelProto:
    """Return a simplified copy of the model whose inputs have all sizes fixed, the first to 1."""
    if find_spec("onnxslim") is None:
        raise UnsupportedRecipeError("`tflite` needs onnxslim: pip install onnxslim==0.1.98.")
    from onnxslim import slim

    copy = type(proto)()
    copy.CopyFrom(proto)
    shapes = {spec.name: (1, *spec.sample_shape) for spec in model_inputs}
    for value in copy.graph.input:
        for dimension, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dimension.dim_value = size
    # Sizes that were inferred for the free ones would contradict the fixed ones.
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.HasField("dim_param"):
                dimension.Clear()
    with foreign_errors("Simplifying the graph for TFLite"):
        slimmed: Any = slim(copy)
    return slimmed


def _result(path: Path, finished: Finished) -> bytes:
    if path.is_file() and finished.code == 0:
        data = path.read_bytes()
        if is_tflite(data[:8]):
            _refuse_custom(data)
            return data
    if finished.code == 0:
        raise CompressionError(f"{_DOING}: onnx2tf wrote no file: {finished.last_line}.")
    raise CompressionError(f"{_DOING}: onnx2tf {death(finished.code)}: {finished.last_line}.")


def _refuse_custom(data: bytes) -> None:
    """Refuse a file with operators that no runtime has: onnx2tf writes what it cannot convert as `ONNX_<OPERATOR>`."""
    lost = [name for name in custom_operators(data, where="onnx2tf's file") if name.startswith("ONNX_")]
    if lost:
        names = ", ".join(sorted({name.removeprefix("ONNX_") for name in lost}))
        raise UnsupportedRecipeError(f"{_DOING}: TFLite has no counterpart for the ONNX operators {names}.")
