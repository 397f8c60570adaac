"""Commands over an SSH transport: channels with deadlines, framed output. Knows no SSH library's name (see ssh.py)."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING

from .connection import Completed
from .errors import CommandError, TargetError, TransientTargetError
from .shell import FrameReader, framed, shown
from .transfer import CHUNK_BYTES

if TYPE_CHECKING:
    from .ssh import Channel, Sftp, Transport

CLEAN_UP_TIMEOUT_S = 10.0
_END_WAIT_S = 1.0
_MOST_CHANNELS = 8  # sshd's MaxSessions is 10

Translate = Callable[[Exception, str], TargetError]


class SshChannels:
    """Runs commands on one transport, several at once.

    `foreign` are the SSH library's exceptions and `translate` makes ours of them: both come from ssh.py, the only file
    that knows the library.
    """

    def __init__(
        self, transport: Transport, name: str, foreign: tuple[type[Exception], ...], translate: Translate
    ) -> None:
        self.name = name
        self.transport = transport
        self.foreign = foreign
        self.translate = translate
        self._free = threading.BoundedSemaphore(_MOST_CHANNELS)

    def run(self, command: str, deadline: Deadline, stdin: Iterable[bytes] | None = None) -> Completed:
        """Run one command to its end; `stdin` None ties the command's life to the channel's."""
        with self._started(command, deadline, fed=stdin is not None) as (channel, token):
            out, err = FrameReader(token), FrameReader(token)
            stdout, stderr = bytearray(), bytearray()
            feed, output = _Feed(channel, stdin), _Output(channel)
            while out.status is None or err.status is None:
                feed.push()
                output.wait(min(deadline.left(), feed.longest_wait_s()))
                if channel.recv_ready():
                    stdout += out.feed(channel.recv(CHUNK_BYTES))
                elif channel.recv_stderr_ready():
                    stderr += err.feed(channel.recv_stderr(CHUNK_BYTES))
                elif channel.eof_received or channel.closed:
                    if out.status is not None:
                        break  # a forced command may send stderr elsewhere; the result itself is complete
                    self._refuse_unfinished(command, channel, out, deadline)
                if deadline.left() <= 0:
                    raise self.late(f"`{shown(command)}`", deadline)
            return Completed(status=out.status, stdout=bytes(stdout), stderr=bytes(stderr))

    def stream(self, command: str, *, idle_timeout_s: float) -> Iterator[bytes]:
        """Yield a command's stdout as it comes; closing the iterator ends the command."""
        with self._started(command, Deadline(idle_timeout_s), fed=False) as (channel, token):
            frame, output = FrameReader(token), _Output(channel)
            deadline = Deadline(idle_timeout_s)
            while frame.status is None:
                output.wait(deadline.left())
                while channel.recv_stderr_ready():
                    channel.recv_stderr(CHUNK_BYTES)
                if channel.recv_ready():
                    deadline = Deadline(idle_timeout_s)
                    if piece := frame.feed(channel.recv(CHUNK_BYTES)):
                        yield piece
                elif channel.eof_received or channel.closed:
                    self._refuse_unfinished(command, channel, frame, deadline)
                elif deadline.left() <= 0:
                    raise TransientTargetError(f"{self.name}: `{shown(command)}` was silent for {idle_timeout_s:g} s")

    @contextlib.contextmanager
    def _started(self, command: str, deadline: Deadline, *, fed: bool) -> Generator[tuple[Channel, str]]:
        """A channel on which the framed command runs; closing it ends the command."""
        token = secrets.token_hex(8)
        with self._channel(deadline, f"`{shown(command)}`") as channel:
            line = framed(command, token, fed=fed)
            self.bounded(channel, deadline, lambda: channel.exec_command(line), f"`{shown(command)}`")
            try:
                yield channel, token
            except BaseException:
                self._let_end(channel)
                raise

    @contextlib.contextmanager
    def _channel(self, deadline: Deadline, what: str) -> Generator[Channel]:
        """A session channel, closed in the end. Foreign errors of the body are translated here."""
        self.refuse_closed(what)
        if not self._free.acquire(timeout=max(0.0, deadline.left())):
            raise self.late(what, deadline)
        try:
            channel = self.transport.open_session(timeout=max(0.001, deadline.left()))
            try:
                yield channel
            finally:
                self.end(channel)
        except self.foreign as error:
            raise self.translate(error, f"{self.name}: {what}") from error
        finally:
            self._free.release()

    def bounded(self, channel: Channel, deadline: Deadline, call: Callable[[], object], what: str) -> None:
        """Make a call that waits for the peer; at the deadline the channel is closed, which wakes the call."""
        with Watchdog(self, channel, deadline) as watchdog:
            try:
                call()
            except self.foreign as error:
                if watchdog.fired:
                    raise self.late(what, deadline) from error
                raise

    def _refuse_unfinished(self, command: str, channel: Channel, frame: FrameReader, deadline: Deadline) -> None:
        """The pipes ended without the closing marker: the command was cut off, or the login shell never ran it."""
        while not channel.exit_status_ready() and deadline.left() > 0:
            time.sleep(0.005)
        if channel.recv_ready() or channel.recv_stderr_ready():
            return  # the rest of the output came together with the end
        status = channel.recv_exit_status() if channel.exit_status_ready() else -1
        if frame.begun or status == -1:
            raise TransientTargetError(f"{self.name}: the connection was lost while `{shown(command)}` ran")
        said = one_line(frame.all_noise())
        raise CommandError(
            f'{self.name}: the login shell did not run the command (status {status}); it said "{shown(said, 200)}"',
            status=status,
            stdout=said,
        )

    def _let_end(self, channel: Channel) -> None:
        """End a command's stdin, which kills it (shell.py), and give the peer a moment to close the channel itself.

        dropbear gives a channel that we close the next one's place while its processes still end, and then takes their
        end for that of the next one, which it closes before its command began.
        """
        with contextlib.suppress(*self.foreign):
            channel.shutdown_write()
            end_s = time.monotonic() + _END_WAIT_S
            while not channel.closed and self.transport.is_active() and time.monotonic() < end_s:
                time.sleep(0.005)

    def end(self, channel: Channel | Sftp) -> None:
        """Close a channel; on a connection that is gone there is nothing to close."""
        with contextlib.suppress(*self.foreign):
            channel.close()

    def refuse_closed(self, what: str) -> None:
        """Raise where the connection was closed or lost before the operation began."""
        if not self.transport.is_active():
            raise TransientTargetError(f"{self.name}: {what}: the connection is closed")

    def late(self, what: str, deadline: Deadline) -> TransientTargetError:
        """The error of an operation whose deadline has passed."""
        return TransientTargetError(f"{self.name}: {what} took longer than {deadline.timeout_s:g} s")


