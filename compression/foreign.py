"""One place where the exceptions of onnx and onnxruntime, and of the disk, become this package's own."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from .errors import CompressionError, UnsupportedRecipeError

# onnxruntime's own words for an operator, an opset or a type that it has no kernel for
_LACKS = re.compile(
    r"NOT_IMPLEMENTED|No Op registered for|is not a registered function/op|Could not find an implementation"
    r"|opset \d+ is under development|Unsupported model IR version",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")


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
        sentence = f"{doing}: {first_sentence(error)}"
        if _LACKS.search(str(error)):
            raise UnsupportedRecipeError(f"{sentence} (onnxruntime {_runtime_version()})") from error
        raise CompressionError(sentence) from error


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


def _runtime_version() -> str:
    from importlib.metadata import version

    return version("onnxruntime")


def first_sentence(error: BaseException, limit: int = 240) -> str:
    """Return the first line of a foreign message, without prefixes that mean nothing to a user."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _PREFIX.sub("", lines[0]) if lines else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def disk_error(doing: str, error: OSError) -> CompressionError:
    """Return the sentence for a file that could not be read or written."""
    where = f" {Path(os.fsdecode(error.filename)).name}" if isinstance(error.filename, str | bytes) else ""
    return CompressionError(f"{doing}: the file{where} could not be read or written: {error.strerror or error}.")
