"""Put a runtime's wheels on a board and unpack them there with the board's own Python: no internet, no root, no pip."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from .connection import Completed, Connection
from .deploy import deploy
from .errors import BoardFullError, TargetError
from .interpreter import MANIFEST, Interpreter
from .pins import Pin
from .transfer import megabytes, quoted
from .wheels import UNNEEDED_FOLDER, UNNEEDED_SUFFIXES, unpacked_bytes

Say = Callable[[str], None]

_UNPACK_TIMEOUT_S = 900.0  # some 20 s on an emulated board
_REMOVE_TIMEOUT_S = 120.0
_MARGIN_BYTES = 8 << 20  # bytecode of the first import, the journal
_FULL = 28
_FOREIGN = 18

# $1 target folder, $2 manifest as JSON, $3 unneeded as JSON, then each wheel after its sha256. The cache is shared with
# other accounts, so what is unpacked are the very bytes that were hashed. The folder gets its name when all is in
# it, so what has the name is complete. A wheel's `NAME.data/purelib` and `platlib` belong beside its packages, the rest
# of `NAME.data` (scripts, headers) nowhere: PyPA's binary distribution format.
_PROGRAM = f"""
import errno, hashlib, io, json, os, shutil, sys, time, zipfile
target, manifest, unneeded = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
own = os.path.dirname(os.path.dirname(target))
part = "%s.part-%d" % (target, os.getpid())
def place(name):
    top, _, rest = name.partition("/")
    if top.endswith(".data"):
        kind, _, rest = rest.partition("/")
        return rest if kind in ("purelib", "platlib") else ""
    return name
def checked(sha256, wheel):
    with open(wheel, "rb") as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        sys.stderr.write(wheel + " is not the file that was sent: remove it")
        sys.exit({_FOREIGN})
    return io.BytesIO(data)
def unpack(wheel):
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = place(entry.filename)
            if name and unneeded["folder"] not in name and not name.endswith(tuple(unneeded["suffixes"])):
                entry.filename = name
                archive.extract(entry, part)
try:
    os.umask(0o022)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.stat(own).st_uid != os.getuid():
        sys.stderr.write(own + " belongs to another account")
        sys.exit({_FOREIGN})
    for name in os.listdir(os.path.dirname(target)):
        path = os.path.join(os.path.dirname(target), name)
        if ".part-" in name and time.time() - os.stat(path).st_mtime > 3600:
            shutil.rmtree(path, ignore_errors=True)
    for sha256, wheel in zip(sys.argv[4::2], sys.argv[5::2]):
        unpack(checked(sha256, wheel))
    with open(part + "/{MANIFEST}", "w") as file:
        file.write(manifest)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(part, target)
except SystemExit:
    shutil.rmtree(part, ignore_errors=True)
    raise
except (OSError, zipfile.BadZipFile) as error:
    shutil.rmtree(part, ignore_errors=True)
    sys.stderr.write("%s" % (getattr(error, "strerror", None) or error))
    sys.exit({_FULL} if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) else 1)
"""


def runtime_folder(own: str, pin: Pin, wheels: Mapping[str, Path]) -> str:
    """Where a runtime is unpacked on the board, named by its release and by the content of its wheels."""
    digest = hashlib.sha256("\n".join(sorted(wheels)).encode()).hexdigest()
    return f"{own}/runtimes/{pin.runtime}-{pin.version}-{digest[:12]}"


def install(
    connection: Connection,
    board: str,
    found: Interpreter,
    pin: Pin,
    wheels: Mapping[str, Path],
    *,
    workdir: str,
    say: Say,
) -> str:
    """Push the wheels (sha256 -> file) that the board lacks, unpack them, return the folder for `PYTHONPATH`.

    Raises BoardFullError where they do not fit, before anything is sent, and TargetError where they cannot be unpacked.
    """
    target = runtime_folder(found.own, pin, wheels)
    unpacked = sum(map(unpacked_bytes, wheels.values()))
    needed = unpacked + sum(file.stat().st_size for file in wheels.values()) + _MARGIN_BYTES
    if needed > found.free_bytes:
        raise BoardFullError(
            f"{board} needs {megabytes(needed)} for {pin.runtime} {pin.version}, has {megabytes(found.free_bytes)} at "
            f"{workdir}: make room there, or set `workdir:` in the inventory to a larger file system"
        )
    remote = deploy(connection, workdir, wheels, progress=say, board=board)
    say(f"unpacking {pin.runtime} {pin.version}, {megabytes(unpacked)}")
    manifest = {"runtime": pin.runtime, "version": pin.version, "numpy": pin.numpy, "python": found.python}
    unneeded = {"folder": UNNEEDED_FOLDER, "suffixes": UNNEEDED_SUFFIXES}
    given = [target, json.dumps({**manifest, "wheels": sorted(wheels)}), json.dumps(unneeded)]
    given += [word for pair in remote.items() for word in pair]
    done = connection.run(shlex.join([found.path, "-c", _PROGRAM, *given]), timeout_s=_UNPACK_TIMEOUT_S)
    _completed(done, f"{board}: {pin.runtime} {pin.version} cannot be unpacked in {target}")
    return target


def uninstall(connection: Connection, folder: str) -> None:
    """Remove an unpacked runtime."""
    connection.run(f"rm -rf {quoted(folder)}", timeout_s=_REMOVE_TIMEOUT_S)


def _completed(done: Completed, failure: str) -> None:
    if done.status == 0:
        return
    said = (done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.status}"])[-1]
    if done.status == _FULL:
        raise BoardFullError(f"{failure}: {said}")
    raise TargetError(f"{failure}: {said}")
