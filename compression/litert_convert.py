"""PyTorch to TFLite by litert-torch, in an environment of its own: the second route, for torch sources.

The environment holds 2.1 GB (its own torch, JAX and the converter) and is made when first used; it needs Python 3.11,
which a bare Debian 12 has, where onnx2tf needs 3.12. The file keeps the model's axes: NCHW stays NCHW.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .errors import CompressionError
from .foreign import disk_error
from .program import death, run_program
from .tflite_file import is_tflite
from .toolenv import LITERT_TORCH, Say, silent, tool_env

TIMEOUT_S = 1200.0
_DOING = "Converting to TFLite"
_WORKER = Path(__file__).with_name("litert_worker.py")


def convert_program(program: bytes, *, say: Say = silent) -> bytes:
    """Return a float32 .tflite file of a program as `torch.export.save` writes it, exported with one sample.

    Its torch must be 2.13, as the environment's is. Raises UnsupportedRecipeError where no Python for the environment
    is found or it cannot be installed, CompressionError where the program cannot be converted.
    """
    python = tool_env(LITERT_TORCH, say=say)
    say(f"{_DOING} with {LITERT_TORCH.requirements[0]}.")
    try:
        with tempfile.TemporaryDirectory(prefix="hilbench-litert-") as name:
            source, target = Path(name) / "model.pt2", Path(name) / "model.tflite"
            source.write_bytes(program)
            argv = [python, "-I", _WORKER, source, target]
            finished = run_program(argv, doing=_DOING, timeout_s=TIMEOUT_S, folder=Path(name))
            data = target.read_bytes() if finished.code == 0 and target.is_file() else b""
    except OSError as error:
        raise disk_error(_DOING, error) from error
    if not is_tflite(data[:8]):
        raise CompressionError(f"{_DOING}: litert-torch {death(finished.code)}: {finished.last_line}.")
    return data
