"""Read a model file and say what it takes and gives, before anything is done with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ModelError
from .tensor import TensorSpec, with_declared_shapes
from .tflite_file import is_tflite, read_tflite

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

MAX_BYTES = 2**31 - 1  # protobuf's limit for one file: artifacts are one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the user brings, as a file: facts only, no weights.

    `sha256` covers the file and the files that hold its weights, if it keeps them apart. `format` is `onnx` or
    `tflite`. `opset` is that of the standard ONNX operators, None for TFLite. The first dimension of an input counts
    samples: None (free) or 1.
    """

    path: Path
    sha256: str
    format: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    opset: int | None
    bytes: int
    external_files: tuple[Path, ...] = ()


def read_model(path: Path, *, shapes: Mapping[str, Sequence[int]] | None = None) -> Model:
    """Read the ONNX or TFLite file at `path`.

    `shapes` declares the full shape of inputs whose file leaves more than the first dimension free. Raises ModelError
    with one sentence: no such file, neither format, damaged, weights outside its folder, NaN in the weights, a free
    dimension that was not declared.
    """
    data = _content(path)
    if is_tflite(data[:8]):
        inputs, outputs = read_tflite(data, where=path.name)
        opset, external = None, ()
    else:
        proto = _parsed(data, path)
        external = _external_files(proto, path)
        inputs, outputs = _inputs(proto.graph, path), tuple(_spec(v, path) for v in proto.graph.output)
        opset = _opset(proto)
        _check(proto, path)
    _refuse_odd_types(inputs, path)
    digest = hashlib.sha256(data)
    for extra in external:
        digest.update(_content(extra))
    return Model(
        path=path,
        sha256=digest.hexdigest(),
        format="tflite" if opset is None else "onnx",
        inputs=with_declared_shapes(inputs, shapes or {}, where=path.name),
        outputs=outputs,
        opset=opset,
        bytes=len(data) + sum(extra.stat().st_size for extra in external),
        external_files=external,
    )


def load_proto(model: Model) -> ModelProto:
    """Return the whole ONNX model with all its weights inside, as one message."""
    proto = _parsed(_content(model.path), model.path)
    if model.external_files:
        _take_in(proto, model.path)
    return proto


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror}.") from error
    if not data:
        raise ModelError(f"The model file {path} is empty.")
    if len(data) > MAX_BYTES:
        raise ModelError(f"The model file {path} has {len(data)} bytes; an artifact is one file of at most 2 GiB.")
    return data


def _parsed(data: bytes, path: Path) -> ModelProto:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise ModelError(f"{path} is neither an ONNX nor a TFLite file, or it is cut off or damaged.") from error
    # Many byte strings parse as an empty message: a model has operators and says which version of them.
    if not proto.graph.node or not proto.opset_import or proto.ir_version < 1:
        raise ModelError(f"{path} is neither an ONNX nor a TFLite file, or it is cut off: it holds no operators.")
    return proto


def _opset(proto: ModelProto) -> int:
    standard = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    return standard[0] if standard else 0


def stored_tensors(graph: GraphProto) -> list[TensorProto]:
    """Return all tensors that the file stores: initializers and constants, also of graphs inside operators."""
    found = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            found += [attribute.t] if attribute.HasField("t") else []
            found += attribute.tensors
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                found += stored_tensors(inner)
    return found


def _external_files(proto: ModelProto, path: Path) -> tuple[Path, ...]:
    from onnx import TensorProto

    folder = path.resolve().parent
    found: dict[Path, None] = {}
    for tensor in stored_tensors(proto.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        target = (folder / location).resolve()
        if not location or not target.is_relative_to(folder):
            raise ModelError(f"{path} keeps weights in `{location}`, outside its own folder: that is refused.")
        if not target.is_file():
            raise ModelError(f"{path} keeps weights in `{location}`, which is not beside it.")
        found[target] = None
    return tuple(found)


def _take_in(proto: ModelProto, path: Path) -> None:
    from onnx.external_data_helper import load_external_data_for_model

    from .foreign import foreign_errors

    with foreign_errors(f"Reading the weights of {path}"):
        load_external_data_for_model(proto, str(path.resolve().parent))
    for tensor in stored_tensors(proto.graph):
        tensor.ClearField("data_location")
        tensor.ClearField("external_data")


def _check(proto: ModelProto, path: Path) -> None:
    """Refuse a broken graph and NaN weights; an operator that onnx does not know is the runtime's business."""
    import numpy as np
    from onnx import checker, numpy_helper
    from onnx.defs import onnx_opset_version

    whole = type(proto)()
    whole.CopyFrom(proto)
    if any(tensor.external_data for tensor in stored_tensors(whole.graph)):
        _take_in(whole, path)
    for tensor in stored_tensors(whole.graph):
        try:
            values = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"The weights `{tensor.name}` of {path} do not have the size they claim.") from error
        count = int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0
        if count:
            raise ModelError(f"The weights `{tensor.name}` of {path} hold {count} NaN of {values.size} values.")
    if _opset(proto) > onnx_opset_version():
        return
    try:
        checker.check_model(whole)
    except checker.ValidationError as error:
        if "No Op registered for" in str(error) or "No opset import for domain" in str(error):
            return
        sentence = str(error).strip().splitlines()[0].rstrip(".")
        raise ModelError(f"{path} is not a valid ONNX model: {sentence}.") from error


def _inputs(graph: GraphProto, path: Path) -> tuple[TensorSpec, ...]:
    # Files of the first ONNX versions list their weights among the inputs.
    stored = {tensor.name for tensor in graph.initializer}
    specs = tuple(_spec(value, path) for value in graph.input if value.name not in stored)
    if not specs:
        raise ModelError(f"{path} has no inputs.")
    return specs


def _spec(value: ValueInfoProto, path: Path) -> TensorSpec:
    from onnx import helper

    if not value.type.HasField("tensor_type"):
        raise ModelError(f"`{value.name}` of {path} is not a tensor; only tensors can be sent to a board.")
    tensor = value.type.tensor_type
    if tensor.elem_type not in helper.get_all_tensor_dtypes():
        raise ModelError(f"`{value.name}` of {path} has no known type.")
    dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    sizes = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
    return TensorSpec(name=value.name, shape=sizes, dtype=dtype)


def _refuse_odd_types(inputs: tuple[TensorSpec, ...], path: Path) -> None:
    known = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "bool")
    for spec in inputs:
        if spec.dtype not in known:
            raise ModelError(f"Input `{spec.name}` of {path} has the type {spec.dtype}; known are {', '.join(known)}.")