class Deadline:
    """A point in time until which an operation may take."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def short(self) -> Deadline:
        """For cleaning up: what is left, but at least one second and not too long."""
        return Deadline(min(max(1.0, self.left()), CLEAN_UP_TIMEOUT_S))


class Watchdog:
    """Closes a channel at a deadline, so that whatever waits for the peer wakes up.

    Where even closing cannot be sent (the peer reads no more), the whole transport is closed a second later.
    """

    def __init__(self, channels: SshChannels, channel: Channel, deadline: Deadline) -> None:
        self.fired = False
        self._channels = channels
        self._channel = channel
        self._timer = threading.Timer(deadline.left(), self._fire)
        self._last_resort = threading.Timer(1.0, channels.transport.close)
        self._timer.daemon = self._last_resort.daemon = True

    def __enter__(self) -> Watchdog:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._last_resort.cancel()

    def _fire(self) -> None:
        self.fired = True
        self._last_resort.start()
        self._channels.end(self._channel)


class _Feed:
    """Sends a command its stdin as fast as the peer's window allows, without ever waiting for it."""

    def __init__(self, channel: Channel, pieces: Iterable[bytes] | None) -> None:
        self._channel = channel
        self._pieces = None if pieces is None else iter(pieces)
        self._rest = b""

    def push(self) -> None:
        while self._pieces is not None and self._channel.send_ready():
            self._rest = self._rest or next(self._pieces, b"")
            if not self._rest:
                self._pieces = None
                self._channel.shutdown_write()
                return
            try:
                self._rest = self._rest[self._channel.send(self._rest) :]
            except OSError:  # the command ended without reading all of it; its status says why
                self._pieces = None

    def longest_wait_s(self) -> float:
        """The window's growth wakes nobody, so while something is left to send the wait is short."""
        return 0.01 if self._pieces is not None else 3600.0


class _Output:
    """Waits for a channel's output.

    By the buffers' own events and not by `Channel.fileno`: its pipe is closed under the library's thread when a channel
    is closed as soon as its result is complete, and that thread then dies of it, with the whole connection.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._event = threading.Event()
        channel.in_buffer.set_event(self._event)
        channel.in_stderr_buffer.set_event(self._event)

    def wait(self, timeout_s: float) -> None:
        """Until there is output or an end, at most `timeout_s`."""
        # Only reading clears the event, and only this thread reads: no wake-up is lost between look and wait.
        if not (self._channel.recv_ready() or self._channel.recv_stderr_ready()):
            self._event.wait(timeout_s)


def one_line(output: bytes) -> str:
    """What a board said, as part of a sentence."""
    return " ".join(output.decode(errors="replace").split())
