"""Quantize a .tflite file in a process of its own: `python tflite_quantize_worker.py FOLDER`.

ai-edge-quantizer runs the file in C++ to calibrate it, which a damaged file can crash, and prints as it goes. FOLDER
holds `in.tflite`, `job.json` (`recipe` for ai-edge-quantizer, `exclude`, `float_weights`) and, for a recipe that wants
it, `calibration.npz` (`input0`, `input1`, ... [N, ...] in the file's order). Afterwards it holds `answer.json` (`error`
with the `kind` of error, or `kind: ok`) and `out.tflite`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIGNATURE = "serving_default"
_INTEGERS = ("INT8", "UINT8", "INT16", "INT4")


class RefusedError(Exception):
    """The file or the recipe is refused: `kind` is `unsupported` or `recipe`, `layers` those that could be named."""

    def __init__(self, kind: str, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.answer = {"kind": kind, "error": sentence, **more}


def prepared(data: bytes, *, float_weights: bool) -> Any:
    """Return the file as an object with float32 weights and a signature, which the calibration goes by.

    Files with weights stored as 16-bit floats (BlazeFace) widen them when they run: the quantizer would take those
    weights for activations, so they are widened here. With `float_weights` such a file is refused, as it already is
    what would be made.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    if len(model.subgraphs) != 1:
        raise RefusedError("unsupported", "the file holds several graphs (loops or branches)")
    refuse_compressed(model.subgraphs[0])
    # Files of the first years leave the field that the quantizer reads at 0, which is ADD: it would quantize nothing.
    for code in model.operatorCodes:
        code.builtinCode = opcode(code)
    if widen_weights(model) and float_weights:
        raise RefusedError("unsupported", "the weights of the file are 16-bit floats already")
    add_signature(model)
    return model


def refuse_compressed(graph: Any) -> None:
    """Refuse a file that somebody has quantized or made sparse."""
    for tensor in graph.tensors:
        scales = None if tensor.quantization is None else tensor.quantization.scale
        if type_name(tensor) in _INTEGERS and scales is not None and len(scales):
            raise RefusedError("unsupported", f"the file is quantized already (`{text(tensor.name)}`)")
        if tensor.sparsity is not None:
            raise RefusedError("unsupported", f"the file keeps its weights sparse (`{text(tensor.name)}`)")


def widen_weights(model: Any) -> bool:
    """Replace constants in 16-bit floats, and the operator that widens each, by float32; whether there were any."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    kept: list[Any] = []
    widened: set[int] = set()  # buffers, as several tensors may share one
    for operator in graph.operators:
        widens = model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.DEQUANTIZE
        source = graph.tensors[operator.inputs[0]] if widens else None
        if source is None or type_name(source) != "FLOAT16" or model.buffers[source.buffer].data is None:
            kept.append(operator)
            continue
        buffer = model.buffers[source.buffer]
        if source.buffer not in widened:
            buffer.data = np.frombuffer(bytes(buffer.data), np.float16).astype(np.float32).view(np.uint8)
            widened.add(source.buffer)
        graph.tensors[operator.outputs[0]].buffer = source.buffer
    orphans = [t for t in graph.tensors if t.buffer in widened and type_name(t) == "FLOAT16"]
    if orphans:
        _shrink(model, orphans)
    graph.operators = kept
    return bool(widened)


def _shrink(model: Any, orphans: list[Any]) -> None:
    """Leave a single number of what nothing reads any more: a tensor without data ends the calibration."""
    from ai_edge_litert import schema_py_generated as schema

    single: Any = schema.BufferT()
    single.data = np.zeros(2, np.uint8)  # one 16-bit float
    model.buffers.append(single)
    for tensor in orphans:
        tensor.buffer, tensor.shape, tensor.shapeSignature = len(model.buffers) - 1, [1], None


def add_signature(model: Any) -> None:
    """Give the model one signature, named as its tensors are: calibration data go in by it."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]

    def entries(indices: Any) -> list[Any]:
        found: list[Any] = []
        for index in indices:
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = text(graph.tensors[index].name), int(index)
            found.append(entry)
        return found

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = entries(graph.inputs), entries(graph.outputs)
    model.signatureDefs = [signature]


