"""Quantize a float .tflite file by ai-edge-quantizer: fp16, int8-dynamic, int8-static.

Inputs and outputs stay float32, so that a quantized file takes and gives what its source does. Dynamic never uses the
quantizer's own recipe: it scales the weights of fully connected layers and matrix products per channel, which
tflite-runtime 2.14 (the only runtime of 32-bit ARM boards) computes wrongly without an error; one scale a tensor there
is right in every runtime.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CompressionError, RecipeError, UnsupportedRecipeError
from .foreign import disk_error
from .program import death, run_program
from .task import Array
from .tflite_file import read_tflite
from .words import nearest

TIMEOUT_S = 1800.0
_WORKER = Path(__file__).with_name("tflite_quantize_worker.py")

# With a scale a channel, tflite-runtime 2.14 gives zeros for a matrix product, dynamic and static, and wrong answers
# for a fully connected layer, dynamic only
_ZEROS_PER_CHANNEL = "BATCH_MATMUL"
_WRONG_PER_CHANNEL = ("FULLY_CONNECTED", _ZEROS_PER_CHANNEL)
# What ai-edge-quantizer would turn into a form that tflite-runtime 2.14 refuses to load
_NO_DYNAMIC_KERNEL = ("CONV_2D_TRANSPOSE",)
_NO_INT8_KERNEL = ("SQRT", "DIV")

Rule = dict[str, Any]  # one entry of ai-edge-quantizer's recipe; of those that fit an operator the last counts


def to_fp16(data: bytes) -> bytes:
    """Return the file with its weights as 16-bit floats, widened when it is loaded; arithmetic stays float32.

    Raises UnsupportedRecipeError where ai-edge-quantizer is missing or the file is compressed already.
    """
    config = {
        "weight_tensor_config": {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"},
        "compute_precision": "FLOAT",
        "explicit_dequantize": True,
    }
    rules = [{"regex": ".*", "operation": "*", "algorithm_key": "float_casting", "op_config": config}]
    return _quantized(data, rules, kind="fp16")


def to_int8_dynamic(data: bytes, *, exclude: Sequence[str] = ()) -> bytes:
    """Return the file with 8-bit weights; activations are scaled anew at each inference.

    `exclude` names layers that stay float: by their output or weights in the file, or by the ONNX operator that they
    were. Raises RecipeError for a name that is no layer, UnsupportedRecipeError as `to_fp16`.
    """
    return _quantized(data, dynamic_rules(), kind="int8-dynamic", exclude=exclude)


def to_int8_static(
    data: bytes, calibration: Mapping[str, Array], *, per_channel: bool = True, exclude: Sequence[str] = ()
) -> bytes:
    """Return the file with weights and activations in 8 bits, ranges from the minimum and maximum of `calibration`.

    `calibration` holds [N, ...] by the file's input names, as the file takes them. `exclude` and errors as in
    `to_int8_dynamic`; CompressionError for data that do not fit the inputs.
    """
    inputs, _ = read_tflite(data, where="The TFLite file")
    for spec in inputs:
        values = calibration.get(spec.name)
        wanted = tuple(1 if size is None else size for size in spec.shape[1:])
        if values is None or values.shape[1:] != wanted or len(values) == 0:
            found = "none" if values is None else str(list(values.shape[1:]))
            raise CompressionError(
                f"int8-static needs calibration data of the shape {list(wanted)} for input `{spec.name}`; got {found}."
            )
    arrays = [calibration[spec.name].astype(spec.dtype, copy=False) for spec in inputs]
    rules = static_rules(per_channel=per_channel)
    return _quantized(data, rules, kind="int8-static", exclude=exclude, calibration=arrays)


def dynamic_rules() -> list[Rule]:
    """8-bit weights, a scale a channel, but a single scale for matrices: see the top of this file."""
    matrices = [{**_weights("TENSORWISE"), "operation": operation} for operation in _WRONG_PER_CHANNEL]
    return [_weights("CHANNELWISE"), *matrices, *_left_alone(_NO_DYNAMIC_KERNEL)]


def static_rules(*, per_channel: bool) -> list[Rule]:
    """8-bit weights (symmetric) and activations (asymmetric); the file's inputs and outputs stay float32."""
    everything = _weights("CHANNELWISE" if per_channel else "TENSORWISE", activations=True)
    products = {**_weights("TENSORWISE", activations=True), "operation": _ZEROS_PER_CHANNEL}
    return [everything, products, *_left_alone(("INPUT", "OUTPUT", *_NO_INT8_KERNEL))]


def _left_alone(operations: Sequence[str]) -> list[Rule]:
    everywhere = {"regex": ".*", "algorithm_key": "no_quantize", "op_config": {}}
    return [{**everywhere, "operation": operation} for operation in operations]


def _weights(granularity: str, *, activations: bool = False) -> Rule:
    config: dict[str, Any] = {
        "weight_tensor_config": {"num_bits": 8, "symmetric": True, "granularity": granularity, "dtype": "INT"},
        "compute_precision": "INTEGER",
        "explicit_dequantize": False,
    }
    if activations:
        ranges = {"num_bits": 8, "symmetric": False, "granularity": "TENSORWISE", "dtype": "INT"}
        config["activation_tensor_config"] = ranges
    return {"regex": ".*", "operation": "*", "algorithm_key": "min_max_uniform_quantize", "op_config": config}


def _quantized(
    data: bytes, rules: list[Rule], *, kind: str, exclude: Sequence[str] = (), calibration: Sequence[Array] = ()
) -> bytes:
    if find_spec("ai_edge_quantizer") is None:
        raise UnsupportedRecipeError(
            f"{kind} of a TFLite file needs ai-edge-quantizer: pip install 'hilbench[tflite]'."
        )
    job = {"recipe": rules, "exclude": list(exclude), "float_weights": kind == "fp16"}
    try:
        with tempfile.TemporaryDirectory(prefix="hilbench-quantize-") as name:
            folder = Path(name)
            (folder / "in.tflite").write_bytes(data)
            (folder / "job.json").write_text(json.dumps(job))
            if calibration:
                arrays = {f"input{i}": values for i, values in enumerate(calibration)}
                np.savez(folder / "calibration.npz", **arrays)  # pyright: ignore[reportArgumentType]  never a parameter of savez
            _run(folder, kind)
            return (folder / "out.tflite").read_bytes()
    except OSError as error:
        raise disk_error(kind, error) from error


def _run(folder: Path, kind: str) -> None:
    """Run the worker in a folder; raises what it answers as an error of ours."""
    argv = [sys.executable, "-P", _WORKER, folder]
    finished = run_program(argv, doing=kind, timeout_s=TIMEOUT_S, folder=folder, variables=os.environ)
    if finished.code != 0:
        raise CompressionError(f"{kind}: ai-edge-quantizer {death(finished.code)} over the file: it may be damaged.")
    answer: Mapping[str, Any] = json.loads((folder / "answer.json").read_text())
    sentence = (
        f"{kind}: {answer.get('error', '').strip().splitlines()[0].rstrip('.')[:240] if 'error' in answer else ''}."
    )
    match answer["kind"]:
        case "ok":
            return
        case "recipe":
            known: list[str] = list(answer["layers"])
            asked = str(answer["error"]).split("`")[3]
            raise RecipeError(f"{sentence}{nearest(asked, known)}")
        case "unsupported":
            raise UnsupportedRecipeError(sentence)
        case _:
            raise CompressionError(sentence)
