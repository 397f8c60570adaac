"""Tokens that open the web page to another machine: 256 random bits each, kept only as a hash, with an end.

The file is JSON that its owner alone can read. A token is shown once, when it is made; what is kept cannot be turned
back into it. As it is random and not chosen by a person, one round of SHA-256 is enough.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

from ..errors import HarnessError, PlanError
from ..reporting import write_bytes

LONGEST_DAYS = 3650
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PREFIX = "hilbench_"


class Scope(IntEnum):
    """What a token allows; each one includes those before it."""

    READ = 1  # look at everything
    RUN = 2  # queue, cancel and retry runs, check boards
    ADMIN = 3  # add boards: this logs in to addresses with this account's keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a token. Moments are UTC in ISO form."""

    name: str
    sha256: str
    scope: Scope
    made_at: str
    expires_at: str

    def valid(self, at: datetime) -> bool:
        """Whether it may still be used."""
        return at < datetime.fromisoformat(self.expires_at)


def new_token(path: Path, name: str, scope: Scope, days: int) -> tuple[str, Token]:
    """Make a token and add it to a file, in the place of an older one of this name. Returns the secret, shown once.

    Raises PlanError for a name or a time that cannot be, HarnessError where the file cannot be written.
    """
    if _NAME.fullmatch(name) is None:
        raise PlanError(f'"{name}" is no name for a token: letters, digits and . _ - are allowed, at most 63')
    if not 1 <= days <= LONGEST_DAYS:
        raise PlanError(f"a token lasts from 1 to {LONGEST_DAYS} days, not {days}")
    secret = _PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC).replace(microsecond=0)
    made = Token(
        name=name,
        sha256=_digest(secret),
        scope=scope,
        made_at=now.isoformat(),
        expires_at=(now + timedelta(days=days)).isoformat(),
    )
    others = [token for token in (read_tokens(path) if path.exists() else ()) if token.name != name]
    _write(path, [*others, made])
    return secret, made


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a file. Raises HarnessError where it cannot be read, is no such file, or others can read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise HarnessError(f"{path} can be read by other accounts; `chmod 600 {path}` mends that")
        data: Any = json.loads(path.read_bytes())
        return tuple(_token(entry) for entry in data["tokens"])
    except OSError as error:
        raise HarnessError(f"{path}: the tokens cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{path} is no file of tokens; `hilbench serve --new-token NAME` makes one") from error


def matching(tokens: Sequence[Token], secret: str, at: datetime) -> Token | None:
    """The token that a secret stands for; None where there is none or its time is over. All are compared alike."""
    digest = _digest(secret)
    found = [token for token in tokens if secrets.compare_digest(token.sha256, digest)]
    return next((token for token in found if token.valid(at)), None)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _token(entry: dict[str, Any]) -> Token:
    datetime.fromisoformat(entry["expires_at"])
    values: dict[str, Any] = {**entry, "scope": Scope[str(entry["scope"]).upper()]}
    return Token(**values)


def _write(path: Path, tokens: Sequence[Token]) -> None:
    plain = [{**asdict(token), "scope": token.scope.name.lower()} for token in tokens]
    text = json.dumps({"tokens": plain}, indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # before there is something in it to be read
    except OSError as error:
        raise HarnessError(f"{path}: the tokens cannot be written: {error.strerror}") from error
    write_bytes(path, text.encode())
