"""The controller's side of tflite_worker.py: a .tflite file loaded in another process, asked sample by sample."""

from __future__ import annotations

import json
import os
import re
import select
import struct
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CompressionError, UnsupportedRecipeError
from .foreign import disk_error
from .program import death, side_environment
from .task import Array

ANSWER_TIMEOUT_S = 300.0  # for loading, and for one sample
_WORKER = Path(__file__).with_name("tflite_worker.py")
_LACKS = (
    (re.compile(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'"), "the operator {0}, version {1}"),
    (re.compile(r"Encountered unresolved custom op: (\w+)"), "the custom operator {0}"),
)


class TfliteChild:
    """A .tflite file loaded in a process of its own, which ends with this object or by `close`.

    `name` (`tflite-runtime 2.14.0`) and `doing` word the errors. Raises UnsupportedRecipeError for an operator that the
    runtime lacks, CompressionError for a file that it refuses, for a crash, and where it gives no answer in time.
    """

    def __init__(self, python: Path, module: str, model: Path, *, name: str, doing: str) -> None:
        self._name = name
        self._doing = doing
        own = python == Path(sys.executable)  # sees what the controller sees; a side environment sees only itself
        argv = [str(python), "-P" if own else "-I", str(_WORKER), module, str(model.absolute())]
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=None if own else side_environment(), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise disk_error(doing, error) from error
        self._end = weakref.finalize(self, _end, self._process)
        try:
            self._answer()
        except CompressionError:
            self.close()
            raise

    def run(self, sample: Mapping[str, Array]) -> dict[str, Array]:
        """Return all outputs by name for one sample, inputs by their names in the file."""
        arrays = {name: np.asarray(values, order="C") for name, values in sample.items()}
        listed = [{"name": name, "dtype": a.dtype.str, "shape": a.shape} for name, a in arrays.items()]
        header = json.dumps({"tensors": listed}).encode()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(struct.pack(">I", len(header)) + header)
            for array in arrays.values():
                self._process.stdin.write(array.tobytes())
            self._process.stdin.flush()
        except OSError as error:  # a broken pipe: it died between two samples
            raise self._died() from error
        return self._answer()

    def close(self) -> None:
        """End the process; again is harmless."""
        self._end()

    def _answer(self) -> dict[str, Array]:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        header: dict[str, Any] = json.loads(self._read(struct.unpack(">I", self._read(4, deadline))[0], deadline))
        if "error" in header:
            raise self._refusal(str(header["error"]))
        found: dict[str, Array] = {}
        for entry in header["tensors"]:
            dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
            data = self._read(dtype.itemsize * int(np.prod(shape, dtype=np.int64)), deadline)
            found[entry["name"]] = np.frombuffer(data, dtype).reshape(shape).copy()
        return found

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        parts: list[bytes] = []
        while size > 0:
            handle = self._process.stdout.fileno()
            if not select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self.close()
                raise CompressionError(f"{self._doing}: {self._name} gave no answer within {ANSWER_TIMEOUT_S:g} s.")
            part = os.read(handle, min(size, 2**20))
            if not part:
                raise self._died()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _died(self) -> CompressionError:
        code = self._process.wait()
        return CompressionError(
            f"{self._doing}: {self._name} {death(code)} over the file: it is damaged, or the runtime cannot bear it."
        )

    def _refusal(self, message: str) -> CompressionError:
        for pattern, words in _LACKS:
            found = pattern.search(message)
            if found is not None:
                return UnsupportedRecipeError(f"{self._doing}: {self._name} lacks {words.format(*found.groups())}.")
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        return CompressionError(f"{self._doing}: {self._name} refuses the file: {lines[0].rstrip('.')[:240]}.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a worker go: it ends at the end of its stdin; one that hangs in C++ is killed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # a half-sent request to a process that died
                pipe.close()
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
