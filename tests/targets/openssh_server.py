"""A real OpenSSH server on 127.0.0.1 for the tests: own keys, own port, as the current user, ended by its pid."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

from hilbench.targets.board import SshAddress


def new_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", path], check=True)
    return path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class OpensshServer:
    """`folder` holds its keys (`host`, `user`), its configuration and its log."""

    def __init__(
        self,
        folder: Path,
        *extra: str,
        sftp: bool = True,
        host_kinds: tuple[str, ...] = ("ed25519",),
        host: str = "127.0.0.1",
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.port, self.host, self._prefix = folder, free_port(), host, prefix
        self.user_key = new_key(folder / "user")
        self.host_keys = [new_key(folder / f"host_{kind}", kind) for kind in host_kinds]
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        lines = [
            f"Port {self.port}",
            f"ListenAddress {host}",
            *(f"HostKey {key}" for key in self.host_keys),
            f"AuthorizedKeysFile {folder}/authorized_keys",
            "StrictModes no",
            "PidFile none",
            "UsePAM no",
            "PasswordAuthentication no",
            "PrintMotd no",
            *(["Subsystem sftp internal-sftp"] if sftp else []),
            *extra,
        ]
        (folder / "sshd_config").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def host_key(self) -> str:
        return self.host_keys[0].with_suffix(".pub").read_text().strip()

    def address(self, **changes: object) -> SshAddress:
        given: dict[str, object] = {
            "host": self.host,
            "port": self.port,
            "user": getpass.getuser(),
            "key_file": str(self.user_key),
            "host_key": self.host_key,
        }
        return SshAddress(**{**given, **changes})  # pyright: ignore[reportArgumentType]

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd as root separates privileges there
        sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert sshd is not None, "the package openssh-server is missing"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, sshd, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=log
            )
        for _ in range(200):
            assert self._process.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1) as sock:
                if sock.recv(4) == b"SSH-":
                    return
            time.sleep(0.05)
        raise AssertionError("sshd does not answer")

    def session_pids(self) -> list[int]:
        """All processes below the listening one."""
        parents: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        found: list[int] = []
        level = [self.pid]
        while level:
            level = [pid for pid, parent in parents.items() if parent in level]
            found += level
        return found

    def signal_sessions(self, number: signal.Signals) -> None:
        for pid in self.session_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal_sessions(signal.SIGCONT)
            self.signal_sessions(signal.SIGKILL)
            self._process.terminate()
            self._process.wait(10)


@contextlib.contextmanager
def running(
    folder: Path, *extra: str, sftp: bool = True, host_kinds: tuple[str, ...] = ("ed25519",)
) -> Generator[OpensshServer]:
    folder.mkdir(parents=True, exist_ok=True)
    server = OpensshServer(folder, *extra, sftp=sftp, host_kinds=host_kinds)
    try:
        server.start()
        yield server
    finally:
        server.stop()
