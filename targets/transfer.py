"""What both connections share about sending files: names, the check on the board, the free space. Pure."""

from __future__ import annotations

import hashlib
import posixpath
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import BoardFullError, TargetError, TransientTargetError

CHUNK_BYTES = 1 << 18
PART_PATTERN = "*.part-*"

MISMATCH_STATUS = 65  # EX_DATAERR of sysexits.h: what arrived is not what was sent
CHECK_AGAIN_STATUS = 75  # EX_TEMPFAIL
_WRITE_STATUS = 74  # EX_IOERR
_MOVE_STATUS = 73  # EX_CANTCREAT

# Hashes a file that grows until a line comes by stdin; prints that line, or `gone` for its end, and the hash.
_FOLLOWER = """
import hashlib, select, sys
digest, more = hashlib.sha256(), True
with open(sys.argv[1], "rb") as file:
    while more:
        more = not select.select([0], [], [], 0.02)[0]
        while piece := file.read(1 << 20):
            digest.update(piece)
print(sys.stdin.readline().strip() or "gone", digest.hexdigest())
"""


def part_name(remote: str) -> str:
    """A fresh temporary name beside the final one, so that the rename stays within one file system."""
    return f"{remote}.part-{secrets.token_hex(6)}"


def quoted(path: str) -> str:
    """A path as one word for `sh`; a leading dash cannot be taken for an option."""
    return shlex.quote(path if not path.startswith("-") else f"./{path}")


def check_and_rename(part: str, remote: str, sha256: str) -> str:
    """The command that ends an upload on the board: hash, compare, rename; else remove. One round trip.

    It removes before it prints: where the connection is gone, printing ends the shell (SIGPIPE).
    Ends with 0, MISMATCH_STATUS (prints the hash that was found) or another status (prints why).
    """
    return _check_and_rename(quoted(part), quoted(remote), sha256)


def _check_and_rename(temporary: str, final: str, sha256: str) -> str:
    python = "import hashlib,sys;print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    return (
        f"h=$(sha256sum <{temporary} 2>/dev/null || python3 -c {shlex.quote(python)} <{temporary}) || h=none; "
        f'h=${{h%% *}}; if [ "$h" != {sha256} ]; then rm -f {temporary}; echo "$h"; exit {MISMATCH_STATUS}; fi; '
        + _rename(temporary, final)
    )


def _rename(temporary: str, final: str) -> str:
    return (
        f"if [ -d {final} ]; then rm -f {temporary}; echo 'it is a folder' >&2; exit {_MOVE_STATUS}; fi; "
        f"mv -f {temporary} {final} || {{ rm -f {temporary}; exit {_MOVE_STATUS}; }}"
    )


def follow_check_rename(part: str, remote: str) -> str:
    """The same, begun before the file comes: it is hashed while it grows. The right hash comes by stdin at the end.

    Whatever goes wrong with that, such as a file that was not written from its beginning to its end, is settled by
    hashing the file once more. Without a hash on stdin the file is removed: the transfer was given up. Ends with
    CHECK_AGAIN_STATUS where the hash was lost: `check_and_rename` must be run.
    """
    temporary = quoted(part)
    return (
        f"set --; if command -v python3 >/dev/null; then set -- $(python3 -ISc {shlex.quote(_FOLLOWER)} {temporary} "
        f"2>/dev/null); else read -r w; set -- ${{w:-gone}} none; fi; "
        f'if [ "$1" = "" ]; then exit {CHECK_AGAIN_STATUS}; fi; '
        f"if [ $1 = gone ]; then rm -f {temporary}; exit {_WRITE_STATUS}; fi; "
        f"if [ $1 = $2 ]; then {_rename(temporary, quoted(remote))}; exit; fi; w=$1; "
        + _check_and_rename(temporary, quoted(remote), "$w")
    )


def receive_check_rename(part: str, remote: str, sha256: str) -> str:
    """The same for a file that comes by stdin; it cleans up after itself even when the connection is cut."""
    temporary = quoted(part)
    refuse = f"{{ rm -f {temporary}; exit {_WRITE_STATUS}; }}"
    folder = quoted(posixpath.dirname(remote) or ".")
    missing = f"[ -d {folder} ] || {{ echo 'No such file or directory' >&2; exit {_MOVE_STATUS}; }}; "
    return missing + f"cat >{temporary} || {refuse}; " + check_and_rename(part, remote, sha256)


def free_space_command(path: str) -> str:
    """Free KiB on the file system of a path's folder, POSIX format; the folder need not exist yet."""
    return f'd={quoted(path)}; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; df -Pk "$d"'


def parse_free_bytes(df_output: str) -> int | None:
    """Bytes that an ordinary account may still write, from `df -Pk`; None where the output is no such thing."""
    lines = [line.split() for line in df_output.splitlines() if line.strip()]
    if len(lines) < 2 or len(lines[-1]) < 6 or not lines[-1][3].lstrip("-").isdigit():
        return None
    return max(0, int(lines[-1][3]) * 1024)


def megabytes(count: int) -> str:
    """Bytes as MB with one decimal (10^6 bytes)."""
    return f"{count / 1e6:.1f} MB"


def board_full(board: str, needed_bytes: int, free_bytes: int | None, path: str) -> BoardFullError:
    """The one sentence about a full disk."""
    has = "an unknown amount" if free_bytes is None else megabytes(free_bytes)
    return BoardFullError(
        f"{board}: the disk is full: {megabytes(needed_bytes)} are needed and {has} is free at {path}"
    )


def mismatch(board: str, remote: str, expected: str, found: str) -> TransientTargetError:
    """What arrived is not what was sent: a second try may mend it."""
    return TransientTargetError(
        f"{board}: {posixpath.basename(remote)} arrived damaged: sha256 {found or 'unknown'} instead of {expected}"
    )


@dataclass(slots=True)
class Hashing:
    """Reads a local file in pieces and hashes what passes; `size_bytes` and `sha256` are right once all was read."""

    path: Path
    size_bytes: int = 0
    sha256: str = ""

    def pieces(self) -> Iterator[bytes]:
        """The file's bytes. Raises TargetError where it cannot be read."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                while piece := file.read(CHUNK_BYTES):
                    digest.update(piece)
                    self.size_bytes += len(piece)
                    yield piece
        except OSError as error:
            raise TargetError(f"{self.path} cannot be read: {error.strerror}") from error
        self.sha256 = digest.hexdigest()


class Saving:
    """A local file that is written under a temporary name and renamed when all of it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = Path(part_name(str(path)))

    def __enter__(self) -> Saving:
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise self._refused(error) from error
        return self

    def write(self, piece: bytes) -> None:
        """Append. Raises TargetError where this machine's disk does not take it."""
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
            if kind is None:
                self._part.replace(self._path)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            self._part.unlink(missing_ok=True)

    def _refused(self, error: OSError) -> TargetError:
        return TargetError(f"{self._path} cannot be written: {error.strerror or error}")
