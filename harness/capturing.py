"""`board capture`: a board read, its first inference tried, both made anonymous and written as one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..targets.board import Board
from ..targets.boardbundle import Made, answered_probes, make_bundle
from ..targets.capture import capture
from ..targets.open import open_board
from .progress import Progress
from .provenance import hilbench_version
from .reporting import write_text
from .smoke import Smoke, smoke_test

# No figures: a bundle says that a kind of board works, never how fast somebody's board is.
_TOLD = ("outcome", "reason", "runtime", "counts_from", "equal", "trusted")


def capture_board(board: Board, *, smoke: bool, progress: Progress) -> Made:
    """Read a board and try its first inference. Raises TargetError where it cannot be read."""
    with open_board(board, say=progress.about(board.name)) as opened:
        progress.say(f"{board.name}: reading the board; nothing is changed on it")
        captured = capture(opened.connection, board)
    tried = _told(smoke_test(board, progress)) if smoke else None
    return make_bundle(board, captured, tried, version=hilbench_version())


def write_bundle(made: Made, target: Path) -> Path:
    """Write the file; returns its absolute path."""
    return write_text(target, made.text)


def contents_lines(made: Made) -> list[str]:
    """What is in the bundle and what was taken out of it, for the person who is to pass it on."""
    bundle = made.bundle
    tools = [name for name, text in bundle["tools"].items() if text is not None]
    replaced = ", ".join(f"{number} x {kind}" for kind, number in made.replaced.items())
    lines = [
        f"board:    {bundle['board']['label']}",
        f"probes:   {answered_probes(bundle)} of {len(bundle['probes'])} answered",
        f"files:    {len(bundle['files'])} of /proc, /sys and /etc/os-release",
        f"tools:    {', '.join(tools) or 'none of those that hilbench asks is there'}",
        f"smoke:    {_smoke_words(bundle['smoke'])}",
        f"replaced: {replaced or 'nothing had to be'}",
    ]
    if made.changed:
        lines.append(f"changed:  making it anonymous changed what is read in it: {', '.join(made.changed)}")
    return lines


def _smoke_words(smoke: Mapping[str, Any] | None) -> str:
    if smoke is None:
        return "not tried"
    return f"{smoke['outcome']} by {smoke['runtime']}" + (f": {smoke['reason']}" if smoke["reason"] else "")


def _told(smoke: Smoke) -> dict[str, Any]:
    return {key: getattr(smoke, key) for key in _TOLD}
