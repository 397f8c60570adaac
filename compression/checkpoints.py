"""Training kept from epoch to epoch, so that a killed run goes on where it was and ends with the same model."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cache import write_atomically
from .foreign import disk_error

if TYPE_CHECKING:
    from torch import nn

_DIGEST_BYTES = 32


def save(path: Path, key: str, state: Mapping[str, Any]) -> None:
    """Write the state (tensors and plain data) whole or not at all; a refusing disk is CompressionError."""
    import torch

    buffer = io.BytesIO()
    torch.save({"key": key, **state}, buffer)
    data = buffer.getvalue()
    write_atomically(path, hashlib.sha256(data).digest() + data)


def load(path: Path, key: str) -> Mapping[str, Any] | None:
    """Return the state kept under this key; None if there is none, or it is damaged or another training's."""
    import torch

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(f"Reading {path}", error) from error
    digest, data = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        return None
    state = torch.load(io.BytesIO(data), weights_only=True)
    return state if state["key"] == key else None


def fingerprint(module: nn.Module) -> str:
    """Return the SHA-256 of a module's structure and of all its weights."""
    import torch

    digest = hashlib.sha256(repr(module).encode())
    for name, value in module.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
        if isinstance(value, torch.Tensor):
            digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
