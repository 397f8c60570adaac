"""The words that name a database: what is allowed, and how it is called in messages (never with a password)."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from .errors import DatabaseUrlError

SETTING = "HILBENCH_DATABASE"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_FORM = "postgresql://USER@HOST/DATABASE"


def driver_url(url: str) -> str:
    """The URL for SQLAlchemy: SQLite's as it is, PostgreSQL's with its driver. Raises DatabaseUrlError for others."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return url
    if scheme not in _POSTGRESQL or not rest:
        what = f'"{scheme}" is no database that hilbench knows' if rest else "it is no URL"
        raise DatabaseUrlError(
            f"{SETTING}: {what}; allowed is {_FORM}, and without this setting the runs go to a SQLite file"
        )
    parts = _split(url)
    if not parts.path.strip("/"):
        raise DatabaseUrlError(f"{SETTING}: {shown(url)} names no database; the form is {_FORM}")
    return f"postgresql+psycopg://{rest}"


def shown(url: str) -> str:
    """How messages call a database: a file by its path, a server without password and options."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return rest.removeprefix("/")
    parts = _split(url)
    _, at, host = parts.netloc.rpartition("@")
    user = parts.username or ""
    return f"postgresql://{user}{at}{host}{parts.path}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError as error:  # its text may hold the password
        raise DatabaseUrlError(
            f'{SETTING} is no URL of the form {_FORM}; a "/", "@", ":" or "#" in a password is written as %2F, %40, '
            "%3A or %23"
        ) from error
    return parts
