"""What moved between two runs, in the fewest words: the headline of a comparison and a section of the report; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .compare import RunComparison
from .comparechanges import Change, ChangeWord, Regressed
from .comparewords import cause_text, context_text, drift_text, pair_name, size_text, summary_text, word_text
from .language import listed, mark, tr

MOST_LINES = 20  # the page of `hilbench compare` has them all
_TITLES = {
    "latency_ns": mark("time:"),
    "instructions": mark("work:"),
    "accuracy": mark("accuracy"),
    "memory_bytes": mark("memory:"),
    "energy_j": mark("energy:"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceLastTime:
    """What the report says of an earlier run: `circumstances` are (board, sentence) pairs, `left_out` counts lines."""

    earlier: str
    earlier_started_at: str
    command: str
    summary: str
    lines: tuple[str, ...]
    left_out: int
    circumstances: tuple[tuple[str, str], ...]


def since_last_time(comparison: RunComparison) -> SinceLastTime:
    """The comparison as a section of the later run's report."""
    lines, earlier, later = moved(comparison), comparison.earlier.run, comparison.later.run
    return SinceLastTime(
        earlier=earlier.run_id,
        earlier_started_at=earlier.started_at,
        command=f"hilbench compare {earlier.run_id} {later.run_id}",
        summary=summary_text(comparison),
        lines=tuple(lines[:MOST_LINES]),
        left_out=max(0, len(lines) - MOST_LINES),
        circumstances=tuple((board.board, f"{context_text(board)} {drift_text(board)}") for board in comparison.boards),
    )


def moved(comparison: RunComparison) -> list[str]:
    """Every change for the worse or the better, in words, with what it may be put down to."""
    return list(_moved(comparison))


def _moved(comparison: RunComparison) -> Iterator[str]:
    for board in comparison.boards:
        for pair in board.pairs:
            clear = [c for c in pair.changes if c.regressed is Regressed.YES or is_better(c)]
            if clear:
                words = listed(map(_clear, clear))
                cause = cause_text(board, pair)
                text = mark("{cell}: {changes}; {cause}.") if cause else mark("{cell}: {changes}.")
                yield tr(text, cell=pair_name(board, pair), changes=words, cause=cause)


def _clear(change: Change) -> str:
    title = tr(_TITLES[change.metric])
    return tr("{figure} {word} {size}", figure=title, word=word_text(change), size=size_text(change))


def is_better(change: Change) -> bool:
    """Whether a change is clearly one for the better."""
    return change.word in (ChangeWord.FASTER, ChangeWord.LESS_WORK, ChangeWord.BETTER, ChangeWord.LESS)
