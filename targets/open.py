"""Open a board: boot or restore it if it is emulated, connect with the host key checked, learn its facts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from .board import Board, EmulatedAddress, LocalAddress, SshAddress
from .connection import Connection
from .errors import EmulatorError
from .probes import probe_board
from .quiet import machine_time

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBoard:
    """A board that can be used now. `reconnect` gives a new connection to the same running board."""

    board: Board
    connection: Connection
    reconnect: Callable[[], Connection]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@contextmanager
def open_board(board: Board, *, say: Say) -> Generator[OpenBoard]:
    """Open a board for exclusive use by this process and close it in every case.

    Whatever works on this machine shares it with others of its kind; a board that *is* this machine is held alone.
    Raises TargetError where the board cannot be used.
    """
    with ExitStack() as stack:
        stack.enter_context(machine_time(alone=_is_this_machine(board), progress=say))
        extra: Mapping[str, Any] = {}
        match board.address:
            case EmulatedAddress():
                connect, extra = _emulated(board, board.address, stack, say)
            case LocalAddress():
                from .local import open_local

                connect = open_local
            case SshAddress() as address:
                from .ssh import open_ssh

                def connect() -> Connection:
                    return open_ssh(address)

        opened = _Opened(connect)
        stack.callback(opened.close)
        connection = opened.connect()
        facts = {**probe_board(connection, board), **extra}
        yield OpenBoard(board=board, connection=connection, reconnect=opened.connect, facts=facts)


class _Opened:
    """All connections that were made to a board, so that each is closed."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._all: list[Connection] = []

    def connect(self) -> Connection:
        connection = self._connect()
        with self._lock:
            self._all.append(connection)
        return connection

    def close(self) -> None:
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()


def _is_this_machine(board: Board) -> bool:
    address = board.address
    loopback = isinstance(address, SshAddress) and address.jump is None and _loopback(address.host)
    return isinstance(address, LocalAddress) or (loopback and not board.emulated)


def _loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def machine_of(board: Board) -> str:
    """Names the machine that a board is: two entries of one machine must never be timed at once.

    Ports are left out: behind one address they may lead to one machine or to several, and waiting is the safe side.
    """
    match board.address:
        case SshAddress(host=host, jump=jump):
            return f"{host} through {jump.host}" if jump is not None else host
        case _:
            return board.name


def shares_this_machine(board: Board) -> bool:
    """Whether timing this board times this machine: such boards run alone, after all others."""
    return _is_this_machine(board)


def _emulated(
    board: Board, address: EmulatedAddress, stack: ExitStack, say: Say
) -> tuple[Callable[[], Connection], Mapping[str, Any]]:
    from .emulated.guest import set_clock_command
    from .emulated.image import ensure_image
    from .emulated.machine import open_machine
    from .emulated.recipe import RUNTIMES
    from .ssh import open_ssh

    image = ensure_image(say)
    machine = stack.enter_context(open_machine(board.name, address.cpu, address.memory_mib, image, progress=say))
    where = SshAddress(
        host="127.0.0.1", port=machine.port, user="root", key_file=str(image.key_file), host_key=image.host_key
    )

    def connect() -> Connection:
        if not machine.alive():
            raise EmulatorError("QEMU, which emulates this board, has ended")
        connection = open_ssh(where)
        connection.run(set_clock_command(time.time()), timeout_s=30)
        return connection

    runtimes = {name: next(w.version for w in wheels if w.name == name) for name, wheels in RUNTIMES.items()}
    return connect, {**machine.facts(), "runtimes": runtimes}
