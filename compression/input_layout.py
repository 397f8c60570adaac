"""A file that takes its images in another layout: a transposition in front of an ONNX graph.

Convolutions of ONNX are defined for NCHW, yet a runtime computes in the layout that it has kernels for: ONNX Runtime
turns quantized convolutions to NHWC and turns the input first. Where the input is NHWC already, the two transpositions
cancel out. Cameras give NHWC too. Which layout is faster is for a board to say; the answers are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .apply import Artifact
from .cache import read_whole, write_atomically
from .errors import CompressionError, UnsupportedRecipeError
from .foreign import disk_error
from .interface import Interface, same
from .tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

_IMAGE_AXES = 4
# The axes of one layout in the order of the other.
_TO = {"NHWC": (0, 2, 3, 1), "NCHW": (0, 3, 1, 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """The file that goes to a board for an artifact. `interface` says how its ports differ from the model's."""

    path: Path
    sha256: str
    interface: Interface | None


def as_it_is(artifact: Artifact) -> LaidOut:
    """The artifact's own file."""
    return LaidOut(path=artifact.path, sha256=artifact.sha256, interface=artifact.interface)


def has_images(inputs: Sequence[TensorSpec]) -> bool:
    """Whether a model takes anything with the four axes of images."""
    return any(_is_image(spec) for spec in inputs)


def laid_out(
    artifact: Artifact, model: tuple[Sequence[TensorSpec], Sequence[TensorSpec]], now: str, wanted: str, *, cache: Path
) -> LaidOut:
    """Return a file of the artifact that takes its images in the layout `wanted`; it is made once and kept in `cache`.

    `model` are the model's inputs and outputs, whose images have the layout `now`. Raises UnsupportedRecipeError where
    no input has the four axes of images, and where the file is not ONNX.
    """
    if now == wanted:
        return as_it_is(artifact)
    inputs, outputs = model
    if not has_images(inputs):
        raise UnsupportedRecipeError("no input has the four axes of images, so it has no layout to choose")
    if artifact.format != "onnx" or artifact.interface is not None:
        raise UnsupportedRecipeError(f"the layout of the input is chosen for ONNX files; this is {artifact.path.name}")
    content, names = transposed(_read(artifact), [spec.name for spec in inputs if _is_image(spec)], wanted)
    sha256 = hashlib.sha256(content).hexdigest()
    path = cache / "artifacts" / f"{sha256}.onnx"
    if read_whole(path, sha256) is None:
        write_atomically(path, content)
    plain = same(inputs, outputs)
    ports = tuple(
        replace(port, file_name=names[port.name], axes=_TO[wanted]) if port.name in names else port
        for port in plain.inputs
    )
    return LaidOut(path=path, sha256=sha256, interface=Interface(inputs=ports, outputs=plain.outputs))


def transposed(content: bytes, images: Sequence[str], wanted: str) -> tuple[bytes, dict[str, str]]:
    """Return an ONNX file whose inputs `images` are taken in the layout `wanted`, and their new names by the old ones.

    The old name stays the name of what the transposition gives, so that no other node has to be touched. The same file
    gives the same bytes. Raises CompressionError for an input that the file has not.
    """
    from onnx import ModelProto

    proto: ModelProto = ModelProto.FromString(content)
    taken = {*_names(proto.graph)}
    renamed: dict[str, str] = {}
    for name in images:
        port = next((one for one in proto.graph.input if one.name == name), None)
        if port is None or len(port.type.tensor_type.shape.dim) != _IMAGE_AXES:
            raise CompressionError(f"The file has no input `{name}` of four axes whose layout could be changed.")
        renamed[name] = _free(f"{name}_{wanted.lower()}", taken)
        _put_in_front(proto, port, renamed[name], wanted)
    return proto.SerializeToString(deterministic=True), renamed


def _is_image(spec: TensorSpec) -> bool:
    return len(spec.shape) == _IMAGE_AXES


def _put_in_front(proto: ModelProto, port: ValueInfoProto, name: str, wanted: str) -> None:
    from onnx import helper

    back = _TO["NCHW" if wanted == "NHWC" else "NHWC"]
    node = helper.make_node("Transpose", [name], [port.name], name=f"{name}_transposed", perm=list(back))
    proto.graph.node.insert(0, node)
    axes = port.type.tensor_type.shape.dim
    turned = [type(axes[axis]).FromString(axes[axis].SerializeToString()) for axis in _TO[wanted]]
    port.name = name
    del axes[:]
    axes.extend(turned)


def _names(graph: GraphProto) -> set[str]:
    ports = [value.name for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer)]
    return {*ports, *(name for node in graph.node for name in (node.name, *node.input, *node.output))}


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _read(artifact: Artifact) -> bytes:
    try:
        return artifact.path.read_bytes()
    except OSError as error:
        raise disk_error(f"Reading {artifact.path}", error) from error
