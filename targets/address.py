"""A board by its address alone: `user@host[:port]`, with the trust and the keys that the user's own ssh already has."""

from __future__ import annotations

import os
import re
import socket
import struct
from pathlib import Path
from typing import Any

from .board import Arch, Board, BoardRuntime, Role, SshAddress
from .errors import HostKeyError, InventoryError
from .hostkeys import DEFAULT_PORT, read_known_hosts, unknown_host_hint

# Which of them it has is asked when it is reached; only those that a plan needs are tried.
RUNTIMES = tuple(BoardRuntime(name=name) for name in ("onnxruntime", "ai-edge-litert", "tflite-runtime"))
DEFAULT_KEY_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")

_ADDRESS = re.compile(r"(?P<user>[^@\s]+)@(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:@\s\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_AGENT_TIMEOUT_S = 2.0


def split_address(text: str) -> dict[str, Any]:
    """`user@host[:port]` (an IPv6 address in brackets) as host, user and port. Raises ValueError with one sentence."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is no address; expected user@host or user@host:port')
    port = int(match["port"] or DEFAULT_PORT)
    if not 1 <= port <= 65535:
        raise ValueError(f'"{text}" is no address: the port must be 1 to 65535')
    return {"user": match["user"], "host": match["host"].strip("[]"), "port": port}


def board_from_address(
    text: str, *, known_hosts: Path | None = None, key_file: Path | None = None, arch: Arch = Arch.ARM64
) -> Board:
    """A board that stands in no inventory. Its host key must already be in `known_hosts` (~/.ssh/known_hosts).

    The private key is `key_file`, else the SSH agent's where it holds any, else the first of the usual files in ~/.ssh.
    ~/.ssh/config is not read. Raises InventoryError for a text that is no address, HostKeyError for an unknown host.
    """
    try:
        parts = split_address(text)
    except ValueError as error:
        raise InventoryError(str(error)) from error
    host, port = parts["host"], parts["port"]
    trusted = known_hosts or Path.home() / ".ssh" / "known_hosts"
    if not trusted.exists() or not read_known_hosts(trusted, host, port).accepted:
        raise HostKeyError(f"the host key of {host}:{port} is not in {trusted}: {unknown_host_hint(host, port)}")
    address = SshAddress(
        host=host, port=port, user=parts["user"], key_file=_key_file(key_file), known_hosts=str(trusted)
    )
    name = re.sub(r"[^A-Za-z0-9._-]", "-", host)
    return Board(name=name, address=address, arch=arch, role=Role.TARGET, runtimes=RUNTIMES)


def _key_file(given: Path | None) -> str | None:
    return usual_key_file() if given is None else str(given.expanduser())


def usual_key_file() -> str | None:
    """The first of the usual files in ~/.ssh; None (the SSH agent is asked) where it holds keys or none is there."""
    if agent_key_count():
        return None
    folder = Path.home() / ".ssh"
    return next((str(folder / name) for name in DEFAULT_KEY_FILES if (folder / name).is_file()), None)


def agent_key_count() -> int | None:
    """How many keys the SSH agent holds, or None where no agent answers.

    The request and its answer: draft-ietf-sshm-ssh-agent, SSH_AGENTC_REQUEST_IDENTITIES (11), IDENTITIES_ANSWER (12).
    """
    if not (path := os.environ.get("SSH_AUTH_SOCK")):
        return None
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(_AGENT_TIMEOUT_S)
            agent.connect(path)
            agent.sendall(struct.pack(">IB", 1, 11))
            answer = b""
            while len(answer) < 9 and (piece := agent.recv(9 - len(answer))):
                answer += piece
    except OSError:
        return None
    return int.from_bytes(answer[5:9], "big") if len(answer) == 9 and answer[4] == 12 else None
