"""How a board's cache stays below its limit: the files that were not used longest go first.

A file that a job on the board names stays, whoever's job it is, and so do the files of other accounts, which the
cache's sticky bit keeps anyway. Use is the time of a file: `deploy` sets it whenever it asks for the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .transfer import quoted

_NAME = re.compile(r"[0-9a-f]{64}(\.\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFile:
    """A file of the cache. `removable`: it is this account's, and no job on the board names it."""

    name: str
    size_bytes: int
    removable: bool


def cache_command(folder: str) -> str:
    """Print the account, the cache (the latest used first), and after `=jobs` the files that jobs of any account name.

    `folder` is the cache; the jobs lie beside it. Run it in the cache. Only what busybox has, too.
    """
    jobs = f"{quoted(f'{folder}/..')}/account-*/jobs/*/job.json"
    return f"id -u; ls -ltn; echo =jobs; grep -oh '[0-9a-f]\\{{64\\}}[.A-Za-z0-9_]*' {jobs} 2>/dev/null; :"


def parse_cache(output: str) -> list[CacheFile]:
    """The files of the cache, the latest used first; nothing where the output is no such thing."""
    listing, _, jobs = output.partition("=jobs\n")
    account, *lines = listing.splitlines() or [""]
    named = set(jobs.split())
    rows = [line.split() for line in lines]
    return [
        CacheFile(name=row[-1], size_bytes=int(row[4]), removable=row[2] == account and row[-1] not in named)
        for row in rows
        if len(row) >= 8 and row[4].isdigit() and _NAME.fullmatch(row[-1])
    ]


def surplus(
    files: Sequence[CacheFile], *, keep: Collection[str], needed_bytes: int, limit_bytes: int, lacking_bytes: int
) -> list[CacheFile]:
    """What to remove before `needed_bytes` come: until the limit holds and `lacking_bytes` of the disk are free."""
    used = sum(file.size_bytes for file in files)
    excess = max(used + needed_bytes - limit_bytes, lacking_bytes)
    gone: list[CacheFile] = []
    for file in reversed(files):
        if excess <= 0:
            break
        if file.removable and file.name not in keep:
            gone.append(file)
            excess -= file.size_bytes
    return gone
