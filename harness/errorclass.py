"""Whose fault an error is: what a retry may mend, and what only a person can."""

from __future__ import annotations

from ..compression.errors import CompressionError
from ..targets.errors import (
    BoardHeldError,
    EmulatorError,
    HostKeyError,
    InventoryError,
    TargetError,
    TransientTargetError,
)
from ..targets.lease import LeaseLostError
from ..targets.watch import AgentLostError
from .errors import PlanError

# What may go away by itself: the connection, or a board that restarted or was taken while it worked.
_TRANSIENT = (TransientTargetError, AgentLostError, LeaseLostError)


def error_class(error: Exception) -> str:
    """`user`, `board`, `network`, `model`, or `harness` for what nobody foresaw."""
    match error:
        case PlanError() | InventoryError() | HostKeyError():
            return "user"
        case TransientTargetError():
            return "network"
        case EmulatorError():
            return "harness"
        case TargetError():
            return "board"
        case CompressionError():
            return "model"
        case _:
            return "harness"


def is_transient(error: Exception) -> bool:
    """Whether another try may go well without a person doing anything."""
    return isinstance(error, _TRANSIENT)


def is_held(error: Exception) -> bool:
    """Whether somebody else has the board: nothing failed, it is waited for."""
    return isinstance(error, BoardHeldError)
