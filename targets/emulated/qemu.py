"""QEMU as a program: its arguments (pure) and a process that never outlives its controller."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..board import Arch
from ..errors import EmulatorError
from .guest import GUEST_ADDRESS
from .image import Image
from .programs import last_words, run_program

ICOUNT = "shift=0,sleep=on"
# Importing onnxruntime translates about 45 MB of code. With 64 MB the cache is thrown away in between: 15 % more time;
# 256 MB saves another 7 % and costs 75 MB more memory for each board (measured with QEMU 7.2).
_TRANSLATION_MIB = 128
# A 32-bit kernel without large addresses reaches nothing above 4 GiB.
_SYSTEMS = {
    Arch.ARM64: ("qemu-system-aarch64", "virt,gic-version=3"),
    Arch.ARMHF: ("qemu-system-arm", "virt,highmem=off"),
}
_KERNEL_ARGUMENTS = (
    "console=ttyAMA0 quiet loglevel=4 panic=-1 mitigations=off rodata=off nokaslr audit=0 kpti=off cryptomgr.notests "
    "nowatchdog"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """What a machine is: all that its snapshot depends on."""

    name: str
    cpu: str
    memory_mib: int
    image: Image


def machine_arguments(spec: MachineSpec, *, dump_tree: Path | None = None) -> list[str]:
    """The program and what decides the machine's parts. With `dump_tree` QEMU writes its device tree there and ends."""
    program, machine = _SYSTEMS[spec.image.arch]
    dump = f",dumpdtb={_escaped(dump_tree)}" if dump_tree else ""
    return [
        *(program, "-machine", f"{machine}{dump}", "-cpu", spec.cpu, "-smp", "1", "-m", str(spec.memory_mib)),
        *("-accel", f"tcg,thread=single,tb-size={_TRANSLATION_MIB}", "-icount", ICOUNT),
    ]


def qemu_arguments(
    spec: MachineSpec, *, disk: Path, console: Path, tree: Path | None, qmp_fd: int, load: str | None
) -> list[str]:
    """The command line of one machine; `tree` is a device tree in place of QEMU's own.

    One virtual CPU that executes one instruction per nanosecond of its own clock (`-icount shift=0`), so counts
    repeat; `sleep=on` lets idle time follow the real clock. `restrict=on` leaves the guest no way out; port 0 lets
    QEMU choose a free one, on 127.0.0.1 only. A full disk of this host becomes an I/O error of the guest instead of a
    silent pause.
    """
    image = spec.image
    return [
        *machine_arguments(spec),
        *("-nodefaults", "-nographic", "-display", "none", "-monitor", "none", "-serial", f"file:{console}"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd)),
        *(("-dtb", str(tree)) if tree else ()),
        *("-append", f"{_KERNEL_ARGUMENTS} hilbench.board={spec.name}"),
        *("-drive", f"if=none,id=d0,format=qcow2,cache=unsafe,file={_escaped(disk)}"),
        *("-device", "virtio-blk-device,drive=d0,werror=report,rerror=report"),
        *("-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:0-{GUEST_ADDRESS}:22"),
        *("-device", "virtio-net-device,netdev=n0"),
        *("-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"),
        *(("-loadvm", load) if load else ()),
    ]


def forwarded_port(usernet: str) -> int | None:
    """The port on 127.0.0.1 that leads to the guest's SSH, out of the human monitor's `info usernet`."""
    match = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", usernet)
    return int(match[1]) if match else None


def qemu_version(arch: Arch) -> str:
    """The version of QEMU on this host, such as `7.2.22`."""
    program, _ = _SYSTEMS[arch]
    text = run_program([program, "--version"], doing="starting an emulated board")
    match = re.search(r"version (\d+(?:\.\d+)+)", text)
    if match is None:
        raise EmulatorError(f"starting an emulated board: {program} tells no version")
    return match[1]


class QemuProcess:
    """A running QEMU. It ends when this process ends, however that happens.

    The kernel sends the parent-death signal when the *thread* that started a child ends (prctl(2)), so QEMU is started
    by a thread that does nothing but wait for it. It runs in a session of its own: Ctrl-C in a terminal must reach the
    controller only, which then decides what becomes of the board.
    """

    def __init__(self, arguments: Sequence[str], *, log: Path, keep_fds: Sequence[int]) -> None:
        setpriv = shutil.which("setpriv")
        self._program = arguments[0]
        self._arguments = [*([setpriv, "--pdeathsig", "KILL"] if setpriv else []), *arguments]
        self._log = log
        self._keep_fds = tuple(keep_fds)
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._started = threading.Event()
        self._exited = threading.Event()
        threading.Thread(target=self._keep, name="qemu", daemon=True).start()
        self._started.wait()
        if self._failure is not None:
            raise EmulatorError(f"{self._program} could not be started: {self._failure.strerror}") from self._failure

    def _keep(self) -> None:
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=self._keep_fds,
                    start_new_session=True,
                )
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()
        if self._process is not None:
            self._process.wait()
        self._exited.set()

    @property
    def pid(self) -> int:
        """The process id of QEMU."""
        assert self._process is not None
        return self._process.pid

    def alive(self) -> bool:
        """Whether QEMU still runs."""
        return not self._exited.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end; False when the time is up first."""
        return self._exited.wait(timeout_s)

    def end(self) -> None:
        """End it surely: by a polite signal, then by one that cannot be refused."""
        assert self._process is not None
        for number, patience_s in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
            if self._exited.is_set():
                return
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._exited.wait(patience_s)

    def last_words(self) -> str:
        """The last line that QEMU wrote, without its own name."""
        words = last_words(self._log.read_text(errors="replace") if self._log.is_file() else "")
        return words.removeprefix(f"{self._program}: ")


def _escaped(path: Path) -> str:
    """A path as a value in QEMU's comma-separated options."""
    return str(path).replace(",", ",,")
