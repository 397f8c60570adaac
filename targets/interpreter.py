"""A board's Python as a wheel sees it, and what hilbench put beside it already: one look, one command."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any

from .board import Arch
from .connection import Completed, Connection
from .errors import NoWheelError, TargetError
from .pins import PythonVersion
from .wheels import WheelTarget

MANIFEST = "hilbench.json"

_LOOK_TIMEOUT_S = 120.0
_LEAST_PYTHON = (3, 10)
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # of a POSIX shell
_32_BIT = {"aarch64": "armv7l", "x86_64": "i686"}  # a 32-bit system may run on a 64-bit kernel
_ARCH = {"aarch64": Arch.ARM64, "armv7l": Arch.ARMHF, "x86_64": Arch.X86_64}

# Written for any Python 3: an old one must be able to say that it is old. What another account put in our place is not
# looked at. argv: workdir, name of the manifest.
_PROGRAM = """
import importlib.util, json, os, platform, struct, sys, sysconfig
own = "%s/account-%d" % (sys.argv[1], os.getuid())
there = own
while not os.path.isdir(there):
    there = os.path.dirname(there)
space = os.statvfs(there)
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION")
except (AttributeError, OSError, ValueError):
    libc = None
installed = {}
folder = own + "/runtimes"
mine = os.path.isdir(folder) and os.stat(own).st_uid == os.stat(folder).st_uid == os.getuid()
for name in sorted(os.listdir(folder)) if mine else []:
    try:
        with open("%s/%s/%s" % (folder, name, sys.argv[2])) as file:
            installed[folder + "/" + name] = json.load(file)
    except (OSError, ValueError):
        pass
print("hilbench:" + json.dumps({
    "python": sys.version_info[:2], "implementation": platform.python_implementation(),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "machine": platform.machine(), "bits": 8 * struct.calcsize("P"), "libc": libc,
    "numpy": importlib.util.find_spec("numpy") is not None, "own": own, "installed": installed,
    "noexec": bool(space.f_flag & os.ST_NOEXEC), "free_bytes": space.f_bavail * space.f_frsize,
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A runtime that hilbench unpacked on the board. `numpy` None = it uses the board's own."""

    folder: str
    runtime: str
    version: str
    numpy: str | None
    python: PythonVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """What an interpreter on the board is, and the folder of this account beside it.

    `libc` is the C library's own word, such as `glibc 2.36`; None on musl. `noexec` says whether the file system of
    `own` forbids execution, which loading a library needs.
    """

    path: str
    python: PythonVersion
    implementation: str
    free_threaded: bool
    machine: str
    libc: str | None
    has_numpy: bool
    own: str
    noexec: bool
    free_bytes: int
    installed: tuple[Installed, ...]


def look_at(connection: Connection, board: str, python: str, workdir: str) -> Interpreter:
    """Ask an interpreter of the board what it is. Raises TargetError where there is none."""
    command = shlex.join([python, "-c", _PROGRAM, workdir, MANIFEST])
    done = connection.run(command, timeout_s=_LOOK_TIMEOUT_S)
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith("hilbench:")]
    if done.status != 0 or not lines:
        raise _no_answer(board, python, done)
    return parse_look(python, json.loads(lines[-1].removeprefix("hilbench:")))


def parse_look(path: str, answer: dict[str, Any]) -> Interpreter:
    """The interpreter that the board's answer describes."""
    machine = str(answer["machine"])
    return Interpreter(
        path=path,
        python=_version(answer["python"]),
        implementation=answer["implementation"],
        free_threaded=answer["free_threaded"],
        machine=_32_BIT.get(machine, machine) if answer["bits"] == 32 else machine,
        libc=answer["libc"],
        has_numpy=answer["numpy"],
        own=answer["own"],
        noexec=answer["noexec"],
        free_bytes=answer["free_bytes"],
        installed=tuple(_installed(folder, facts) for folder, facts in answer["installed"].items()),
    )


def wheel_target(board: str, found: Interpreter) -> WheelTarget:
    """What a wheel must fit on this board.

    Raises NoWheelError where none can (old or foreign Python, musl, an unknown machine), TargetError where the board's
    folder cannot hold libraries; each is one sentence that says what to do.
    """
    python = f"{found.path} on {board} is {found.implementation} {found.python[0]}.{found.python[1]}"
    other = "name with `python:` in the inventory"
    if found.python < _LEAST_PYTHON:
        raise NoWheelError(f"{python}, and hilbench needs Python 3.10 or newer there: {other} a newer one")
    if found.implementation != "CPython" or found.free_threaded:
        kind = " without a global lock" if found.free_threaded else ""
        raise NoWheelError(f"{python}{kind}, for which no runtime is published: {other} an ordinary CPython")
    arch = _ARCH.get(found.machine)
    if arch is None:
        raise NoWheelError(f"{board} is a {found.machine}, for which no runtime is published: {other} one that has it")
    glibc = re.fullmatch(r"glibc (\d+)\.(\d+).*", found.libc or "")
    if glibc is None:
        raise NoWheelError(
            f"{board} has another C library than glibc (musl, as on Alpine), for which no runtime is published: "
            f"{other} an interpreter that has a build of it"
        )
    if found.noexec:
        raise TargetError(
            f"{board} forbids execution in {found.own} (its file system is mounted noexec), so no library can be "
            "loaded from there: set `workdir:` in the inventory to a folder that allows it, such as one in the "
            "account's home"
        )
    return WheelTarget(arch=arch, python=found.python, glibc=(int(glibc[1]), int(glibc[2])))


def _no_answer(board: str, python: str, done: Completed) -> TargetError:
    said = (done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.status}"])[-1]
    if done.status == _NOT_FOUND:
        return TargetError(
            f"{board} has no {python}: hilbench needs Python 3.10 or newer there (on Debian the package python3), or "
            "name with `python:` in the inventory where it is"
        )
    if done.status == _NOT_EXECUTABLE:
        return TargetError(f"{python} on {board} may not be executed by this account: {said}")
    return TargetError(f"{python} on {board} cannot be asked what it is: {said}")


def _installed(folder: str, facts: dict[str, Any]) -> Installed:
    return Installed(
        folder=folder,
        runtime=str(facts.get("runtime")),
        version=str(facts.get("version")),
        numpy=facts.get("numpy"),
        python=_version(facts.get("python", (0, 0))),
    )


def _version(value: Any) -> PythonVersion:
    major, minor = value
    return int(major), int(minor)
