"""ONNX to TFLite through PyTorch: the route where no Python for onnx2tf is to be had, and for operators it lacks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from . import libraries
from .foreign import foreign_errors
from .frontend import to_torch
from .litert_convert import convert_program
from .task import Array
from .tensor import TensorSpec
from .toolenv import Say, silent
from .torch_export import export_program

if TYPE_CHECKING:
    from onnx import ModelProto


def convert_by_torch(
    proto: ModelProto, inputs: Sequence[TensorSpec], few: Mapping[str, Array], *, doing: str, say: Say = silent
) -> bytes:
    """Return a float32 .tflite file of an ONNX model, for one sample at a time, its axes as they are.

    `few` are real inputs ([n, ...] by name) on which torch must agree with onnxruntime. Raises UnsupportedRecipeError
    where the extra `train`, an operator or a Python for litert-torch is missing, CompressionError for what else fails.
    """
    libraries.require("torch", "onnxslim", "onnx2torch", what=doing)
    import torch

    single = [replace(spec, shape=(1, *spec.sample_shape)) for spec in inputs]
    module = to_torch(proto, inputs, few, doing=doing).eval()
    program = io.BytesIO()
    with foreign_errors(doing), libraries.quiet():
        torch.export.save(export_program(module, single), program)
    return convert_program(program.getvalue(), say=say)
