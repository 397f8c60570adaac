"""Boards by SSH, on paramiko, which is imported in this file and nowhere else.

paramiko leaves several waits without an end: the answer to a request on a channel, an SFTP reply, a peer whose kernel
still answers while its sshd is frozen. Here everything ends: the socket has TCP_USER_TIMEOUT and keepalive, so that a
dead peer is noticed within seconds, and each operation has a deadline, at which its channel is closed under it.
"""

from __future__ import annotations

import errno
import logging
import random
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .board import SshAddress
from .connection import Completed
from .errors import TargetError, TransientTargetError
from .hostkeys import KEY_TYPES, HostKey, check_host_key, pinned_keys
from .sshchannels import Deadline, SshChannels
from .sshfiles import SshFiles

if TYPE_CHECKING:
    import paramiko

    Channel = paramiko.Channel
    Sftp = paramiko.SFTPClient
    Transport = paramiko.Transport

_CONNECT_TIMEOUT_S = 30.0
_DEAD_PEER_S = 8  # unacknowledged data for this long: the peer is gone
_KEEPALIVE_S = (5, 3, 3)  # idle before the first probe, between probes, probes
_BANNER_TIMEOUT_S = 15.0
_MOST_AGENT_KEYS = 5  # each key offered counts against sshd's MaxAuthTries, 6
_LOG_NAME = "hilbench.targets.ssh.transport"


def open_ssh(address: SshAddress, *, timeout_s: float = _CONNECT_TIMEOUT_S) -> SshConnection:
    """Connect to a board, its host key checked before anything of ours is sent.

    A server that drops the connection before it has greeted (too many at once) is tried again until `timeout_s`.
    Raises HostKeyError (unknown or changed key), TargetError (refused key, nothing in common), TransientTargetError.
    The system's name resolution is the one step whose time is bounded by the system, not by `timeout_s`.
    """
    name = f"{address.user}@{address.host}:{address.port}"
    deadline = Deadline(timeout_s)
    pinned = pinned_keys(address.host, address.port, host_key=address.host_key, known_hosts=address.known_hosts)
    jump = open_ssh(address.jump, timeout_s=timeout_s) if address.jump is not None else None
    try:
        transport = _greeted(address, name, jump, [key.type for key in pinned[0]], deadline)
        try:
            offered = transport.get_remote_server_key()
            check_host_key(name, HostKey(offered.get_name(), offered.asbytes()), *pinned)
            _authenticate(transport, address, name, deadline)
        except BaseException:
            transport.close()
            raise
    except BaseException:
        if jump is not None:
            jump.close()
        raise
    return SshConnection(transport, name, jump)


def server_key(
    address: SshAddress, *, types: tuple[str, ...] = KEY_TYPES, timeout_s: float = _CONNECT_TIMEOUT_S
) -> HostKey:
    """The host key that a server shows, read before any login: nothing of ours is sent, and nothing is trusted.

    `types` says which kinds are asked for, the best first. A jump host in `address` is logged in to, so its own key
    must be pinned. Raises TargetError or TransientTargetError where no key comes.
    """
    name = f"{address.host}:{address.port}"
    deadline = Deadline(timeout_s)
    jump = open_ssh(address.jump, timeout_s=timeout_s) if address.jump is not None else None
    try:
        transport = _greeted(address, name, jump, list(types), deadline)
        try:
            offered = transport.get_remote_server_key()
            return HostKey(offered.get_name(), offered.asbytes())
        finally:
            transport.close()
    finally:
        if jump is not None:
            jump.close()


