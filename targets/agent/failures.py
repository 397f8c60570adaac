"""How one cell fails on the board: an outcome and one sentence for a person."""

from __future__ import annotations

import signal

ERROR = "error"
TIMEOUT = "timeout"
UNSUPPORTED = "unsupported"
MEMORY_EXHAUSTED = "the board's memory was exhausted"

TOO_OLD = "hilbench needs Python "  # how the agent's file answers an interpreter that is too old for it

_LONGEST_REASON = 300


class CellFailure(Exception):  # noqa: N818  an outcome of a cell, `unsupported` is none of an error
    """This cell cannot give its trial. `outcome` is `error`, `timeout` or `unsupported`."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


def one_sentence(text: str) -> str:
    """The first meaningful line of a foreign message, shortened to what a table cell can show."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = " ".join(lines[0].split()) if lines else "no message"
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def explain_exit(status: int, *, phase: str, oom_kills: int | None, last_words: str) -> CellFailure:
    """Why a process ended without an answer.

    Args:
        status: as `subprocess` gives it: negative for a signal.
        phase: what the process was doing, as a clause ("while it loaded the model").
        oom_kills: growth of `oom_kill` in /proc/vmstat meanwhile; None where the kernel does not tell.
        last_words: the last line it wrote to its log, or nothing.
    """
    if status == -signal.SIGKILL and oom_kills:
        return CellFailure(ERROR, f"{MEMORY_EXHAUSTED} (out-of-memory killer) {phase}")
    if status == -signal.SIGILL:
        return CellFailure(UNSUPPORTED, f"the runtime uses an instruction that this processor lacks (SIGILL) {phase}")
    if status < 0:
        return CellFailure(ERROR, f"the process was ended by {_signal_name(-status)} {phase}")
    if last_words.startswith(TOO_OLD):
        return CellFailure(UNSUPPORTED, one_sentence(last_words))
    words = f": {one_sentence(last_words)}" if last_words.strip() else ""
    return CellFailure(ERROR, f"the process ended with status {status} and no result {phase}{words}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
