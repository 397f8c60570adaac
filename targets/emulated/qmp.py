"""QEMU's control channel: JSON commands over a socket pair (QEMU's docs/interop/qmp-spec), and its human monitor.

A socket pair, not a socket in the file system: nobody else can connect, no path is too long, nothing is left behind.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

from ..errors import EmulatorError


class Qmp:
    """One open control channel. Commands may come from several threads; each ends by its deadline."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = b""
        self._lock = threading.Lock()

    def negotiate(self, *, timeout_s: float) -> None:
        """Take QEMU's greeting and leave the negotiation mode; returns once its main loop answers."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._receive(deadline, wanted="QMP")
        self.execute("qmp_capabilities", timeout_s=timeout_s)

    def execute(self, command: str, arguments: dict[str, Any] | None = None, *, timeout_s: float = 30.0) -> Any:
        """Run a QMP command and return its result; a refusal, a closed channel or silence is EmulatorError."""
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        deadline = time.monotonic() + timeout_s
        with self._lock:
            try:
                self._channel.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise EmulatorError(f"QEMU is gone: {command} could not be sent") from error
            answer = self._receive(deadline, wanted="return")
        if "error" in answer:
            raise EmulatorError(f"QEMU refused {command}: {answer['error'].get('desc', answer['error'])}")
        return answer["return"]

    def hmp(self, text: str, *, timeout_s: float = 60.0) -> str:
        """Run a line of the human monitor, such as `loadvm ready`; returns what it printed (its errors look alike)."""
        return str(self.execute("human-monitor-command", {"command-line": text}, timeout_s=timeout_s)).strip()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _receive(self, deadline: float, *, wanted: str) -> dict[str, Any]:
        """The next message with the key `wanted` or `error`; events between are of no interest here."""
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                message = json.loads(line) if line.strip() else {}
                if wanted in message or "error" in message:
                    return message
                continue
            self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                piece = self._channel.recv(65536)
            except TimeoutError as error:
                raise EmulatorError("QEMU does not answer on its control channel") from error
            except OSError as error:
                raise EmulatorError("QEMU is gone: its control channel broke") from error
            if not piece:
                raise EmulatorError("QEMU is gone: its control channel closed")
            self._buffer += piece
