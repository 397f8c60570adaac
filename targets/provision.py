"""What can run on a board: each runtime is imported there by the interpreter that the inventory names.

A board reached by SSH that lacks a runtime gets it: the controller finds the wheels, pushes and unpacks them.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .board import Board, BoardRuntime, SshAddress
from .connection import Connection
from .errors import NoWheelError, TargetError, TransientTargetError
from .install import install, uninstall
from .interpreter import Interpreter, look_at, wheel_target
from .pins import Pin, arch_words, own_numpy_sentence, pin_for
from .wheels import WheelTarget, find_wheel

Say = Callable[[str], None]

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
    """A runtime on a board: its version, or the reason why it cannot be used.

    `site` is the folder where hilbench put it, None where it is the board's own. `pin` is the release that hilbench put
    there, or that it would put there where there is none. `impossible` says that no release can be put there: an
    answer, not a failure.
    """

    version: str | None = None
    python: str | None = None
    numpy: str | None = None
    reason: str | None = None
    site: str | None = None
    pin: Pin | None = None
    impossible: bool = False


def runtime_versions(connection: Connection, board: Board) -> Mapping[str, RuntimeFound]:
    """What each runtime of the board answers when it is imported there: its own, else the one that hilbench put there.

    Nothing is put there by this.
    """
    looks: dict[str, Interpreter] = {}
    return {runtime.name: _own_or_installed(connection, board, runtime, looks) for runtime in board.runtimes}


def provide_runtimes(
    connection: Connection, board: Board, wanted: Collection[BoardRuntime], *, wheels: Path, say: Say
) -> Mapping[BoardRuntime, RuntimeFound]:
    """What each of `wanted` answers on the board, once what it lacks was put there; `wheels` is the cache of wheels.

    Only boards reached by SSH are given anything, and never a runtime that they have already. Raises TargetError where
    none can be used although one could be, such as for want of disk.
    """
    found = {runtime: _provide(connection, board, runtime, wheels, say) for runtime in wanted}
    if all(one.version is None for one in found.values()) and not all(one.impossible for one in found.values()):
        raise TargetError(_none_usable(board, found))
    return found


def is_provisioned(board: Board, runtime: BoardRuntime) -> bool:
    """Whether hilbench may put this runtime on the board: not on this machine, not where its folder is named."""
    return isinstance(board.address, SshAddress) and runtime.site is None and not runtime.command


def _none_usable(board: Board, found: Mapping[BoardRuntime, RuntimeFound]) -> str:
    if all(is_provisioned(board, runtime) for runtime in found):  # each reason says itself what to do
        return "; ".join(dict.fromkeys(str(one.reason) for one in found.values()))
    reasons = "; ".join(f"{runtime.name} by {runtime.python}: {one.reason}" for runtime, one in found.items())
    return (
        f"{board.name} has no runtime that can be used ({reasons}); install it there, or name the interpreter that "
        "has it (`python:` in the inventory, or `bench --python`)"
    )


def _provide(connection: Connection, board: Board, runtime: BoardRuntime, wheels: Path, say: Say) -> RuntimeFound:
    found = _try(connection, runtime)
    if found.version is not None and _serves(found, runtime, say):
        return found
    if not is_provisioned(board, runtime):
        return found
    try:
        return _put_there(connection, board, runtime, wheels, say)
    except TransientTargetError:
        raise
    except TargetError as error:
        return RuntimeFound(reason=str(error), impossible=isinstance(error, NoWheelError))


def _serves(found: RuntimeFound, runtime: BoardRuntime, say: Say) -> bool:
    """Whether the board's own runtime is the one that is asked for; one in a named interpreter is never replaced."""
    if runtime.version in (None, found.version):
        return True
    if runtime.python == BoardRuntime(name=runtime.name).python:
        return False
    say(f"{runtime.python} has {runtime.name} {found.version}, which is used; the inventory says {runtime.version}")
    return True


