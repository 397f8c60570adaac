"""What every request passes before any of our pages sees it, and the headers that every answer carries.

Host and Origin are checked, as a page of another site can make a browser send requests here: a name that points to
127.0.0.1 (DNS rebinding) fails by its Host, a form or script of another site by its Origin. Bodies are read here, up to
a limit and within a time, so that a huge or a slow form reaches nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .sessions import Sessions
from .tokens import Scope

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Send
    from starlette.types import Scope as AsgiScope

LARGEST_BODY_BYTES = 256 * 1024
BODY_TIME_S = 15.0
SAFE_METHODS = frozenset({"GET", "HEAD"})
METHODS = SAFE_METHODS | {"POST"}
OPEN_PATHS = ("/login", "/static/")
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # `no-referrer` would make browsers send our own forms without their origin
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class TooLargeError(Exception):
    """The body has more bytes than a form of ours can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may come in. `hosts` are the names under which this server is reached, in lower case, without ports."""

    hosts: frozenset[str]
    sessions: Sessions

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Why a request is refused, None where it is not. `headers` have lower-case names."""
        host = headers.get("host", "")
        if _name(host) not in self.hosts:
            return Refusal(status=421, sentence="this server is not known by that name; --allow-host NAME allows it")
        if method not in METHODS:
            return Refusal(status=405, sentence="only GET, HEAD and POST are answered here")
        if method not in SAFE_METHODS and not _own_site(headers, host):
            return Refusal(status=403, sentence="a form of another site is not taken")
        if path == "/login" or path.startswith(OPEN_PATHS[1]):
            return None
        visitor = self.sessions.visitor(headers)
        if visitor is None:
            return Refusal(status=401, sentence="a token is needed: log in, or send it as `Authorization: Bearer`")
        if visitor.scope < (needed := needed_scope(method, path)):
            return Refusal(
                status=403, sentence=f"this token does not allow that; it takes one of scope {needed.name.lower()}"
            )
        return None


def needed_scope(method: str, path: str) -> Scope:
    """What a token must allow for a request."""
    if method in SAFE_METHODS or path == "/logout":
        return Scope.READ
    return Scope.ADMIN if path.startswith("/boards/new") else Scope.RUN


def _name(host: str) -> str:
    """The name in a Host header; an empty word where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    return "" if parts.username is not None or parts.path else (parts.hostname or "").lower()


def _own_site(headers: Mapping[str, str], host: str) -> bool:
    """Whether a request that changes something comes from our own pages, or from a program that is no browser."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == host.lower() and site in (None, "same-origin")
    return site in (None, "same-origin", "none")


class Guard:
    """The application behind the door. Requests that are refused never reach it."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # we have no web sockets: what is not accepted is closed
        told = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal is None and scope["method"] not in SAFE_METHODS:
            try:
                async with asyncio.timeout(BODY_TIME_S):
                    receive = _again(await _body(receive), receive)
            except TooLargeError:
                refusal = Refusal(status=413, sentence=f"a form may have at most {LARGEST_BODY_BYTES // 1024} KiB")
            except TimeoutError:
                refusal = Refusal(status=408, sentence="the form did not come in time")
        if refusal is not None:
            from .pages import refused

            await refused(refusal, path=scope["path"])(scope, receive, told)
            return
        await self._app(scope, receive, told)

    def _refusal(self, scope: AsgiScope) -> Refusal | None:
        pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = dict(pairs)
        if any(
            sum(name == one for name, _ in pairs) > 1 for one in ("host", "origin", "authorization", "content-length")
        ):
            return Refusal(status=400, sentence="a header stands there twice")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:12]) > LARGEST_BODY_BYTES:
            return Refusal(status=413, sentence=f"a form may have at most {LARGEST_BODY_BYTES // 1024} KiB")
        return self._door.refusal(scope["method"], scope["path"], headers)


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises TooLargeError as soon as it is longer than a form may be."""
    content = b""
    while True:
        message = await receive()
        content += message.get("body", b"")
        if len(content) > LARGEST_BODY_BYTES:
            raise TooLargeError
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return content


def _again(content: bytes, receive: Receive) -> Receive:
    """The body that was read, for the application; afterwards what comes next on the connection."""
    given: list[Any] = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> Message:
        return given.pop() if given else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    """Every answer gets our headers, unless it has its own of that name."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            there = {name.lower() for name, _ in headers}
            extra = [(k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in there]
            message = {**message, "headers": [*headers, *extra]}
        await send(message)

    return told