class SshConnection:
    """An open SSH connection; the obligations are those of `Connection`.

    A command runs in a shell of its own under a wrapper (shell.py) that marks where its output begins and ends, and
    that kills it when its channel or the connection ends. Commands that get a stdin are not killed by that: they see
    their stdin end.
    """

    def __init__(self, transport: paramiko.Transport, name: str, jump: SshConnection | None) -> None:
        import paramiko

        self.name = name
        self._transport = transport
        self._jump = jump
        self._channels = SshChannels(transport, name, _foreign_errors(), _translated)
        self._files = SshFiles(self._channels, paramiko.SFTPClient)

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """See Connection.run."""
        return self._channels.run(command, Deadline(timeout_s), [stdin] if stdin else None)

    def stream(self, command: str, *, idle_timeout_s: float) -> Iterator[bytes]:
        """See Connection.stream. The command starts with the first piece that is asked for."""
        return self._channels.stream(command, idle_timeout_s=idle_timeout_s)

    def put(self, local: Path, remote: str, *, timeout_s: float) -> str:
        """See Connection.put. By SFTP where the board has it, else through `cat`."""
        return self._files.put(local, remote, Deadline(timeout_s))

    def get(self, remote: str, local: Path, *, timeout_s: float) -> None:
        """See Connection.get."""
        self._files.get(remote, local, Deadline(timeout_s))

    def close(self) -> None:
        """See Connection.close."""
        self._transport.close()
        if self._jump is not None:
            self._jump.close()

    def tunnel(self, host: str, port: int, *, timeout_s: float) -> paramiko.Channel:
        """A way from this host to another one, as a socket for the next connection (`direct-tcpip`, RFC 4254 7.2)."""
        try:
            return self._transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout_s)
        except _foreign_errors() as error:
            raise _translated(error, f"{self.name}: no way from here to {host}:{port}") from error


def _greeted(
    address: SshAddress, name: str, jump: SshConnection | None, key_types: list[str], deadline: Deadline
) -> paramiko.Transport:
    """A transport with keys exchanged. A server too busy to greet is tried again, ever more slowly."""
    for attempt in range(1000):
        try:
            return _handshake(address, jump, key_types, deadline)
        except _foreign_errors() as error:
            pause_s = min(3.0, 0.2 * 2**attempt) * random.uniform(0.5, 1.5)  # noqa: S311  no secret
            if not _may_mend(error) or deadline.left() <= pause_s:
                tries = f" ({attempt + 1} tries)" if attempt else ""
                raise _translated(error, f"{name}: connecting{tries}") from error
            time.sleep(pause_s)
    raise TransientTargetError(f"{name}: the server never greeted")


def _may_mend(error: BaseException) -> bool:
    """Whether the connection was dropped before the greeting, as sshd does above MaxStartups."""
    import paramiko
    from paramiko.ssh_exception import IncompatiblePeer

    lasting = (ConnectionRefusedError, socket.gaierror, IncompatiblePeer, paramiko.ChannelException)
    dropped = (paramiko.SSHException, EOFError, ConnectionError, TimeoutError)
    return isinstance(error, dropped) and not isinstance(error, lasting)


def _handshake(
    address: SshAddress, jump: SshConnection | None, key_types: list[str], deadline: Deadline
) -> paramiko.Transport:
    import paramiko

    if jump is not None:
        sock = jump.tunnel(address.host, address.port, timeout_s=max(0.001, deadline.left()))
    else:
        sock = _watched_socket(address.host, address.port, deadline)
    try:
        transport = paramiko.Transport(sock)
        transport.set_log_channel(_quiet_log())
        transport.banner_timeout = transport.handshake_timeout = min(_BANNER_TIMEOUT_S, max(0.001, deadline.left()))
        options = transport.get_security_options()
        options.key_types = _signatures(key_types)
        options.ciphers = _fast_first(options.ciphers)
        try:
            transport.start_client(timeout=max(0.001, deadline.left()))
            if not transport.initial_kex_done:  # start_client returns without a word when its time is up
                raise TimeoutError("no answer to the key exchange")
        except BaseException:
            transport.close()
            raise
    except BaseException:
        sock.close()
        raise
    return transport


def _quiet_log() -> str:
    """A log of its own that nobody reads unless a handler is added: paramiko logs tracebacks of what it also raises."""
    logger = logging.getLogger(_LOG_NAME)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return _LOG_NAME


def _signatures(key_types: list[str]) -> tuple[str, ...]:
    """Only the types that are pinned are asked for: else a server with several keys would show another one."""
    rsa = ("rsa-sha2-512", "rsa-sha2-256")
    return tuple(dict.fromkeys(name for each in key_types for name in (rsa if each == "ssh-rsa" else (each,))))


def _fast_first(ciphers: Iterable[str]) -> tuple[str, ...]:
    """AES-GCM before the others: it needs no hash over each packet, which saves a fifth of the work on both sides."""
    return tuple(sorted(ciphers, key=lambda name: "gcm" not in name))


