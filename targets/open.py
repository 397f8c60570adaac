"""Open a board: boot or restore it if it is emulated, connect, host key checked, take its lease, learn its facts."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from .board import Board, EmulatedAddress, LocalAddress, SshAddress
from .claim import Claim, claim_for
from .connection import Connection
from .deadlines import connect_timeout_s
from .errors import EmulatorError
from .lease import Lease
from .leasewait import leased
from .probes import probe_board
from .quiet import machine_time

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBoard:
    """A board that can be used now. `reconnect` gives a new connection to the same running board.

    `lease` is None on an emulated board: its machine belongs to this process as long as it runs. `waited_s` is how
    long somebody else had the board or this machine, in seconds.
    """

    board: Board
    connection: Connection
    reconnect: Callable[[], Connection]
    lease: Lease | None = None
    waited_s: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@contextmanager
def open_board(
    board: Board, *, say: Say, claim: Claim | None = None, cancel: threading.Event | None = None
) -> Generator[OpenBoard]:
    """Open a board for exclusive use by this process and close it in every case.

    Whatever works on this machine shares it with others of its kind; a board that *is* this machine is held alone.
    Who has the board is waited for as long as the claim says, or until `cancel` is set; without a claim it is that of
    a process that only looks. Raises TargetError where the board cannot be used.
    """
    with ExitStack() as stack:
        if isinstance(board.address, EmulatedAddress):
            waited_s = stack.enter_context(machine_time(alone=False, progress=say))
            connect, extra = _emulated(board, board.address, stack, say)
            opened = _Opened(connect)
            stack.callback(opened.close)
            connection, lease = opened.connect(), None
        else:
            extra = {}
            opened = _Opened(_connector(board.address))
            stack.callback(opened.close)
            wanted = claim or claim_for(f"process-{os.getpid()}-{secrets.token_hex(4)}", "a look at the board")
            alone = _is_this_machine(board)
            taking = leased(board, opened.connect, wanted, alone=alone, say=say, cancel=cancel)
            connection, lease, waited_s = stack.enter_context(taking)
        facts = {**probe_board(connection, board), **extra}
        yield OpenBoard(
            board=board, connection=connection, reconnect=opened.connect, lease=lease, waited_s=waited_s, facts=facts
        )


def connect_board(board: Board) -> Connection:
    """A connection to a board that is not emulated, without its lease: to look who has it. The caller closes it."""
    if isinstance(board.address, EmulatedAddress):
        raise EmulatorError(f"{board.name} is emulated: it runs only while it is used")
    return _connector(board.address)()


def _connector(address: SshAddress | LocalAddress) -> Callable[[], Connection]:
    if isinstance(address, LocalAddress):
        from .local import open_local

        return open_local
    from .ssh import open_ssh

    return lambda: open_ssh(address, timeout_s=connect_timeout_s())


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
    from .emulated.recipe import recipe_for
    from .ssh import open_ssh

    image = ensure_image(say, board.arch)
    machine = stack.enter_context(open_machine(board.name, address.cpu, address.memory_mib, image, progress=say))
    where = SshAddress(
        host="127.0.0.1", port=machine.port, user="root", key_file=str(image.key_file), host_key=image.host_key
    )

    def connect() -> Connection:
        if not machine.alive():
            raise EmulatorError("QEMU, which emulates this board, has ended")
        connection = open_ssh(where, timeout_s=connect_timeout_s())
        connection.run(set_clock_command(time.time()), timeout_s=30)
        return connection

    known = recipe_for(board.arch).runtimes
    runtimes = {name: next(w.version for w in wheels if w.name == name) for name, wheels in known.items()}
    return connect, {**machine.facts(), "runtimes": runtimes}
