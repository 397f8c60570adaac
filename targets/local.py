"""This machine as a board: the same obligations as SSH, met by local processes."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .connection import Completed
from .errors import TargetError, TransientTargetError
from .shell import shown
from .transfer import CHUNK_BYTES, Hashing, Saving, board_full, mismatch, part_name

_NAME = "this machine"
_EXIT_GRACE_S = 5.0


def open_local() -> LocalConnection:
    """A connection to this machine. Nothing is opened; it exists so that callers treat all boards alike."""
    return LocalConnection()


class LocalConnection:
    """Commands as local processes, files as copies; the obligations are those of `Connection`.

    Each command leads a session of its own: Ctrl-C at the controller's terminal does not reach it, and at its deadline
    its whole process group is killed. Output goes through files, not pipes, so that a background process that keeps
    stdout open does not keep the caller waiting.
    """

    def __init__(self) -> None:
        self.name = _NAME
        self._closed = False

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """See Connection.run."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            process = self._start(command, given, out, err)
            try:
                status = process.wait(timeout_s)
            except subprocess.TimeoutExpired as error:
                raise TransientTargetError(f"{_NAME}: `{shown(command)}` took longer than {timeout_s:g} s") from error
            finally:
                if process.returncode is None:
                    _end(process)
            out.seek(0)
            err.seek(0)
            return Completed(status=_shell_status(status), stdout=out.read(), stderr=err.read())

    def stream(self, command: str, *, idle_timeout_s: float) -> Iterator[bytes]:
        """See Connection.stream. The command starts with the first piece that is asked for."""
        process = self._start(command, subprocess.DEVNULL, subprocess.PIPE, subprocess.DEVNULL)
        stdout = process.stdout
        if stdout is None:
            raise AssertionError("a pipe was asked for")
        ended = os.pidfd_open(process.pid)  # readable when the process ends: pidfd_open(2), Linux 5.3
        try:
            while True:
                ready, _, _ = select.select([stdout, ended], [], [], idle_timeout_s)
                if stdout in ready:
                    piece = os.read(stdout.fileno(), CHUNK_BYTES)
                    if not piece:
                        return
                    yield piece
                elif ended in ready:
                    return
                else:
                    raise TransientTargetError(f"{_NAME}: `{shown(command)}` was silent for {idle_timeout_s:g} s")
        finally:
            os.close(ended)
            stdout.close()
            _end(process)

    def put(self, local: Path, remote: str, *, timeout_s: float) -> str:
        """See Connection.put."""
        self._refuse_closed()
        hashing, part = Hashing(local), Path(part_name(remote))
        try:
            _copy(hashing, part, timeout_s)
            written = Hashing(part)
            for _ in written.pieces():
                pass
            if written.sha256 != hashing.sha256:
                raise mismatch(_NAME, remote, hashing.sha256, written.sha256)
            part.replace(remote)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                free = os.statvfs(part.parent)
                size_bytes = local.stat().st_size
                raise board_full(_NAME, size_bytes, free.f_bavail * free.f_frsize, remote) from error
            raise TargetError(f"{_NAME}: {remote} cannot be written: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        return hashing.sha256

    def get(self, remote: str, local: Path, *, timeout_s: float) -> None:
        """See Connection.get."""
        self._refuse_closed()
        end = time.monotonic() + timeout_s
        with Saving(local) as saving:
            for piece in Hashing(Path(remote)).pieces():
                _refuse_late(end, timeout_s)
                saving.write(piece)

    def close(self) -> None:
        """See Connection.close."""
        self._closed = True

    def _start(
        self, command: str, stdin: IO[bytes] | int, stdout: IO[bytes] | int, stderr: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        self._refuse_closed()
        try:
            return subprocess.Popen(
                ["/bin/sh", "-c", command], stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
            )
        except OSError as error:  # argument too long, no more processes
            raise TargetError(f"{_NAME}: `{shown(command)}` cannot be started: {error.strerror}") from error

    def _refuse_closed(self) -> None:
        if self._closed:
            raise TransientTargetError(f"{_NAME}: the connection is closed")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what still runs in the command's process group and reap the command. A group that is gone is fine."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_EXIT_GRACE_S)


def _shell_status(status: int) -> int:
    """As a shell reports it: 128 + the signal's number for a command that a signal ended."""
    return 128 - status if status < 0 else status


def _copy(source: Hashing, part: Path, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    with part.open("wb") as file:
        for piece in source.pieces():
            _refuse_late(end, timeout_s)
            file.write(piece)


def _refuse_late(end: float, timeout_s: float) -> None:
    if time.monotonic() > end:
        raise TransientTargetError(f"{_NAME}: the copy took longer than {timeout_s:g} s")
