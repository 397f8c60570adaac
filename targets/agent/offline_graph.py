"""A graph that ONNX Runtime optimised on this board, written to its cache and loaded without being optimised again.

At the level `all` such a graph fits the processor that it was made on (layouts, fusions): here that is the point, as it
is made and used on the same board. It is made in a child process, so that the process that is measured holds nothing of
it, and lies beside the model: `<sha256 of the graph>.onnx`, found by `<key>.graph`, which holds that hash. The key is
made of all that the graph depends on, so another release of the runtime makes another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from .failures import ERROR, UNSUPPORTED, CellFailure, explain_exit
from .modelfile import model_sha256
from .phase import enter_phase
from .refusals import translate
from .runtime_onnx import providers_of, session_options

_DOING = "while it optimised the graph"
_CPUINFO = Path("/proc/cpuinfo")


def with_offline_graph(module: ModuleType, cell: Mapping[str, Any]) -> dict[str, Any]:
    """The cell with its optimised graph for a model, made now if this board has none; `offline` says which it is.

    Raises CellFailure where it cannot be made or written.
    """
    enter_phase("load")
    folder = Path(cell["model"]).parent
    index = folder / f"{graph_key(module, cell)}.graph"
    found = _known(folder, index) or _made(module, cell, folder, index)
    for path in (found, index):
        with suppress(OSError):  # another account's: it only looks older than it is
            os.utime(path)  # the cache lets go first of what was not used longest
    return {**cell, "model": str(found), "offline": {"sha256": found.stem, "bytes": found.stat().st_size}}


def graph_key(module: ModuleType, cell: Mapping[str, Any]) -> str:
    """What a graph is made of, as a sha256: model, runtime, level, providers, and what the processor can do."""
    parts = (
        model_sha256(cell["model"]),
        str(module.__version__),
        cell["graph_optimization"],
        list(cell["providers"]),
        platform.machine(),
        _cpu_flags(),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _cpu_flags() -> list[str]:
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return sorted(
        {flag for line in re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE) for flag in line.split()}
    )


def _known(folder: Path, index: Path) -> Path | None:
    """The graph that the index names, if it is there and whole: memory cards lose bits without a word."""
    try:
        sha256 = index.read_text(encoding="ascii").strip()
    except OSError:
        return None
    path = folder / f"{sha256}.onnx"
    return path if sha256 and model_sha256(str(path)) == sha256 else None


def _made(module: ModuleType, cell: Mapping[str, Any], folder: Path, index: Path) -> Path:
    part = folder / f"{index.stem}.part{os.getpid()}"
    try:
        _in_a_child(module, cell, part)
        sha256 = model_sha256(str(part))
        if sha256 is None:
            raise CellFailure(UNSUPPORTED, "this build of onnxruntime wrote no optimised graph")
        path = folder / f"{sha256}.onnx"
        part.replace(path)
        noted = part.with_suffix(f".note{os.getpid()}")
        noted.write_text(sha256, encoding="ascii")
        noted.replace(index)
    except OSError as error:
        raise CellFailure(ERROR, f"the optimised graph cannot be kept in {folder}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _in_a_child(module: ModuleType, cell: Mapping[str, Any], path: Path) -> None:
    """Write the graph from a forked process and wait for it. Raises CellFailure with what it said."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            os.write(writer, json.dumps(_written(module, cell, path)).encode())
        finally:
            os._exit(0)  # nothing of the parent may run its exit handlers twice
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    if not said:
        code = os.waitstatus_to_exitcode(status)
        raise explain_exit(code, phase=_DOING, oom_kills=None, last_words="")
    outcome, reason = json.loads(said)
    if outcome is not None:
        raise CellFailure(outcome, reason)


def _written(module: ModuleType, cell: Mapping[str, Any], path: Path) -> tuple[str | None, str]:
    """Write the graph; how that failed, (None, "") if it did not."""
    try:
        options = session_options(module, cell, cell["graph_optimization"])
        options.optimized_model_filepath = str(path)
        module.InferenceSession(cell["model"], sess_options=options, providers=providers_of(module, cell))
    except CellFailure as failure:
        return failure.outcome, failure.reason
    except Exception as error:  # noqa: BLE001  runtimes raise bare subclasses of Exception
        failure = translate(error, _DOING)
        return failure.outcome, failure.reason
    return None, ""