def _put_there(connection: Connection, board: Board, runtime: BoardRuntime, wheels: Path, say: Say) -> RuntimeFound:
    interpreter = look_at(connection, board.name, runtime.python, board.workdir)
    target = wheel_target(board.name, interpreter)
    pin = _pin(runtime, target)
    if pin.numpy is None and not interpreter.has_numpy:
        raise NoWheelError(own_numpy_sentence(board.name, pin, target.arch))
    there = _installed(connection, runtime, interpreter, pin)
    if there.version is not None:
        return there
    glibc = f"glibc {target.glibc[0]}.{target.glibc[1]}"
    say(f"{pin.runtime} is not there; providing {pin.version} for {_described(target)}, {glibc}")
    files = dict(find_wheel(wheels, name, version, target, say=say) for name, version in _releases(pin))
    folder = install(connection, board.name, interpreter, pin, files, workdir=board.workdir, say=say)
    found = replace(_try(connection, replace(runtime, site=folder)), site=folder, pin=pin)
    if found.version is None:
        uninstall(connection, folder)
        raise TargetError(f"{pin.runtime} {pin.version}, put on {board.name}, cannot be imported there: {found.reason}")
    say(f"{pin.runtime} {found.version} is in place in {folder}")
    return found


def _own_or_installed(
    connection: Connection, board: Board, runtime: BoardRuntime, looks: dict[str, Interpreter]
) -> RuntimeFound:
    """`looks` keeps what each interpreter said: to start one takes a second on a slow board."""
    own = _try(connection, runtime)
    if not is_provisioned(board, runtime) or (own.version is not None and _serves(own, runtime, say=lambda _: None)):
        return own
    try:
        if runtime.python not in looks:
            looks[runtime.python] = look_at(connection, board.name, runtime.python, board.workdir)
        interpreter = looks[runtime.python]
        pin = _pin(runtime, wheel_target(board.name, interpreter))
    except TransientTargetError:
        raise
    except TargetError as error:
        return RuntimeFound(reason=str(error), impossible=isinstance(error, NoWheelError))
    there = _installed(connection, runtime, interpreter, pin)
    if there.version is not None:
        return there
    if there.site is not None:
        return replace(there, reason=f"what hilbench put there is broken and will be put anew: {there.reason}")
    return RuntimeFound(reason=f"not there; `run` and `bench` put {pin.runtime} {pin.version} there", pin=pin)


def _installed(connection: Connection, runtime: BoardRuntime, interpreter: Interpreter, pin: Pin) -> RuntimeFound:
    """What hilbench put there earlier, tried; `site` None where nothing of this release is there."""
    wanted = (pin.runtime, pin.version, pin.numpy, interpreter.python)
    folders = [
        one.folder for one in interpreter.installed if (one.runtime, one.version, one.numpy, one.python) == wanted
    ]
    if not folders:
        return RuntimeFound()
    return replace(_try(connection, replace(runtime, site=folders[-1])), site=folders[-1], pin=pin)


def _pin(runtime: BoardRuntime, target: WheelTarget) -> Pin:
    return pin_for(runtime.name, arch=target.arch, python=target.python, version=runtime.version, numpy=runtime.numpy)


def _releases(pin: Pin) -> list[tuple[str, str]]:
    numpy = [] if pin.numpy is None else [("numpy", pin.numpy)]
    return [(pin.runtime, pin.version), *numpy]


def _described(target: WheelTarget) -> str:
    return f"Python {target.python[0]}.{target.python[1]} on {arch_words(target.arch)}"


def _try(connection: Connection, runtime: BoardRuntime) -> RuntimeFound:
    if runtime.command:
        return _program(connection, runtime.command[0])
    words = [runtime.python, "-c", _PROGRAM, _MODULES[runtime.name], runtime.name]
    prefix = f"PYTHONPATH={shlex.quote(runtime.site)} " if runtime.site else ""
    done = connection.run(prefix + shlex.join(words), timeout_s=IMPORT_TIMEOUT_S)
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith("hilbench:")]
    if lines:
        answer: dict[str, Any] = json.loads(lines[-1].removeprefix("hilbench:"))
        return RuntimeFound(**answer)
    last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no answer"])[-1]
    return RuntimeFound(reason=f"{runtime.python} ended with status {done.status}: {last}")


def _program(connection: Connection, program: str) -> RuntimeFound:
    """Where a program that stands for a runtime is; it tells its version, if at all, only when it runs a model."""
    done = connection.run(f"command -v {shlex.quote(program)}", timeout_s=IMPORT_TIMEOUT_S)
    lines = done.stdout.decode(errors="replace").split("\n")
    path = next((line for line in lines if line.endswith(program)), None)  # a login shell may greet before
    if done.status == 0 and path is not None:
        return RuntimeFound(version=path)
    return RuntimeFound(reason=f"the program {program} is not there", impossible=True)
