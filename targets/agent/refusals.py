"""The one place where a runtime's exception becomes an outcome and a sentence."""

from __future__ import annotations

import re

from .failures import ERROR, MEMORY_EXHAUSTED, UNSUPPORTED, CellFailure, one_sentence

_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate memory", "cannot allocate memory")

# What the runtimes say when they know the file but lack what it needs: ONNX Runtime 1.17 to 1.32 and the operator
# resolver of TensorFlow Lite 2.14 and LiteRT 2.3.
_LACKING = (
    (r"No Op registered for (\S+) with domain_version of (\d+)", "it has no operator {0} of opset {1}"),
    (r"Fatal error: (\S+?)\(\S+\) is not a registered function/op", "it has no operator {0}"),
    (
        r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
        "the IR version is {0}, it reads up to {1}",
    ),
    (r"Opset (\d+) is under development.*?is till opset (\d+)", "the opset is {0}, it supports up to {1}"),
    (r"Could not find an implementation for (\S+?)\((\d+)\)", "it has no implementation of {0} of opset {1}"),
    (r"Didn't find op for builtin opcode '(\S+)' version '(\d+)'", "it has no operator {0} of version {1}"),
    (r"[Ee]ncountered unresolved custom op: (\S+?)\.?(?:\s|$)", "it has no operator {0}"),
)
_LACKING_TYPES = frozenset({"NotImplemented", "InvalidGraph"})  # of onnxruntime.capi.onnxruntime_pybind11_state


def translate(error: Exception, doing: str) -> CellFailure:
    """What an exception of a runtime means for the cell.

    `unsupported` where this runtime lacks what the model needs: an operator, an opset, an IR version, a type; all else
    is `error`. `doing` is a clause such as "while it loaded the model".
    """
    text = str(error)
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _OUT_OF_MEMORY):
        return CellFailure(ERROR, f"{MEMORY_EXHAUSTED} {doing}")
    for pattern, sentence in _LACKING:
        if found := re.search(pattern, text, re.DOTALL):
            lacks = sentence.format(*found.groups())
            return CellFailure(UNSUPPORTED, f"the runtime lacks what this model needs: {lacks}")
    said = one_sentence(_plain(text)) if text.strip() else type(error).__name__
    if type(error).__name__ in _LACKING_TYPES:
        return CellFailure(UNSUPPORTED, f"the runtime lacks what this model needs: {said}")
    return CellFailure(ERROR, f"the runtime failed {doing}: {said}")


def _plain(text: str) -> str:
    """Without ONNX Runtime's code (`[ONNXRuntimeError] : 1 : FAIL : `) and the C++ function that raised it."""
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    if text.startswith("/onnxruntime_src/"):
        text = text.rpartition(") ")[2]
    return text
