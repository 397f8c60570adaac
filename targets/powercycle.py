"""Switching a board off and on by a command of the user's, where it cannot be reached by any other way."""

from __future__ import annotations

import re
import shlex
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .board import Board
from .connection import Connection
from .errors import TargetError, TransientTargetError
from .program import check_words, run_program

COMMAND_TIMEOUT_S = 60.0
_PLACES = ("name", "host")
_LOOK_S = 2.0


def check_template(template: str) -> str:
    """The command as written, if it can be run. Raises ValueError with what is wrong and what is allowed."""
    for place in re.findall(r"\{(\w*)\}", template):
        if place not in _PLACES:
            allowed = ", ".join(f"{{{one}}}" for one in _PLACES)
            raise ValueError(f'"{{{place}}}" stands for nothing here. Allowed: {allowed}')
    check_words(template)
    return template


def command_words(template: str, values: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """The words to run: split first, so that no name becomes two words. A program named by a relative path is beside
    the inventory, whose folder is `folder`; one without a slash is looked for on PATH.
    """
    words = shlex.split(template)
    program = Path(words[0]).expanduser()
    if "/" in words[0] and not program.is_absolute():
        program = folder / program
    filled = [str(program), *words[1:]]
    return tuple(re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), word) for word in filled)


def power_cycle(
    board: Board,
    connect: Callable[[], Connection],
    *,
    say: Callable[[str], None],
    cancel: threading.Event | None = None,
) -> None:
    """Run the board's command and wait until the board answers, at most `power_cycle_wait_s`.

    Does nothing where it answers at a second look: somebody may be using it. Raises TargetError where the command
    fails, TransientTargetError where the board does not come back, and what a board that answers objects to.
    """
    first = _refusal(connect)
    if first is None:
        return
    say(f"cannot be reached ({first}); switching its power: {shlex.join(board.power_cycle)}")
    try:
        run_program(board.power_cycle, timeout_s=COMMAND_TIMEOUT_S)
    except TargetError as error:
        raise TransientTargetError(f"{first}; its power could not be switched: {error}") from error
    began = time.monotonic()
    say(f"its power was switched; waiting up to {board.power_cycle_wait_s:g} s for it to answer")
    while (refusal := _refusal(connect)) is not None:
        left_s = board.power_cycle_wait_s - (time.monotonic() - began)
        if left_s <= 0:
            waited = f"{board.power_cycle_wait_s:g} s after its power was switched"
            raise TransientTargetError(f"{board.name} does not answer {waited}: {refusal}")
        if (cancel or threading.Event()).wait(min(_LOOK_S, left_s)):
            raise TargetError(f"stopped while {board.name} was starting")
    say(f"answers again {time.monotonic() - began:.0f} s after its power was switched")


def _refusal(connect: Callable[[], Connection]) -> TransientTargetError | None:
    """Why the board cannot be reached, None where it can. A wrong key or account is raised: power does not mend it."""
    try:
        connect().close()
    except TransientTargetError as error:
        return error
    return None
