"""The versions of the libraries that have a say in an artifact's bytes, by the steps that made it."""

from __future__ import annotations

from collections.abc import Iterable

from .cache import installed_version
from .formats import TRAINING

_ALWAYS = ("hilbench", "onnx", "onnxruntime", "numpy")
_TRAINING = ("torch", "onnxscript", "onnxslim", "onnx2torch")
_OF_KIND = {
    **dict.fromkeys(TRAINING, _TRAINING),
    "prune-channels": (*_TRAINING, "torch-pruning"),
    "prune-taylor": _TRAINING,
    "qat": (*_TRAINING, "torchao"),
    "tflite": ("onnxslim", "ai-edge-quantizer", "ai-edge-litert"),
    "fp16": ("ai-edge-quantizer",),
    "int8-static": ("ai-edge-quantizer",),
    "int8-dynamic": ("ai-edge-quantizer",),
}


def versions_of(kinds: Iterable[str]) -> dict[str, str]:
    """Return name and version of each library that steps of these kinds use; what is not installed is left out."""
    names = dict.fromkeys(_ALWAYS) | dict.fromkeys(name for kind in kinds for name in _OF_KIND.get(kind, ()))
    found = {name: installed_version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}
