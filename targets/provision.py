"""What can run on a board: each runtime is imported there by the interpreter that the inventory names."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .board import Board, BoardRuntime
from .connection import Connection
from .errors import TargetError

IMPORT_TIMEOUT_S = 120.0  # an import takes some seconds on an emulated board
_MODULES = {
    "onnxruntime": "onnxruntime",
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}
# Each module's import is tried; the version is that of the installed distribution, as not every module tells it.
_PROGRAM = """
import json, sys
try:
    import numpy
    __import__(sys.argv[1])
    from importlib.metadata import version
    found = {"version": version(sys.argv[2]), "python": sys.version.split()[0], "numpy": numpy.__version__}
except Exception as error:
    found = {"reason": " ".join(("%s: %s" % (type(error).__name__, error)).split())[:300]}
print("hilbench:" + json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFound:
    """A runtime on a board: its version, or the reason why it cannot be used."""

    version: str | None = None
    python: str | None = None
    numpy: str | None = None
    reason: str | None = None


def runtime_versions(connection: Connection, board: Board) -> Mapping[str, RuntimeFound]:
    """What each runtime of the board answers when it is imported there."""
    return {runtime.name: _try(connection, runtime) for runtime in board.runtimes}


def _try(connection: Connection, runtime: BoardRuntime) -> RuntimeFound:
    words = [runtime.python, "-c", _PROGRAM, _MODULES[runtime.name], runtime.name]
    prefix = f"PYTHONPATH={shlex.quote(runtime.site)} " if runtime.site else ""
    done = connection.run(prefix + shlex.join(words), timeout_s=IMPORT_TIMEOUT_S)
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith("hilbench:")]
    if lines:
        answer: dict[str, str] = json.loads(lines[-1].removeprefix("hilbench:"))
        return RuntimeFound(**answer)
    last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no answer"])[-1]
    return RuntimeFound(reason=f"{runtime.python} ended with status {done.status}: {last}")


def try_runtimes(
    connection: Connection, board: str, wanted: Iterable[BoardRuntime]
) -> Mapping[BoardRuntime, RuntimeFound]:
    """What each of `wanted` answers when it is imported on the board. Raises TargetError where none can be used."""
    found = {runtime: _try(connection, runtime) for runtime in dict.fromkeys(wanted)}
    if all(one.version is None for one in found.values()):
        reasons = "; ".join(f"{runtime.name} by {runtime.python}: {one.reason}" for runtime, one in found.items())
        raise TargetError(
            f"{board} has no runtime that can be used ({reasons}); install it there, or name the interpreter that has "
            "it (`python:` in the inventory, or `bench --python`)"
        )
    return found
