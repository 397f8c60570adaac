"""`hilbench serve`: the web page."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import emit, verb

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; another needs a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="0 takes a free one.")
@click.option("--allow-host", "hosts", multiple=True, help="A further name under which it is reached. Repeatable.")
@click.option("--token-file", type=_FILE, help="Ask for a token of this file.")
@click.option("--new-token", "name", metavar="NAME", help="Make a token, print it once, and end.")
@click.option(
    "--scope",
    type=click.Choice(["read", "run", "admin"]),
    default="run",
    show_default=True,
    help="What the new token allows: look; queue runs too; add boards too.",
)
@click.option("--days", type=int, default=90, show_default=True, help="How long the new token lasts.")
@click.option("--tls-cert", "certificate", type=_FILE, help="Serve https with this certificate (PEM).")
@click.option("--tls-key", "key", type=_FILE, help="The certificate's private key.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def serve(
    *,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    token_file: Path | None,
    name: str | None,
    scope: str,
    days: int,
    certificate: Path | None,
    key: Path | None,
    inventory: Path | None,
    as_json: bool,
) -> None:
    """Serve the web page: the lab, boards, new runs, live runs, reports.

    It listens on this machine only, where it asks for no token unless --token-file is given. Runs are queued; a
    `hilbench worker` carries them out. Needs the extra: pip install "hilbench[web]"
    """
    from ...targets.inventory import FILE_NAME, find_inventory
    from ..home import find_home

    path = (inventory or find_inventory(Path.cwd()) or Path.cwd() / FILE_NAME).absolute()
    if name is not None:
        _make_token(token_file or find_home(path).folder / "tokens.json", name, scope, days, as_json=as_json)
        return
    _need_packages()
    from ..web.server import Listen, serve

    listen = Listen(host=host, port=port, hosts=hosts, certificate=certificate, key=key)
    serve(listen, path, token_file, say=lambda line: click.echo(line, err=True))


def _make_token(file: Path, name: str, scope: str, days: int, *, as_json: bool) -> None:
    from ..web.tokens import Scope, new_token

    secret, made = new_token(file, name, Scope[scope.upper()], days)
    if as_json:
        emit({"token": secret, "name": made.name, "scope": scope, "expires_at": made.expires_at, "file": str(file)})
        return
    click.echo(secret)
    click.echo(f"shown once; it lasts until {made.expires_at} and is kept as a hash in {file}", err=True)
    click.echo(f"next:  hilbench serve --host ADDRESS --token-file {file}", err=True)


def _need_packages() -> None:
    from importlib.util import find_spec

    from ..errors import PlanError

    if any(find_spec(package) is None for package in ("fastapi", "uvicorn")):
        raise PlanError('the web page needs more packages: pip install "hilbench[web]"')
