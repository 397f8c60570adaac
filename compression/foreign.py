"""One place where the exceptions of onnx and onnxruntime, and of the disk, become this package's own."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from .errors import CompressionError, UnsupportedRecipeError

# onnxruntime's own words for an operator, an opset or a file version that it has no code for
_LACKS = (
    (re.compile(r"No Op registered for (\S+) with domain_version of (\d+)"), "has no operator `{0}` at opset {1}"),
    (re.compile(r"(\S+):(\w+)\(-?\d+\) is not a registered function/op"), "has no operator `{1}` of the domain {0}"),
    (
        re.compile(r"Could not find an implementation for (\w+)\((\d+)\)"),
        "has no code for the operator `{0}`, version {1}",
    ),
    (re.compile(r"Opset (\d+) is under development.* is till opset (\d+)", re.DOTALL), "knows opsets to {1}, not {0}"),
    (re.compile(r"Unsupported model IR version: (\d+), max.*: (\d+)"), "reads IR versions to {1}, not {0}"),
)
# What says nothing to a user: status words, the file's name in the cache, a place in the library's source
_NOISE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed: ?|\S+\.(?:cc|h):\d+ .*?\) (?=[A-Z])"
)


@contextmanager
def foreign_errors(doing: str) -> Generator[None]:
    """Turn what onnx and onnxruntime raise inside the block into one sentence that begins with `doing`.

    An operator that the runtime lacks is UnsupportedRecipeError, as another runtime or version may have it; all else is
    CompressionError. Both libraries raise plain builtins from deep inside their converters, hence the long list: errors
    of ours and what a user's Ctrl-C raises pass through.
    """
    try:
        yield
    except CompressionError:
        raise
    except OSError as error:
        raise disk_error(doing, error) from error
    except MemoryError as error:
        raise CompressionError(f"{doing}: not enough memory on this machine.") from error
    except _exception_types() as error:
        lacking = _lacking(str(error))
        if lacking is not None:
            raise UnsupportedRecipeError(f"{doing}: {lacking}") from error
        raise CompressionError(f"{doing}: {_first_sentence(error)}.") from error


def _exception_types() -> tuple[type[BaseException], ...]:
    from google.protobuf.message import Error as ProtobufError
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError

    native = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "NoSuchFile", "NoModel")
    names += ("RuntimeException", "EPFail", "ModelLoaded")
    runtime = tuple(getattr(native, name) for name in names if hasattr(native, name))
    builtins = (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, RuntimeError)
    return (*runtime, ValidationError, InferenceError, ProtobufError, *builtins)


def _lacking(message: str) -> str | None:
    """Return what onnxruntime says that it lacks, None if the message is about something else."""
    for pattern, words in _LACKS:
        found = pattern.search(message)
        if found is not None:
            return f"onnxruntime {version('onnxruntime')} {words.format(*found.groups())}."
    return None


def _first_sentence(error: BaseException, limit: int = 240) -> str:
    """Return the first line of a foreign message, without what means nothing to a user."""
    lines = [line for line in (_NOISE.sub("", raw).strip() for raw in str(error).splitlines()) if line]
    text = lines[0].rstrip(".") if lines else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def disk_error(doing: str, error: OSError) -> CompressionError:
    """Return the sentence for a file that could not be read or written."""
    where = f" {Path(os.fsdecode(error.filename)).name}" if isinstance(error.filename, str | bytes) else ""
    return CompressionError(f"{doing}: the file{where} could not be read or written: {error.strerror or error}.")
