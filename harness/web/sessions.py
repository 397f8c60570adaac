"""Who asks: by a token in the request, or by the cookie that a browser got for one.

Sessions are in memory and gone with the process.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from ..errors import HarnessError
from .tokens import Scope, Token, matching, read_tokens

_MOST_SESSIONS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody whose request is answered. `name` is the token's; None where no tokens are asked for."""

    name: str | None
    scope: Scope


OWNER = Visitor(name=None, scope=Scope.ADMIN)
"""Who asks a server that listens on this machine only and has no tokens: anybody who has an account here."""


class Sessions:
    """Tokens from a file, read again when it changes, so that one that was taken out of it ends at once."""

    def __init__(
        self, file: Path | None, *, port: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, str] = {}  # the cookie's value -> the hash of the token that it was given for
        self.cookie = f"hilbench_{port}"  # cookies do not tell ports apart

    @property
    def asked_for(self) -> bool:
        """Whether a token is needed."""
        return self._file is not None

    def visitor(self, headers: Mapping[str, str]) -> Visitor | None:
        """Who asks, from the request's headers (lower case); None where that is nobody known."""
        if self._file is None:
            return OWNER
        kind, _, secret = headers.get("authorization", "").partition(" ")
        token = self._token(secret.strip()) if kind.lower() == "bearer" else self._by_cookie(headers.get("cookie", ""))
        return None if token is None else Visitor(name=token.name, scope=token.scope)

    def log_in(self, secret: str) -> str | None:
        """A new cookie's value for a token; None where the token is wrong or its time is over."""
        token = self._token(secret)
        if token is None:
            return None
        value = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._sessions) >= _MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[value] = token.sha256
        return value

    def log_out(self, headers: Mapping[str, str]) -> None:
        """Forget the session of a request."""
        with self._lock:
            self._sessions.pop(self._value(headers.get("cookie", "")), None)

    def _by_cookie(self, cookie: str) -> Token | None:
        with self._lock:
            digest = self._sessions.get(self._value(cookie))
        now = self._clock()
        return next((token for token in self._tokens() if token.sha256 == digest and token.valid(now)), None)

    def _value(self, cookie: str) -> str:
        try:
            found = SimpleCookie(cookie).get(self.cookie)
        except CookieError:
            return ""
        return "" if found is None else found.value

    def _token(self, secret: str) -> Token | None:
        return matching(self._tokens(), secret, self._clock())

    def _tokens(self) -> tuple[Token, ...]:
        assert self._file is not None
        try:
            return read_tokens(self._file)
        except HarnessError:
            return ()  # a file that went away opens to nobody
