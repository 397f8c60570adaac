"""`board clean`: what of this account lies on a board, and its removal without losing what was measured."""

from __future__ import annotations

from ..targets.account import PARTS, AccountFiles, account_files, remove_account_files
from ..targets.board import Board
from ..targets.errors import TargetError
from ..targets.open import open_board
from ..targets.transfer import megabytes
from .progress import Say, counted


def clean_board(board: Board, *, dry_run: bool, force: bool, say: Say) -> AccountFiles:
    """Remove this account's files from a board; what they were. `dry_run` only looks.

    Raises TargetError while an agent works there, and where jobs are there that no run has collected, unless `force`.
    """
    if board.restored:
        raise TargetError(f"nothing stays on {board.name}: an emulated board begins each time from its snapshot")
    with open_board(board, say=say) as opened:
        files = account_files(opened.connection, board.workdir)
        if not dry_run and files.bytes_by_part:
            _refuse_loss(board, files, force=force)
            remove_account_files(opened.connection, board.workdir)
    return files


def described(files: AccountFiles) -> list[str]:
    """One line a part, then one about jobs that hold results."""
    lines = [f"{megabytes(size):>10}  {PARTS[part]}" for part, size in files.bytes_by_part.items()]
    if files.jobs:
        lines.append(f"{'':10}  of these, {counted(files.jobs, 'job')} with a journal that no run has collected")
    return lines


def _refuse_loss(board: Board, files: AccountFiles, *, force: bool) -> None:
    if files.running:
        raise TargetError(f"an agent of this account is at work on {board.name}: nothing was removed")
    if files.jobs and not force:
        raise TargetError(
            f"{counted(files.jobs, 'job')} on {board.name} may hold results that no run has collected: run the plan "
            "again, which collects them, or give them up with --force; nothing was removed"
        )
