"""What can go wrong between the controller and a board, by what the caller does about it."""

from __future__ import annotations


class TargetError(Exception):
    """Root of this package: this board cannot be used now; skip it and say why."""


class TransientTargetError(TargetError):
    """The connection failed in a way that a second try may mend; what runs on the board may still run."""


class HostKeyError(TargetError):
    """The host key is unknown or changed: a person must look before anything else happens."""


class BoardFullError(TargetError):
    """The board's disk has no room for what must be stored there."""


class NoWheelError(TargetError):
    """No published wheel of a runtime fits the board's interpreter: another runtime or interpreter is needed."""


class BoardHeldError(TargetError):
    """Somebody else has the board; the message says who and until when. `remaining_s` is None where that is unknown."""

    def __init__(self, message: str, *, remaining_s: int | None) -> None:
        super().__init__(message)
        self.remaining_s = remaining_s


class CommandError(TargetError):
    """A command on the board ended with another status than the caller could use."""

    def __init__(self, message: str, *, status: int, stdout: str = "", stderr: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class InventoryError(TargetError, ValueError):
    """The inventory file is wrong: fix the file. The message names file, line, key and what is allowed."""


class EmulatorError(TargetError):
    """QEMU or its image could not be made or started on this machine."""
