"""A TCP proxy on 127.0.0.1 that harms what passes: delay, rate, a cut after so many bytes, silence. Needs no root."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

_PIECE_BYTES = 16384
# Linger 0: close sends RST, as a firewall that forgot the connection would.
_LINGER_0 = b"\x01\0\0\0\0\0\0\0"


class TcpProxy:
    """Passes connections on to a port of this machine. All of it can be changed while connections are open.

    cut_after_bytes: a connection is reset once so much has passed in both directions; None = never.
    stall_after_bytes: a connection passes no more from then on, but stays open.
    delay_s: each piece comes later by this. rate_bytes_per_s: of one direction of one connection.
    """

    def __init__(
        self,
        port: int,
        *,
        cut_after_bytes: int | None = None,
        stall_after_bytes: int | None = None,
        delay_s: float = 0.0,
        rate_bytes_per_s: float | None = None,
    ) -> None:
        self._to = port
        self.cut_after_bytes, self.stall_after_bytes = cut_after_bytes, stall_after_bytes
        self.delay_s, self.rate_bytes_per_s = delay_s, rate_bytes_per_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.cut = False
        self.connections = 0
        self.most_passed_bytes = 0
        self._speaks = threading.Event()
        self._speaks.set()
        self._over = False
        self._sockets: list[socket.socket] = []

    def silence(self) -> None:
        """From now on nothing passes, on old connections and on new ones; none is closed."""
        self._speaks.clear()

    def speak(self) -> None:
        """End the silence. What was held back passes now."""
        self._speaks.set()

    def __enter__(self) -> TcpProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._speaks.set()
        self._listening.close()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self.connections += 1
            self._sockets += [near, far]
            passed = [0]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink, passed), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, passed: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE_BYTES):
                passed[0] += len(data)
                if self.stall_after_bytes is not None and passed[0] > self.stall_after_bytes:
                    return
                if self.cut_after_bytes is not None and passed[0] > self.cut_after_bytes:
                    self.cut = True
                    break
                time.sleep(self.delay_s + (len(data) / self.rate_bytes_per_s if self.rate_bytes_per_s else 0.0))
                self._speaks.wait()
                if self._over:
                    return
                sink.sendall(data)
                self.most_passed_bytes = max(self.most_passed_bytes, passed[0])
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
                sock.shutdown(socket.SHUT_RDWR)
                sock.close()
