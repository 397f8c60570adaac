"""What the command line reports, by the exit code that it ends with (see `docs/command-line.md`)."""

from __future__ import annotations


class HarnessError(Exception):
    """Root of this package. Its message is one sentence for the user."""

    exit_code = 1


class PlanError(HarnessError, ValueError):
    """The plan or the command's words are wrong: fix them."""

    exit_code = 2


class StoreError(HarnessError):
    """The store cannot be opened, read or written."""

    exit_code = 1


class QueueError(HarnessError):
    """The queue cannot be opened, read or written."""


class DatabaseUrlError(StoreError):
    """The words that name the database are wrong: fix them."""

    exit_code = 2


class NoSuchRunError(StoreError):
    """There is no such run in the store."""

    exit_code = 2


class FencedError(StoreError):
    """A result came from a job that had lost its board to another run: it is not stored."""


class Interrupted(HarnessError):  # noqa: N818  a stop that the user asked for is no error
    """The user stopped the run; what was measured is kept."""

    exit_code = 130
