"""How a command crosses a login shell: framed by markers, so that nothing else can pass for its output. Pure.

sshd hands every command to the account's login shell, and what that shell prints (a banner in an rc file, a forced
command's greeting) comes out of the same pipe as the command's output. So a small wrapper prints a marker before and
after the command on both streams; only what stands between them is output. The closing marker carries the exit status,
which gives two more properties: output that was cut off by a lost connection is never taken for a result, and a
background process that keeps the pipe open does not keep the caller waiting.
"""

from __future__ import annotations

import shlex

# $1 token, $2 command, $3 the inner script: print the opening markers, then be the command's shell.
_INNER = r'printf "hil-%s-begin\n" "$1"; printf "hil-%s-begin\n" "$1" >&2; hil=$2; set --; eval "$hil"'
# The closing marker begins with a control character that no text holds, so the end of a line is never held back.
_CLOSE = r'printf "\036hil-%s-end %d\n" "$1" "$s"; printf "\036hil-%s-end %d\n" "$1" "$s" >&2; exit "$s"'

# Without stdin, the channel's own stdin is the tie: it ends when the channel or the connection does, and then the
# watching subshell kills the command's process group. So no command outlives its caller. `setsid` makes that group;
# a board without it loses only the command's own children.
_TIED = (
    "exec 3<&0; g=; "
    'if command -v setsid >/dev/null 2>&1; then g=-; setsid /bin/sh -c "$3" sh "$1" "$2" </dev/null 3<&- & '
    'else /bin/sh -c "$3" sh "$1" "$2" </dev/null 3<&- & fi; p=$!; '
    "{ read -r _; kill -9 $g$p || kill -9 $p; } <&3 >/dev/null 2>&1 & w=$!; exec 3<&-; "
    "{ wait $p; s=$?; kill $w; wait $w; } 2>/dev/null; "
) + _CLOSE
# With stdin there is nothing to watch: the command reads to the end of what it is given.
_FED = '/bin/sh -c "$3" sh "$1" "$2"; s=$?; ' + _CLOSE

_NOISE_KEPT_BYTES = 4096


def framed(command: str, token: str, *, fed: bool) -> str:
    """The line to hand to a login shell. `token` is random; `fed` says whether the command gets a stdin.

    The line is one line of words in single quotes, which all POSIX shells, csh and zsh read alike.
    """
    return " ".join(("exec /bin/sh -c", *map(shlex.quote, (_FED if fed else _TIED, "sh", token, command, _INNER))))


class FrameReader:
    """Takes one stream of a framed command piece by piece and gives back what the command itself wrote.

    `begun` tells whether the command's shell was reached, `status` is the exit status once the closing marker came,
    `noise` is what was printed before (at most 4 KiB are kept).
    """

    def __init__(self, token: str) -> None:
        # The wrapper's text holds the token but never a whole marker, so `ps` cannot print one.
        self._begin = f"hil-{token}-begin\n".encode()
        self._end = f"\x1ehil-{token}-end ".encode()
        self._held = b""
        self.begun = False
        self.status: int | None = None
        self.noise = b""

    def feed(self, data: bytes) -> bytes:
        """The part of the command's output that is now certain; the rest is held until more comes."""
        if self.status is not None:
            return b""
        self._held += data
        if not self.begun and not self._seek_begin():
            return b""
        at = self._held.find(self._end)
        if at < 0:
            return self._release(len(self._held) - self._partial_marker())
        status, newline, _ = self._held[at + len(self._end) :].partition(b"\n")
        output = self._release(at)
        if newline:
            self.status = int(status)
        return output

    def _seek_begin(self) -> bool:
        at = self._held.find(self._begin)
        if at < 0:
            keep = len(self._begin) - 1
            self.noise = (self.noise + self._held[:-keep])[:_NOISE_KEPT_BYTES]
            self._held = self._held[-keep:]
            return False
        self.noise = (self.noise + self._held[:at])[:_NOISE_KEPT_BYTES]
        self._held = self._held[at + len(self._begin) :]
        self.begun = True
        return True

    def _partial_marker(self) -> int:
        """How many bytes at the end may be the start of the closing marker, whose first byte stands in it only once."""
        at = self._held.rfind(self._end[:1], max(0, len(self._held) - len(self._end)))
        return len(self._held) - at if at >= 0 and self._end.startswith(self._held[at:]) else 0

    def _release(self, count: int) -> bytes:
        output, self._held = self._held[:count], self._held[count:]
        return output

    def all_noise(self) -> bytes:
        """What came although the command's shell was never reached."""
        return self.noise if self.begun else self.noise + self._held


def shown(command: str, limit: int = 60) -> str:
    """A command as it is quoted in a sentence: one line, not too long."""
    line = " ".join(command.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
