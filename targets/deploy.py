"""Files to a board by their content: what the board has already is never sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cachelimit import CacheFile, cache_command, parse_cache, surplus
from .connection import Connection
from .errors import BoardFullError, TargetError
from .transfer import PART_PATTERN, free_space_command, megabytes, parse_free_bytes, quoted

CACHE_FOLDER = "cache"

_LOOK_TIMEOUT_S = 60.0
_SEND_LEAST_S = 120.0
_SLOWEST_BYTES_PER_S = 50_000  # a poor radio link; what is slower counts as lost
_SLOWEST_HASHING_BYTES_PER_S = 2_000_000
_MARGIN_BYTES = 1 << 20  # a board whose disk is filled to the last block cannot even write its journal


def deploy(
    connection: Connection,
    workdir: str,
    files: Mapping[str, Path],
    *,
    progress: Callable[[str], None] = lambda _: None,
    board: str = "the board",
    cache_limit_bytes: int | None = None,
) -> Mapping[str, str]:
    """Bring files (sha256 -> local path) to the board's cache and return sha256 -> path on the board.

    The cache is `<workdir>/cache/<sha256><suffix>`. The board is asked what it has, and hashes what has the right size:
    memory cards lose bits without a word, and a wrong model would be measured. With `cache_limit_bytes`, files that
    were not used longest and that no job names make room first. Raises BoardFullError before anything is sent where the
    rest does not fit, and TargetError where a local file is not what its hash says.
    """
    folder = f"{workdir}/{CACHE_FOLDER}"
    names = {sha256: f"{sha256}{path.suffix}" for sha256, path in files.items()}
    sizes = {sha256: _size_bytes(path) for sha256, path in files.items()}
    look = _look(connection, folder, tuple(names.values()), board)
    whole = [sha256 for sha256 in files if look.sizes_bytes.get(names[sha256]) == sizes[sha256]]
    damaged = _damaged(
        connection, folder, {names[sha256]: sha256 for sha256 in whole}, sum(sizes[one] for one in whole)
    )
    for name, found in damaged.items():
        progress(f"{name} in the board's cache is damaged (its sha256 is {found[:12]}…): it is sent again")
    lacking = [sha256 for sha256 in files if sha256 not in whole or names[sha256] in damaged]
    needed_bytes, free_bytes = sum(sizes[sha256] for sha256 in lacking), look.free_bytes
    if cache_limit_bytes is not None:
        short = 0 if free_bytes is None or not lacking else needed_bytes + _MARGIN_BYTES - free_bytes
        gone = surplus(
            look.cache,
            keep=set(names.values()),
            needed_bytes=needed_bytes,
            limit_bytes=cache_limit_bytes,
            lacking_bytes=short,
        )
        free_bytes = _remove(connection, folder, gone, free_bytes, progress)
    if lacking and free_bytes is not None and needed_bytes + _MARGIN_BYTES > free_bytes:
        needs, has = megabytes(needed_bytes + _MARGIN_BYTES), megabytes(free_bytes)
        raise BoardFullError(f"{board} needs {needs} for {len(lacking)} files, has {has} at {folder}")
    if lacking:
        known = len(files) - len(lacking)
        told = f"; {known} are there already" if known else ""
        progress(f"sending {len(lacking)} files, {megabytes(needed_bytes)}{told}")
    for sha256 in lacking:
        timeout_s = _SEND_LEAST_S + sizes[sha256] / _SLOWEST_BYTES_PER_S
        sent = connection.put(files[sha256], f"{folder}/{names[sha256]}", timeout_s=timeout_s)
        if sent != sha256:
            connection.run(f"rm -f {quoted(f'{folder}/{names[sha256]}')}", timeout_s=_LOOK_TIMEOUT_S)
            raise TargetError(f"{files[sha256]} is not the file that was hashed: its sha256 is {sent}, not {sha256}")
    return {sha256: f"{folder}/{name}" for sha256, name in names.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What lies in the cache: the sizes of the files asked for, the free space (None: not told), all of its files."""

    sizes_bytes: Mapping[str, int]
    free_bytes: int | None
    cache: Sequence[CacheFile]


