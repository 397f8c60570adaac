"""A running emulated board: opened from a snapshot, rolled back at will, surely ended.

The first open of a board boots it (seconds) and keeps a snapshot; every later one copies that snapshot's disk and loads
it. The pristine disk is never opened for writing again, so a killed QEMU cannot harm it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ..errors import EmulatorError
from .boardtree import tree_file, write_tree
from .host import MachineLock, end_stale_machine, end_stale_machines, host_dir, machine_folder
from .image import Image
from .launch import LOAD_TIMEOUT_S, await_ready_line, launch
from .programs import run_program
from .qemu import ICOUNT, MachineSpec, QemuProcess, forwarded_port, qemu_arguments, qemu_version
from .qmp import Qmp

SNAPSHOT = "ready"
Progress = Callable[[str], None]

_open: set[Machine] = set()
_open_lock = threading.Lock()


def open_machine(
    name: str, cpu: str, memory_mib: int, image: Image, *, progress: Progress, wait_s: float = 900.0
) -> Machine:
    """Open a board: from its snapshot, or by a first boot that makes the snapshot.

    Blocks up to `wait_s` while another process has this board. What comes back is a clean board whose SSH server
    answers on `127.0.0.1:machine.port` for root with `image.key_file` and has `image.host_key`. Its clock is that of
    the snapshot, so run `guest.set_clock_command` first. Raises EmulatorError.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise EmulatorError(f"{name!r} cannot name an emulated board: use letters, digits, '.', '_' and '-'")
    spec = MachineSpec(name=name, cpu=cpu, memory_mib=memory_mib, image=image)
    try:
        parent = host_dir()
        end_stale_machines(parent)
        folder = machine_folder(parent, f"{name}-{cpu}-{memory_mib}m-{image.recipe_hash[:12]}")
        return _open_in(folder, spec, progress, wait_s)
    except OSError as error:
        raise EmulatorError(
            f"the emulated board {name} cannot be opened: {error.strerror}: {error.filename}"
        ) from error


def _open_in(folder: Path, spec: MachineSpec, progress: Progress, wait_s: float) -> Machine:
    lock = MachineLock(folder)
    try:
        lock.take(wait_s, progress)
        end_stale_machine(folder)
        return _open_locked(spec, folder, lock, progress)
    except BaseException:
        lock.release()
        raise


def _open_locked(spec: MachineSpec, folder: Path, lock: MachineLock, progress: Progress) -> Machine:
    version = qemu_version(spec.image.arch)
    made_with = _made_with(spec, version)
    if _read_json(folder / "ready.json") == made_with:
        try:
            return _start_ready(spec, folder, lock, version)
        except EmulatorError as error:
            progress(f"emulated board {spec.name}: its snapshot cannot be used ({error}); making it anew")
    _make_ready(spec, folder, made_with, progress)
    return _start_ready(spec, folder, lock, version)


def _made_with(spec: MachineSpec, version: str) -> dict[str, Any]:
    """What a snapshot depends on: it can be loaded only by the same QEMU, arguments and image."""
    tree = tree_file(spec, Path())
    arguments = qemu_arguments(spec, disk=Path("disk"), console=Path("console"), tree=tree, qmp_fd=0, load=None)
    # The host key is made anew with every build, so it tells two images of one recipe apart.
    return {"qemu": version, "arguments": arguments, "host_key": spec.image.host_key}


def _make_ready(spec: MachineSpec, folder: Path, made_with: dict[str, Any], progress: Progress) -> None:
    """Boot the board once and keep its snapshot."""
    progress(f"emulated board {spec.name}: first boot")
    started = time.monotonic()
    disk = folder / "boot.qcow2"
    for file in ("ready.json", "ready.qcow2", "boot.qcow2"):
        (folder / file).unlink(missing_ok=True)
    run_program(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(spec.image.disk), "-F", "raw", str(disk)],
        doing="making the disk of an emulated board",
    )
    write_tree(spec, folder)
    process, control = launch(spec, folder, disk, load=None)
    try:
        await_ready_line(folder / "console.log", process)
        control.execute("stop")
        refusal = control.hmp(f"savevm {SNAPSHOT}", timeout_s=LOAD_TIMEOUT_S)
        if refusal:
            raise EmulatorError(f"QEMU could not save the board's snapshot: {refusal}")
        control.execute("quit")
        process.wait(10.0)
    finally:
        process.end()
        control.close()
        (folder / "pid").unlink(missing_ok=True)
    disk.rename(folder / "ready.qcow2")
    part = folder / "ready.json.part"
    part.write_text(json.dumps(made_with))
    part.rename(folder / "ready.json")
    progress(f"emulated board {spec.name}: booted and kept in {time.monotonic() - started:.1f} s")


