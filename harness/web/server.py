"""The server: what it listens on, under which names it is known, and how it ends."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ..errors import HarnessError, PlanError
from ..eventstore import EventStore
from ..lab import open_lab
from ..progress import Say
from .sessions import Sessions

if TYPE_CHECKING:
    from .web import Web

_LOG_BYTES = 2_000_000
_END_S = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen. `hosts` are further names under which it is reached; the certificate makes it https."""

    host: str
    port: int
    hosts: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.certificate is None else "https"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def known_names(listen: Listen) -> frozenset[str]:
    """The names that a request may have in its Host header."""
    names = {"localhost", "127.0.0.1", "::1", *listen.hosts}
    if not is_loopback(listen.host):
        names |= {listen.host, socket.gethostname(), socket.getfqdn()}
    return frozenset(name.lower().strip("[]") for name in names if name not in ("0.0.0.0", "::"))  # noqa: S104


def serve(listen: Listen, inventory: Path, tokens: Path | None, *, say: Say) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises PlanError for an open address without tokens, HarnessError for a port that is taken.
    """
    if not is_loopback(listen.host) and tokens is None:
        raise PlanError(
            f"{listen.host} can be reached by others, so a token is needed: make one with "
            "`hilbench serve --new-token NAME`, then start with --token-file FILE"
        )
    if (listen.certificate is None) != (listen.key is None):
        raise PlanError("--tls-cert and --tls-key belong together")
    with _bound(listen) as bound:
        port = int(bound.getsockname()[1])
        with open_lab(inventory, say=say) as lab, closing(EventStore.open(lab.home.database_url, say=say)) as events:
            from .feed import Feeds
            from .labnotes import LabNotes
            from .reportcache import ReportCache
            from .web import InventoryFile, Web

            web = Web(
                inventory=InventoryFile(inventory),
                lab=lab,
                events=events,
                sessions=Sessions(tokens, port=port),
                feeds=Feeds(events),
                reports=ReportCache(events),
                lab_notes=LabNotes(events),
            )
            _log_to(lab.home.folder / "log" / "web.log")
            shown = f"[{listen.host}]" if ":" in listen.host else listen.host
            _run(web, listen, bound, f"{listen.scheme}://{shown}:{port}/", say)


def _run(web: Web, listen: Listen, bound: socket.socket, address: str, say: Say) -> None:
    import uvicorn

    from .app import make_app

    class Server(uvicorn.Server):
        """Tells the streams to end before it waits for them."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            web.closing.set()
            super().handle_exit(sig, frame)

        async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:  # type: ignore[override]
            await super().startup(None if sockets is None else list(sockets))
            say(f"serving {address}")

    config = uvicorn.Config(
        make_app(web, known_names(listen)),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_END_S,
        limit_concurrency=500,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
    )
    Server(config).run(sockets=[bound])


def _bound(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listen.host, listen.port))
        bound.set_inheritable(True)
    except OSError as error:
        bound.close()
        raise HarnessError(f"cannot listen on {listen.host}, port {listen.port}: {error.strerror or error}") from error
    return bound


def _log_to(path: Path) -> None:
    """What the server says of itself goes to a file."""
    logger = logging.getLogger("uvicorn")
    if logger.handlers:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
