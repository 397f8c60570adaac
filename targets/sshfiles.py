"""Files over an SSH transport: SFTP where the board has it, else `cat`. Knows no SSH library's name (see ssh.py)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from .connection import Completed
from .errors import TargetError, TransientTargetError
from .lateinput import LateInput
from .sshchannels import CLEAN_UP_TIMEOUT_S, Deadline, SshChannels, Watchdog, one_line
from .transfer import (
    CHECK_AGAIN_STATUS,
    CHUNK_BYTES,
    MISMATCH_STATUS,
    Hashing,
    Saving,
    board_full,
    check_and_rename,
    follow_check_rename,
    free_space_command,
    mismatch,
    parse_free_bytes,
    part_name,
    quoted,
    receive_check_rename,
)

if TYPE_CHECKING:
    from .ssh import Channel, Sftp

_SFTP_START_TIMEOUT_S = 10.0
# Four times what every SFTP server takes, and half of what OpenSSH's does: fewer answers to wait for and to read.
_OPENSSH_REQUEST_BYTES = 1 << 17
_FOLLOWED_BYTES = 16_000_000  # below that, hashing afterwards takes less than starting an interpreter


class SshFiles:
    """Sends and fetches files over the transport that `channels` runs commands on.

    `negotiate` opens the SFTP protocol on a channel whose subsystem was started. One SFTP session is kept for the
    connection and used by one transfer at a time.
    """

    def __init__(self, channels: SshChannels, negotiate: Callable[[Channel], Sftp]) -> None:
        self.name = channels.name
        self._channels = channels
        self._negotiate = negotiate
        self._lock = threading.Lock()
        self._sftp: tuple[Channel, Sftp] | None = None
        self._sftp_works = True

    def put(self, local: Path, remote: str, deadline: Deadline) -> str:
        """Send a file, have it checked on the board and renamed there. Returns its sha256."""
        if self._sftp_works:
            with self._sftp_session(deadline) as sftp:
                if sftp is not None:
                    return self._put_by_sftp(sftp, local, remote, deadline)
        return self._put_by_cat(local, remote, deadline)

    def get(self, remote: str, local: Path, deadline: Deadline) -> None:
        """Fetch a file."""
        with Saving(local) as saving:
            if self._sftp_works:
                with self._sftp_session(deadline) as sftp:
                    if sftp is not None:
                        self._get_by_sftp(sftp, remote, saving)
                        return
            self._get_by_cat(remote, saving, deadline)

    @contextlib.contextmanager
    def _sftp_session(self, deadline: Deadline) -> Generator[Sftp | None]:
        """The connection's SFTP session for one transfer at a time, or None where the board has none that works."""
        self._channels.refuse_closed("the transfer")
        if not self._lock.acquire(timeout=max(0.0, deadline.left())):
            raise self._channels.late("waiting for another transfer", deadline)
        try:
            if self._sftp is None:
                self._sftp = self._start_sftp(deadline)
            if self._sftp is None:
                yield None
                return
            channel, sftp = self._sftp
            with Watchdog(self._channels, channel, deadline) as watchdog:
                try:
                    yield sftp
                except self._channels.foreign as error:
                    self._sftp = None  # replies may be outstanding: never use this session again
                    self._channels.end(sftp)
                    if watchdog.fired:
                        raise self._channels.late("the transfer", deadline) from error
                    raise self._channels.translate(error, f"{self.name}: the transfer") from error
        finally:
            self._lock.release()

    def _start_sftp(self, deadline: Deadline) -> tuple[Channel, Sftp] | None:
        """None where sshd has no SFTP subsystem, or where a login shell prints into it, which breaks its protocol."""
        start = Deadline(min(_SFTP_START_TIMEOUT_S, deadline.left()))
        started: list[tuple[Channel, Sftp]] = []
        try:
            channel = self._channels.transport.open_session(timeout=max(0.001, start.left()))

            def negotiate() -> None:
                channel.invoke_subsystem("sftp")
                started.append((channel, self._negotiate(channel)))

            self._channels.bounded(channel, start, negotiate, "starting SFTP")
        except (*self._channels.foreign, TransientTargetError) as error:
            if not self._channels.transport.is_active() or deadline.left() <= 0:
                raise self._channels.translate(error, f"{self.name}: starting SFTP") from error
            self._sftp_works = False
            return None
        return started[0]

    def _put_by_sftp(self, sftp: Sftp, local: Path, remote: str, deadline: Deadline) -> str:
        part = part_name(remote)
        hashing = Hashing(local)
        check: LateInput | None = None
        try:
            try:
                with sftp.open(part, "wb") as file:
                    file.set_pipelined(True)
                    if "OpenSSH" in self._channels.transport.remote_version:
                        file.MAX_REQUEST_SIZE = _OPENSSH_REQUEST_BYTES
                    check = self._followed(local, part, remote, deadline)
                    last = b""
                    for piece in hashing.pieces():
                        file.write(last)
                        last = piece
                    file.set_pipelined(False)  # reads the answers to all writes; closing alone drops a refusal
                    file.write(last)
            except OSError as error:
                if self._broken():
                    raise
                raise self._refused_write(error.strerror or str(error), hashing.path, remote, deadline) from error
            done = None if check is None else check.finish(hashing.sha256)
            if done is None or done.status == CHECK_AGAIN_STATUS:
                done = self._channels.run(check_and_rename(part, remote, hashing.sha256), deadline)
            self._judge_put(done, hashing, remote, deadline)
        except BaseException:
            if check is not None:
                check.give_up()
            self._remove(part, deadline)
            raise
        return hashing.sha256

    def _followed(self, local: Path, part: str, remote: str, deadline: Deadline) -> LateInput | None:
        """For a large file, the check on the board that hashes it while it comes."""
        try:
            large = local.stat().st_size >= _FOLLOWED_BYTES
        except OSError:
            return None  # whoever reads it says so
        if not large:
            return None
        command = follow_check_rename(part, remote)
        return LateInput(lambda stdin: self._channels.run(command, deadline, stdin))

    def _broken(self) -> bool:
        """Whether an OSError came from the connection and not from the board's file system."""
        return self._sftp is None or self._sftp[0].closed or not self._channels.transport.is_active()

    def _put_by_cat(self, local: Path, remote: str, deadline: Deadline) -> str:
        part, hashed, sending = part_name(remote), Hashing(local), Hashing(local)
        for _ in hashed.pieces():
            pass
        command = receive_check_rename(part, remote, hashed.sha256)
        self._judge_put(self._channels.run(command, deadline, sending.pieces()), hashed, remote, deadline)
        return hashed.sha256

    def _judge_put(self, done: Completed, sent: Hashing, remote: str, deadline: Deadline) -> None:
        if done.status == MISMATCH_STATUS:
            raise mismatch(self.name, remote, sent.sha256, done.stdout.decode(errors="replace").strip())
        if done.status != 0:
            raise self._refused_write(one_line(done.stderr), sent.path, remote, deadline)

    def _refused_write(self, reason: str, local: Path, remote: str, deadline: Deadline) -> TargetError:
        """Why the board would not take a file. SFTP says only "Failure" for a full disk, so the disk is asked."""
        free_bytes = None
        with contextlib.suppress(TargetError):
            asked = self._channels.run(free_space_command(remote), deadline.short())
            free_bytes = parse_free_bytes(asked.stdout.decode(errors="replace"))
        size_bytes = local.stat().st_size
        says_full = "No space left" in reason or "quota" in reason.lower()
        if says_full or (reason == "Failure" and free_bytes is not None and free_bytes < size_bytes):
            return board_full(self.name, size_bytes, free_bytes, remote)
        return TargetError(f"{self.name}: {remote} cannot be written: {reason or 'the board gave no reason'}")

    def _remove(self, part: str, deadline: Deadline) -> None:
        """Remove a half-written file where the board can still be reached, without outstaying the deadline for long."""
        if not self._channels.transport.is_active():
            return

        def remove() -> None:
            with contextlib.suppress(TargetError):
                self._channels.run(f"rm -f {quoted(part)}", Deadline(CLEAN_UP_TIMEOUT_S))

        worker = threading.Thread(target=remove, name="hilbench-clean-up", daemon=True)
        worker.start()
        worker.join(deadline.short().left())

    def _get_by_sftp(self, sftp: Sftp, remote: str, saving: Saving) -> None:
        try:
            with sftp.open(remote, "rb") as source:
                source.prefetch()
                while piece := source.read(CHUNK_BYTES):
                    saving.write(piece)
        except OSError as error:
            if self._broken():
                raise
            raise self._unreadable(remote, error.strerror or str(error)) from error

    def _get_by_cat(self, remote: str, saving: Saving, deadline: Deadline) -> None:
        done = self._channels.run(f"cat <{quoted(remote)}", deadline)
        if done.status != 0:
            raise self._unreadable(remote, one_line(done.stderr))
        saving.write(done.stdout)

    def _unreadable(self, remote: str, reason: str) -> TargetError:
        return TargetError(f"{self.name}: {remote} cannot be read: {reason}")
