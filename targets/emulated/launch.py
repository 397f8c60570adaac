"""Starting QEMU with its control channel, and waiting until it or its guest is up."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from ..errors import EmulatorError
from .boardtree import tree_file
from .guest import READY_LINE
from .qemu import MachineSpec, QemuProcess, qemu_arguments
from .qmp import Qmp

BOOT_TIMEOUT_S = 300.0  # 3 s on an idle machine; slow hosts and many boards at once need their time
LOAD_TIMEOUT_S = 120.0


def launch(spec: MachineSpec, folder: Path, disk: Path, *, load: str | None) -> tuple[QemuProcess, Qmp]:
    """Start QEMU and wait until its main loop answers, which it does once a snapshot is loaded."""
    (folder / "console.log").unlink(missing_ok=True)  # a ready line of an earlier boot must not be taken for this one's
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = qemu_arguments(
            spec,
            disk=disk,
            console=folder / "console.log",
            tree=tree_file(spec, folder),
            qmp_fd=theirs.fileno(),
            load=load,
        )
        try:
            process = QemuProcess(arguments, log=folder / "qemu.log", keep_fds=[theirs.fileno()])
        except EmulatorError:
            ours.close()
            raise
    control = Qmp(ours)
    try:
        (folder / "pid").write_text(f"{process.pid}\n")
        control.negotiate(timeout_s=LOAD_TIMEOUT_S)
    except BaseException as error:
        exited = process.wait(1.0)  # its socket closes a moment before it is gone
        process.end()
        control.close()
        if isinstance(error, EmulatorError) and exited:
            raise EmulatorError(f"QEMU did not start the board {spec.name}: {process.last_words()}") from error
        raise
    return process, control


def await_ready_line(console: Path, process: QemuProcess) -> None:
    """Wait until the guest's console says that it is up; EmulatorError quotes QEMU or the console."""
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while READY_LINE not in (text := console.read_text(errors="replace") if console.is_file() else ""):
        if not process.alive():
            raise EmulatorError(f"QEMU ended while the board booted: {process.last_words()}")
        if time.monotonic() > deadline:
            last = (text.strip().splitlines() or ["nothing"])[-1]
            raise EmulatorError(f"the emulated board did not boot within {BOOT_TIMEOUT_S:.0f} s; its console: {last}")
        time.sleep(0.05)