def _start_ready(spec: MachineSpec, folder: Path, lock: MachineLock, version: str) -> Machine:
    """Start a machine on a copy of the snapshot's disk."""
    disk = folder / "run.qcow2"
    run_program(
        ["cp", "--reflink=auto", "--sparse=always", str(folder / "ready.qcow2"), str(disk)],
        doing="copying the disk of an emulated board",
    )
    process, control = launch(spec, folder, disk, load=SNAPSHOT)
    try:
        port = forwarded_port(control.hmp("info usernet", timeout_s=LOAD_TIMEOUT_S))
        if port is None:
            raise EmulatorError("QEMU forwards no port to the emulated board")
        (folder / "port").write_text(f"{port}\n")
        return Machine(spec, folder, lock, process, control, port=port, qemu_version=version)
    except BaseException:
        process.end()
        control.close()
        raise


class Machine:
    """A running emulated board, for one user at a time: its lock is held until `close`.

    Also a context manager. Methods may be called from several threads.
    """

    def __init__(
        self,
        spec: MachineSpec,
        folder: Path,
        lock: MachineLock,
        process: QemuProcess,
        control: Qmp,
        *,
        port: int,
        qemu_version: str,
    ) -> None:
        self.port = port
        self.folder = folder
        self._spec = spec
        self._lock = lock
        self._process = process
        self._control = control
        self._qemu_version = qemu_version
        self._closing = threading.Lock()
        with _open_lock:
            _open.add(self)

    @property
    def pid(self) -> int:
        """The process id of QEMU."""
        return self._process.pid

    @property
    def image(self) -> Image:
        """The image that the board runs, with the keys to it."""
        return self._spec.image

    def alive(self) -> bool:
        """Whether QEMU still runs."""
        return self._process.alive()

    def restore(self) -> None:
        """Roll the live board back to its snapshot: memory, processes, files and clock.

        Connections to it are dead afterwards; close them before, open new ones, set the clock. EmulatorError where QEMU
        is gone or the snapshot is.
        """
        refusal = self.hmp(f"loadvm {SNAPSHOT}")
        if refusal:
            raise EmulatorError(f"the board {self._spec.name} could not be restored: {refusal}")

    def qmp(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """A command of QEMU's machine protocol: `stop`, `cont`, `set_link`, `system_reset` make real faults."""
        return self._control.execute(command, arguments)

    def hmp(self, text: str) -> str:
        """A line of QEMU's human monitor; returns what it printed, which is empty where all went well."""
        return self._control.hmp(text)

    def facts(self) -> dict[str, Any]:
        """What figures of this board depend on, for a record's provenance."""
        return {
            "emulator": f"QEMU {self._qemu_version}",
            "cpu_model": self._spec.cpu,
            "icount": ICOUNT,
            "vcpus": 1,
            "memory_mib": self._spec.memory_mib,
            "image": self._spec.image.recipe_hash,
            "image_contents": self._spec.image.contents_hash,
            "kernel_abi": self._spec.image.kernel_abi,
        }

    def close(self) -> None:
        """End the board and give it free. What was written on it is gone; may be called twice."""
        with self._closing:
            if self not in _open:
                return
            with contextlib.suppress(EmulatorError):
                if self._process.alive():
                    self._control.execute("quit", timeout_s=3.0)
                    self._process.wait(3.0)
            self._process.end()
            self._control.close()
            for name in ("pid", "port", "run.qcow2"):
                (self.folder / name).unlink(missing_ok=True)
            self._lock.release()
            with _open_lock:
                _open.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


@atexit.register
def _close_all() -> None:
    """A normal exit, and one by Ctrl-C, leaves no QEMU and no throw-away disk behind."""
    with _open_lock:
        machines = list(_open)
    for machine in machines:
        with contextlib.suppress(OSError):
            machine.close()