def scopes(model: Any, exclude: list[str]) -> list[str]:
    """Return the quantizer's names of the excluded layers.

    A layer is named by its output, by its weights, or by the ONNX operator that it was: onnx2tf calls the weights of
    `conv1` `conv1_conv_filter`, those of `fc` `fc_fc_weights`.
    """
    names: dict[str, str] = {}
    layers: list[str] = []
    graph = model.subgraphs[0]
    for operator in graph.operators:
        outputs = [text(graph.tensors[index].name) for index in operator.outputs]
        constants = list(constant_names(model, operator))
        layers += [re.sub(r"_(conv_filter|depthwise_filter|fc_weights)$", "", constants[0])] if constants else []
        for name in (*outputs, *constants, *layers[-1:]) if constants else outputs:
            names.setdefault(name, "".join(f"{output};" for output in outputs))
    for name in exclude:
        if name not in names:
            raise RefusedError("recipe", f"`exclude` names `{name}`, which is no layer of the file", layers=layers)
    return [names[name] for name in exclude]


def constant_names(model: Any, operator: Any) -> Iterator[str]:
    """The names of what an operator reads from the file, as floats."""
    graph = model.subgraphs[0]
    for index in operator.inputs:
        tensor = graph.tensors[index] if index >= 0 else None
        if tensor is not None and model.buffers[tensor.buffer].data is not None and type_name(tensor) == "FLOAT32":
            yield text(tensor.name)


def quantized(model: Any, recipe: list[dict[str, Any]], calibration: dict[str, Any] | None) -> bytes:
    """Return the bytes of the quantized file; `calibration` holds [N, ...] arrays by the names of the inputs."""
    from ai_edge_litert.tools import flatbuffer_utils
    from ai_edge_quantizer import calibrator, quantizer, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    data = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    ranges = None
    if calibration is not None:
        rules = recipe_manager.RecipeManager()
        rules.load_quantization_recipe(recipe)
        # Plain minimum and maximum: the quantizer's own moving average hangs on the order of the samples.
        watch: Any = calibrator.Calibrator(data, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
        count = len(next(iter(calibration.values())))
        samples = [{name: values[i : i + 1] for name, values in calibration.items()} for i in range(count)]
        watch.calibrate({SIGNATURE: samples}, rules)
        ranges = watch.get_model_qsvs()
    work: Any = quantizer.Quantizer(data, recipe)
    made = work.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(made.quantized_model)


def type_name(tensor: Any) -> str:
    """Return a tensor's type as schema.fbs names it, such as `FLOAT16`."""
    from ai_edge_litert import schema_py_generated as schema

    return next((name for name, code in vars(schema.TensorType).items() if code == tensor.type), "")


def opcode(code: Any) -> int:
    """Return the number of a builtin operator; old files keep it in a field of one byte."""
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def text(name: Any) -> str:
    """Return a tensor's name, which the reader gives as bytes."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")


def work(folder: Path) -> dict[str, Any]:
    """Do the job of a folder and return the answer."""
    job = json.loads((folder / "job.json").read_text())
    model = prepared((folder / "in.tflite").read_bytes(), float_weights=job["float_weights"])
    recipe = job["recipe"]
    for scope in scopes(model, job["exclude"]):
        exact = f"^{re.escape(scope)}$"
        recipe.append({"regex": exact, "operation": "*", "algorithm_key": "no_quantize", "op_config": {}})
    calibration = None
    if (folder / "calibration.npz").exists():
        names = [text(model.subgraphs[0].tensors[index].name) for index in model.subgraphs[0].inputs]
        with np.load(folder / "calibration.npz") as arrays:
            calibration = {name: arrays[f"input{i}"] for i, name in enumerate(names)}
    (folder / "out.tflite").write_bytes(quantized(model, recipe, calibration))
    return {"kind": "ok"}


def main(folder: Path) -> None:
    """Write the answer, whatever happens."""
    try:
        answer = work(folder)
    except RefusedError as refused:
        answer = refused.answer
    except Exception as error:  # noqa: BLE001  the boundary: the other side words it
        answer = {"kind": "error", "error": str(error) or type(error).__name__}
    (folder / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
