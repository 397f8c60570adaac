"""Which runtime judges a model on this machine: the one that the board has, in the board's version if possible.

The same .tflite file can be right in ai-edge-litert and wrong in tflite-runtime 2.14 (a fully connected layer with
weights scaled per channel and dynamic activations: 98 % and 10 % of the digits, without an error). What a board ships
with tflite-runtime is therefore judged by tflite-runtime of the same version, which needs an old Python and numpy 1: an
environment of its own.
"""

from __future__ import annotations

from pathlib import Path

from .cache import installed_version
from .errors import UnsupportedRecipeError
from .host import HostRuntime, open_model
from .tflite_child import TfliteChild
from .toolenv import TFLITE_RUNTIME, Say, silent, tool_env

_BOARDS = TFLITE_RUNTIME.requirements[0].replace("==", " ")


def judge_name(runtime: str, *, say: Say = silent) -> str | None:
    """Return the runtime with its version as `open_judge` would load it (`tflite-runtime 2.14.0`), None if it cannot.

    `runtime` is `onnxruntime`, `tflite-runtime` or `ai-edge-litert`. Part of the key of what is kept.
    """
    if runtime == TFLITE_RUNTIME.name:
        return None if _boards_python(say) is None else _BOARDS
    version = installed_version(runtime)
    return None if version is None else f"{runtime} {version}"


def open_judge(path: Path, runtime: str, *, doing: str, say: Say = silent) -> HostRuntime | None:
    """Load a model file into the runtime of that name, one thread; None where this machine cannot have it.

    None also where no Python for tflite-runtime is found or pip cannot install it: `say` is told why, and the file can
    still be judged on an emulated board. `doing` begins the sentence of an error. Raises UnsupportedRecipeError for an
    operator that the runtime lacks, CompressionError for what else keeps the file from loading, a crash included.
    """
    if runtime == TFLITE_RUNTIME.name:
        python = _boards_python(say)
        if python is None:
            return None
        child = TfliteChild(python, "tflite_runtime.interpreter", path, name=_BOARDS, doing=doing)
        return HostRuntime(name=_BOARDS, run=child.run, close=child.close)
    if installed_version(runtime) is None:
        return None
    return open_model(path, "onnx" if runtime == "onnxruntime" else "tflite", doing=doing)


def _boards_python(say: Say) -> Path | None:
    try:
        return tool_env(TFLITE_RUNTIME, say=say)
    except UnsupportedRecipeError as error:
        say(str(error))
        return None
