"""Who has a board: asked of the board itself, or of this machine where the board is emulated on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..targets.board import Board, EmulatedAddress
from ..targets.claim import Holder, clock_time, in_words, this_person, whom_to_ask
from ..targets.emulated.host import machine_users
from ..targets.errors import TargetError
from ..targets.lease import reserve, show_lease, unreserve
from ..targets.open import connect_board
from .errors import PlanError

Facts = Mapping[str, Any]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 30 * 86400


def occupancy(board: Board) -> Facts:
    """`in use by` and `reserved by`, each as a mapping or None. Raises TargetError where the board cannot be asked."""
    if isinstance(board.address, EmulatedAddress):
        address = board.address
        users = machine_users(board.name, address.cpu, address.memory_mib)
        return {"in use by": {"holder": users[0]} if users else None, "reserved by": None}
    connection = connect_board(board)
    try:
        holders = show_lease(connection, board.workdir)
    finally:
        connection.close()
    return {
        "in use by": next((_facts(holder) for holder in holders if not holder.reserved), None),
        "reserved by": next((_facts(holder) for holder in holders if holder.reserved), None),
    }


def reserve_board(board: Board, duration: str | None, note: str) -> Facts:
    """Reserve a board for who works here. Raises PlanError for wrong words, TargetError where somebody else has it."""
    if duration is None:
        raise PlanError("--for is missing: how long, such as --for 2h (or --release to end a reservation)")
    duration_s = seconds_of(duration)
    _refuse_emulated(board)
    connection = connect_board(board)
    try:
        other = reserve(connection, board.workdir, this_person(), duration_s=duration_s, note=note)
        _refuse_other(board, other)
        (mine,) = [holder for holder in show_lease(connection, board.workdir) if holder.reserved]
    finally:
        connection.close()
    return {"reserved": _facts(mine)}


def release_board(board: Board, duration: str | None) -> Facts:
    """End the reservation of who works here. Raises as `reserve_board` does."""
    if duration is not None:
        raise PlanError("--for and --release exclude each other")
    _refuse_emulated(board)
    connection = connect_board(board)
    try:
        _refuse_other(board, unreserve(connection, board.workdir, this_person()))
    finally:
        connection.close()
    return {"reserved": None}


def seconds_of(text: str) -> int:
    """`90s`, `30m`, `2h`, `1d` in seconds. Raises PlanError for anything else and for more than 30 days."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", text.strip())
    value = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < value <= _LONGEST_S:
        raise PlanError(f'"{text}" is no time to reserve a board for: 30m, 2h or 1d, at most 30d')
    return value


def _refuse_emulated(board: Board) -> None:
    if isinstance(board.address, EmulatedAddress):
        raise PlanError(f"{board.name} is emulated: each user of it gets a clean one in turn, it cannot be reserved")


def _refuse_other(board: Board, other: Holder | None) -> None:
    if other is not None:
        words = in_words(other, now=datetime.now().astimezone())
        raise TargetError(f"{board.name} is {words}; ask {whom_to_ask(other)}")


def _facts(holder: Holder) -> dict[str, Any]:
    now = datetime.now().astimezone()
    ends = now + timedelta(seconds=holder.remaining_s)
    return {
        "person": holder.person,
        "note": holder.note or None,
        "until": clock_time(ends, now=now),
        "until_utc": ends.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "remaining_s": holder.remaining_s,
        "account": holder.account,
        **({} if holder.reserved else {"owner": holder.owner, "token": holder.token}),
    }