def _watched_socket(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection whose end is noticed: tcp(7), TCP_USER_TIMEOUT (milliseconds) and keepalive."""
    sock = socket.create_connection((host, port), timeout=max(0.001, deadline.left()))
    idle, interval, count = _KEEPALIVE_S
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_S * 1000)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _authenticate(transport: paramiko.Transport, address: SshAddress, name: str, deadline: Deadline) -> None:
    """By the one key file, or by the keys of the SSH agent; nothing else is looked for."""
    import paramiko

    keys, where = _file_keys(address.key_file, name) if address.key_file is not None else _agent_keys(name)
    for key in keys:
        transport.auth_timeout = max(0.001, deadline.left())
        try:
            missing = transport.auth_publickey(address.user, key)
        except paramiko.BadAuthenticationType as error:
            allowed = ", ".join(error.allowed_types)
            raise TargetError(f"{name}: the board takes no public keys (it offers {allowed})") from error
        except paramiko.AuthenticationException as error:
            if not transport.is_active() or "timeout" in str(error).lower():
                raise TransientTargetError(f"{name}: the connection was lost while logging in") from error
            continue
        except _foreign_errors() as error:
            raise _translated(error, f"{name}: logging in") from error
        if missing:
            raise TargetError(f"{name}: the board wants more than a key ({', '.join(missing)}); hilbench has only keys")
        return
    raise TargetError(
        f"{name}: the board does not accept {where}; put the public key into ~{address.user}/.ssh/authorized_keys there"
    )


def _file_keys(key_file: str, name: str) -> tuple[list[paramiko.PKey], str]:
    import paramiko
    from paramiko.pkey import UnknownKeyType

    path = Path(key_file).expanduser()
    try:
        return [paramiko.PKey.from_path(path)], f"the key {key_file}"
    except OSError as error:
        raise TargetError(f"{name}: the key file {key_file} cannot be read: {error.strerror}") from error
    except (TypeError, paramiko.PasswordRequiredException) as error:  # cryptography's word for "needs a passphrase"
        raise TargetError(
            f"{name}: the key {key_file} has a passphrase; load it with `ssh-add {key_file}` "
            'and leave "key" out, then the SSH agent is asked'
        ) from error
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise TargetError(f"{name}: {key_file} is no private key that can be used (ed25519, ECDSA or RSA)") from error


def _agent_keys(name: str) -> tuple[list[paramiko.PKey], str]:
    import paramiko

    try:
        keys: list[paramiko.PKey] = list(paramiko.Agent().get_keys())
    except (paramiko.SSHException, OSError) as error:
        raise TargetError(f"{name}: the SSH agent does not answer: {error}") from error
    if not keys:
        raise TargetError(f'{name}: no key to log in with: name one with "key", or load one with `ssh-add`')
    return keys[:_MOST_AGENT_KEYS], f"any of the {len(keys[:_MOST_AGENT_KEYS])} keys tried from the SSH agent"


def _foreign_errors() -> tuple[type[Exception], ...]:
    import paramiko

    return (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError)


def _translated(error: Exception, what: str) -> TargetError:
    """The one place where foreign exceptions become ours. What may pass by itself is TransientTargetError."""
    import paramiko
    from paramiko.ssh_exception import IncompatiblePeer

    if isinstance(error, TargetError):
        return error
    if isinstance(error, IncompatiblePeer):
        return TargetError(
            f"{what}: the server has no host key or cipher in common with us ({error}); give the board an ed25519 or "
            "ECDSA host key and pin that one (servers older than OpenSSH 7.2 sign RSA keys with SHA-1 only)"
        )
    if isinstance(error, paramiko.ChannelException) and error.code == 1:
        return TargetError(f"{what}: the server forbids it ({error.text})")
    if isinstance(error, socket.gaierror):
        kind = TransientTargetError if error.errno == socket.EAI_AGAIN else TargetError
        return kind(f"{what}: the host name is unknown ({error.strerror})")
    if isinstance(error, ConnectionRefusedError):
        return TransientTargetError(f"{what}: nothing listens there (connection refused)")
    if isinstance(error, TimeoutError):
        return TransientTargetError(f"{what}: no answer in time")
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return TransientTargetError(f"{what}: the board cannot be reached ({error.strerror})")
    reason = " ".join(str(error).split()) or type(error).__name__
    return TransientTargetError(f"{what}: the connection was lost ({reason})")
