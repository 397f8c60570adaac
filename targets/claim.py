"""Who asks for a board and who has it: the values of a lease, and how they are told to a person. Pure but for names."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .deadlines import setting_s

TTL_SETTING, WAIT_SETTING = "HILBENCH_LEASE_TTL_S", "HILBENCH_LEASE_WAIT_S"
USUAL_TTL_S = 300.0  # of a look at a board: each of its runtimes may take two minutes to be imported
USUAL_WAIT_S = 3600.0

HOLDER_LINES = 7  # of a lease as the board reports it


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who asks for a board, and for how long.

    `owner` is `host:run id`: who comes back with the same one takes the lease again. `person` may use what was
    reserved for it. The token will be higher than `least_token`.
    """

    owner: str
    person: str
    note: str
    ttl_s: float = USUAL_TTL_S
    wait_s: float = USUAL_WAIT_S
    least_token: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a board: a controller's lease, or a person's reservation. `remaining_s` counts from now."""

    reserved: bool
    owner: str
    person: str
    account: str
    note: str
    token: int
    remaining_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLeft:
    """An agent of an earlier controller that still works on the board, and that this account may not end."""

    pid: int
    account: str
    job: str


def this_person() -> str:
    """Who works at this machine: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def claim_for(what: str, note: str, *, ttl_s: float = USUAL_TTL_S, least_token: int = 0) -> Claim:
    """The claim of this machine for a run's id, or for a process of its own.

    The environment's HILBENCH_LEASE_TTL_S and HILBENCH_LEASE_WAIT_S win. Raises TargetError where they are no numbers.
    """
    return Claim(
        owner=f"{socket.gethostname()}:{what}",
        person=this_person(),
        note=note,
        ttl_s=setting_s(TTL_SETTING, ttl_s, least=1.0),
        wait_s=setting_s(WAIT_SETTING, USUAL_WAIT_S, least=0.0),
        least_token=least_token,
    )


def holder_from_lines(lines: Sequence[str]) -> Holder:
    """A lease as the board reports it: kind, token, seconds left, account, person, owner, note."""
    kind, token, remaining, account, person, owner, note = lines[:HOLDER_LINES]
    return Holder(
        reserved=kind == "reserved",
        owner=owner,
        person=person,
        account=account,
        note=note,
        token=int(token),
        remaining_s=int(remaining),
    )


def in_words(found: Holder | AgentLeft, *, now: datetime) -> str:
    """What stands after "the board is": who has it, what for, until when."""
    if isinstance(found, AgentLeft):
        return (
            f"in use by process {found.pid} of the board's account {found.account}, an agent (job {found.job}) that "
            f"its controller left and that this account may not end"
        )
    until = clock_time(now + timedelta(seconds=found.remaining_s), now=now)
    note = f" ({found.note})" if found.note else ""
    if found.reserved:
        return f"reserved by {found.person} until {until}{note}"
    return f"in use by {found.person}, account {found.account}{note}, until {until} unless renewed"


def whom_to_ask(found: Holder | AgentLeft) -> str:
    """The one who can give the board free."""
    return f"whoever works as {found.account} on the board" if isinstance(found, AgentLeft) else found.person


def clock_time(moment: datetime, *, now: datetime) -> str:
    """The time of day, with the date where it is not today's."""
    return moment.strftime("%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M")
