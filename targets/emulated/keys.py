"""The SSH keys of an image: one that opens the guest, and the guest's own, both made on this host before it boots.

So the controller knows the host key from the file that it wrote into the disk, and never has to trust a first contact.
"""

from __future__ import annotations

import base64
import struct
from pathlib import Path

from ..errors import EmulatorError
from .programs import run_program

_MAGIC = b"openssh-key-v1\0"


def make_key(file: Path, comment: str) -> str:
    """Write a new ed25519 key pair to `file` and `file.pub`, without a passphrase; returns the public line."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(file)]
    run_program(argv, doing="making an SSH key for the emulated board")
    return file.with_name(file.name + ".pub").read_text().strip()


def dropbear_key(openssh_private_key: str) -> bytes:
    """An unencrypted ed25519 key of OpenSSH in dropbear's file format.

    Both keep the same 64 bytes, seed and public key: OpenSSH inside the container of its PROTOCOL.key, dropbear as
    string "ssh-ed25519" + string of the 64 bytes (its `buf_put_ed25519_priv_key`), lengths big-endian in 4 bytes.
    """
    lines = openssh_private_key.strip().splitlines()
    blob = base64.b64decode("".join(lines[1:-1]))
    if not blob.startswith(_MAGIC):
        raise EmulatorError("making the emulated board's host key: ssh-keygen wrote an unknown format")
    cipher, rest = _string(blob[len(_MAGIC) :])
    if cipher != b"none":
        raise EmulatorError("making the emulated board's host key: the key has a passphrase, dropbear cannot use it")
    _kdf, rest = _string(rest)
    _kdf_options, rest = _string(rest)
    _public, rest = _string(rest[4:])  # after the number of keys, which is 1
    private, _ = _string(rest)
    name, rest = _string(private[8:])  # after two equal check numbers
    if name != b"ssh-ed25519":
        raise EmulatorError(f"making the emulated board's host key: ssh-ed25519 is needed, not {name.decode()}")
    _public, rest = _string(rest)
    secret, _ = _string(rest)
    return _pack(name) + _pack(secret)


def _string(data: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack_from(">I", data)
    return data[4 : 4 + length], data[4 + length :]


def _pack(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