def look_command(folder: str, names: tuple[str, ...]) -> str:
    """Make the cache, drop what earlier broken transfers left, print the sizes of what is there, then the free space.

    What is asked for counts as used now. The folders are open to all accounts, as several may measure on one board; the
    sticky bit keeps each one's files. Only POSIX tools, since a board may have nothing but busybox.
    """
    where = quoted(folder)
    asked = " ".join(map(quoted, names))
    return (
        f"(umask 0; mkdir -p {where}) || exit 1; for d in {quoted(f'{folder}/..')} {where}; do "
        'if [ -O "$d" ]; then chmod 1777 "$d"; fi; done; '
        f"cd {where} || exit 1; find . -name '{PART_PATTERN}' -mmin +60 -exec rm -f {{}} + 2>/dev/null; "
        f'for f in {asked}; do if [ -O "$f" ]; then touch -c "$f"; fi; done; '
        f"wc -c {asked or '/dev/null'} 2>/dev/null; echo =free; df -Pk .; echo =cache; {cache_command(folder)}"
    )


def parse_look(output: str) -> Look:
    """What `look_command` printed."""
    space, _, cache = output.partition("=cache\n")
    sizes_part, _, space_part = space.partition("=free\n")
    sizes: dict[str, int] = {}
    for line in sizes_part.splitlines():
        size, _, name = line.strip().partition(" ")
        if size.isdigit() and name.strip() not in ("", "total"):
            sizes[name.strip()] = int(size)
    return Look(sizes_bytes=sizes, free_bytes=parse_free_bytes(space_part), cache=parse_cache(cache))


def _look(connection: Connection, folder: str, names: tuple[str, ...], board: str) -> Look:
    done = connection.run(look_command(folder, names), timeout_s=_LOOK_TIMEOUT_S)
    if done.status != 0:
        reason = " ".join(done.stderr.decode(errors="replace").split()) or f"status {done.status}"
        raise TargetError(f"{board}: the cache folder {folder} cannot be made: {reason}")
    return parse_look(done.stdout.decode(errors="replace"))


def _damaged(connection: Connection, folder: str, expected: Mapping[str, str], size_bytes: int) -> Mapping[str, str]:
    """The files of the cache (name -> sha256 that was found) that are not what their names say."""
    if not expected:
        return {}
    python = "import hashlib,sys;[print(hashlib.sha256(open(n,'rb').read()).hexdigest(),n) for n in sys.argv[1:]]"
    names = " ".join(map(quoted, expected))
    command = f"cd {quoted(folder)} && {{ sha256sum {names} 2>/dev/null || python3 -c {quoted(python)} {names}; }}"
    done = connection.run(command, timeout_s=_LOOK_TIMEOUT_S + size_bytes / _SLOWEST_HASHING_BYTES_PER_S)
    lines = (line.split() for line in done.stdout.decode(errors="replace").splitlines())
    found = {words[1].lstrip("*"): words[0] for words in lines if len(words) == 2}
    return {name: found.get(name, "unknown") for name, sha256 in expected.items() if found.get(name) != sha256}


def _remove(
    connection: Connection,
    folder: str,
    gone: Sequence[CacheFile],
    free_bytes: int | None,
    progress: Callable[[str], None],
) -> int | None:
    """Remove files from the cache; the free space afterwards."""
    if not gone:
        return free_bytes
    files = " ".join(quoted(f"{folder}/{file.name}") for file in gone)
    freed_bytes = sum(file.size_bytes for file in gone)
    progress(f"removing {len(gone)} files that were not used longest from the cache, {megabytes(freed_bytes)}")
    done = connection.run(f"rm -f {files}; {free_space_command(f'{folder}/.')}", timeout_s=_LOOK_TIMEOUT_S)
    return parse_free_bytes(done.stdout.decode(errors="replace"))


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}") from error
