"""Side environments: tools that do not fit into the controller's own environment get one each, made when first used.

onnx2tf pins other versions of onnx and numpy than this project, tflite-runtime wants numpy 1, litert-torch brings two
gigabytes. `python -m hilbench.compression.toolenv onnx2tf tflite-runtime` makes them beforehand.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import CompressionError, UnsupportedRecipeError
from .foreign import disk_error
from .program import run_program
from .pythons import find_python

Say = Callable[[str], None]

VENV_TIMEOUT_S = 300.0
PIP_TIMEOUT_S = 3600.0  # litert-torch: two gigabytes over a slow line
_READY = "ready"  # written last: an environment without it is half-made


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What an environment is made of: Python versions that will do, best first, and pip requirements."""

    name: str
    pythons: tuple[str, ...]
    requirements: tuple[str, ...]


ONNX2TF = Tool(name="onnx2tf", pythons=("3.12", "3.13"), requirements=("onnx2tf==2.6.9",))
# The board's own runtime: its newest wheels are for Python 3.11, and they were built against numpy 1.
TFLITE_RUNTIME = Tool(
    name="tflite-runtime", pythons=("3.11", "3.10"), requirements=("tflite-runtime==2.14.0", "numpy==1.26.4")
)
LITERT_TORCH = Tool(
    name="litert-torch", pythons=("3.11", "3.12"), requirements=("litert-torch==0.10.0", "torch==2.13.0")
)
TOOLS = {tool.name: tool for tool in (ONNX2TF, TFLITE_RUNTIME, LITERT_TORCH)}


def silent(sentence: str) -> None:
    """Say nothing: for callers without a user."""
    del sentence


def tool_env(tool: Tool, *, say: Say = silent) -> Path:
    """Return the Python of a tool's environment; makes the environment where it is not there yet.

    `say` is told in a sentence what takes its time. Two processes at once make it once. Raises UnsupportedRecipeError
    where no Python of the wanted version is found or pip cannot install, CompressionError where the disk refuses.
    """
    ready = ready_env(tool)
    if ready is not None:
        return ready
    python = find_python(tool.pythons, what=tool.name)
    folder = _folder(tool, python.version)
    with _locked(folder.with_name(f"{folder.name}.lock"), tool, say):
        if not _is_ready(folder):  # else another process made it meanwhile
            say(f"Making the environment of {tool.name} (once) in {folder}.")
            _make(tool, python.path, folder)
    return folder / "bin" / "python"


def ready_env(tool: Tool) -> Path | None:
    """Return the Python of a tool's environment if it was made before, None if not. Starts no program."""
    folders = (_folder(tool, version) for version in tool.pythons)
    return next((folder / "bin" / "python" for folder in folders if _is_ready(folder)), None)


def tools_folder() -> Path:
    """Return where environments lie: `HILBENCH_TOOLS_DIR`, else `~/.cache/hilbench/tools`."""
    given = os.environ.get("HILBENCH_TOOLS_DIR")
    if given:
        return Path(given).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "hilbench" / "tools"


def _folder(tool: Tool, version: str) -> Path:
    key = hashlib.sha256("\n".join((*tool.requirements, version)).encode()).hexdigest()[:12]
    return tools_folder() / f"{tool.name}-{key}"


def _is_ready(folder: Path) -> bool:
    # `python` is a link: where the Python it was made of is gone, the environment is made again.
    return (folder / _READY).is_file() and (folder / "bin" / "python").exists()


def _make(tool: Tool, python: Path, folder: Path) -> None:
    doing = f"Making the environment of {tool.name}"
    try:
        shutil.rmtree(folder, ignore_errors=True)  # what an interrupted attempt left
        made = run_program([python, "-I", "-m", "venv", folder], doing=doing, timeout_s=VENV_TIMEOUT_S)
        if made.code != 0:
            raise CompressionError(f"{doing} failed: {made.last_line}.")
        _install(tool, folder / "bin" / "python")
        (folder / _READY).write_text("\n".join(tool.requirements) + "\n")
    except OSError as error:
        raise disk_error(doing, error) from error


def _install(tool: Tool, python: Path) -> None:
    pip = [python, "-I", "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check"]
    doing = f"Installing {tool.name}"
    installed = run_program([*pip, *tool.requirements], doing=doing, timeout_s=PIP_TIMEOUT_S)
    if installed.code != 0:
        raise UnsupportedRecipeError(
            f"{tool.name} cannot be installed into its own environment (pip install {' '.join(tool.requirements)}): "
            f"{installed.last_line}."
        )


@contextmanager
def _locked(path: Path, tool: Tool, say: Say) -> Generator[None]:
    """Hold a lock file; the system lets go of it when this process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise disk_error(f"Locking the environment of {tool.name}", error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another process that makes the environment of {tool.name}.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def main(names: Sequence[str]) -> int:
    """Make the named environments and print where their Pythons are; 2 where that is impossible."""
    unknown = [name for name in names if name not in TOOLS]
    if unknown or not names:
        wrong = f"There is no tool `{unknown[0]}`" if unknown else "No tool is named"
        print(f"{wrong}; known are {', '.join(TOOLS)}.", file=sys.stderr)  # noqa: T201
        return 2
    code = 0
    for name in names:
        try:
            print(tool_env(TOOLS[name], say=lambda said: print(said, file=sys.stderr)))  # noqa: T201
        except CompressionError as error:
            print(error, file=sys.stderr)  # noqa: T201
            code = 2
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
