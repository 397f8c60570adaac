"""Words that name boards: NAME, `kind:K`, `tag:T`, `any:K` (any one of a kind) and FACT=VALUE. Pure.

What the inventory says is always known. What only the board can tell is known once it was asked; where it was not, that
is said instead of being taken for a no.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..targets.board import Board, EmulatedAddress, LocalAddress
from ..targets.yamlerrors import choice
from .errors import PlanError

FORMS = "NAME, user@host, kind:K, any:K, tag:T or FACT=VALUE"
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What a word selects. `others` could stand in for the one board of `any:K`; `unasked` never told the fact."""

    boards: tuple[Board, ...]
    others: tuple[Board, ...] = ()
    unasked: tuple[str, ...] = ()


def needs_facts(word: str) -> bool:
    """Whether what boards told of themselves decides."""
    return "@" not in word and word.partition("=")[0] in _TOLD


def is_query(word: str) -> bool:
    """Whether the word is no name and no address."""
    return "@" not in word and (word.startswith(("kind:", "tag:", "any:")) or "=" in word)


def select(
    word: str, boards: Mapping[str, Board], facts: Mapping[str, Facts], *, excluded: Collection[str] = ()
) -> Selected:
    """The boards that a word selects, in the inventory's order. `facts` is what each board last told of itself.

    `any:K` never chooses a board whose name is in `excluded`. Raises PlanError with what there is.
    """
    everything = list(boards.values())
    form, _, value = word.partition(":")
    if form in ("kind", "tag", "any") and "=" not in form:
        fact = "tag" if form == "tag" else "kind"
        found = _having(everything, fact, value)
        return _any_of(found, value, excluded) if form == "any" else Selected(boards=tuple(found))
    fact, _, value = word.partition("=")
    if fact in _WRITTEN:
        return Selected(boards=tuple(_having(everything, fact, value)))
    if fact not in _TOLD:
        raise PlanError(f'"{word}": there is no fact "{fact}"{choice(fact, [*_WRITTEN, *_TOLD])}')
    return _told(everything, facts, fact, value)


def remark(word: str, selected: Selected) -> str | None:
    """A sentence about boards that the word may fit, but nobody asked them yet."""
    return None if not selected.unasked else f"{word}: {_not_asked(selected.unasked)}"


def _having(boards: Sequence[Board], fact: str, value: str) -> list[Board]:
    found = [board for board in boards if _fits(fact, value, _WRITTEN[fact](board))]
    if not found:
        there = sorted({has for board in boards for has in _WRITTEN[fact](board)})
        raise PlanError(f'no board has {fact} "{value}"{choice(value, there)}')
    return found


def _any_of(found: Sequence[Board], kind: str, excluded: Collection[str]) -> Selected:
    free = [board for board in found if board.name not in excluded]
    if not free:
        names = ", ".join(board.name for board in found)
        raise PlanError(
            f"any:{kind}: no board of this kind is left; those that there are ({names}) are taken or barred"
        )
    return Selected(boards=(free[0],), others=tuple(free[1:]))


def _told(boards: Sequence[Board], facts: Mapping[str, Facts], fact: str, value: str) -> Selected:
    known = {board.name: _TOLD[fact](board, facts.get(board.name, {})) for board in boards}
    found = tuple(board for board in boards if _fits(fact, value, known[board.name] or ()))
    unasked = tuple(name for name, values in known.items() if values is None)
    if not found:
        there = sorted({has for values in known.values() for has in values or ()})
        hint = f" ({_not_asked(unasked)})" if unasked else ""
        raise PlanError(f'no board is known to have {fact} "{value}"{choice(value, there)}{hint}')
    return Selected(boards=found, unasked=unasked)


def _not_asked(names: Sequence[str]) -> str:
    asked = "; ".join(f"`hilbench board check {name}`" for name in names)
    return f"not asked yet: {', '.join(names)}; ask by {asked}"


def _fits(fact: str, value: str, has: Iterable[str]) -> bool:
    """Whether a board has the value, in any case of letters; of a text, whole words of its beginning will do."""
    end = r"(?!\w)" if fact in _TEXTS else r"\Z"
    return bool(value) and any(re.match(re.escape(value) + end, one, re.IGNORECASE) for one in has)


def _written_cpu(board: Board) -> tuple[str, ...] | None:
    return (board.address.cpu,) if isinstance(board.address, EmulatedAddress) else None


def _connection(board: Board) -> tuple[str, ...]:
    if isinstance(board.address, EmulatedAddress):
        return ("emulated",)
    return ("local",) if isinstance(board.address, LocalAddress) else ("ssh",)


def _cpu(board: Board, facts: Facts) -> tuple[str, ...] | None:
    """`4 x Cortex-A76` is told by the board; an emulated one has what the inventory names."""
    models: Sequence[str] | None = facts.get("cpu_models")
    told = None if models is None else tuple(re.sub(r"^\d+ x ", "", model).lower() for model in models)
    return _written_cpu(board) or told


def _isa(_board: Board, facts: Facts) -> tuple[str, ...] | None:
    flags: Mapping[str, bool] | None = facts.get("isa")
    return None if flags is None else tuple(name for name, has in flags.items() if has)


def _memory_gib(_board: Board, facts: Facts) -> tuple[str, ...] | None:
    """As boards are sold: rounded up, since a part is kept by the firmware."""
    total: int | None = (facts.get("memory") or {}).get("total_bytes")
    return None if total is None else (str(math.ceil(total / 2**30)),)


def _plain(name: str) -> Callable[[Board, Facts], tuple[str, ...] | None]:
    def values(_board: Board, facts: Facts) -> tuple[str, ...] | None:
        value = facts.get(name)
        if value is None:
            return None
        return tuple(str(one) for one in value) if isinstance(value, list) else (str(value),)

    return values


# Fact -> its values, from the inventory alone.
_WRITTEN: Mapping[str, Callable[[Board], tuple[str, ...]]] = {
    "arch": lambda board: (board.arch.value,),
    "connection": _connection,
    "kind": lambda board: () if board.kind is None else (board.kind,),
    "role": lambda board: (board.role.value,),
    "runtime": lambda board: tuple(runtime.name for runtime in board.runtimes),
    "tag": lambda board: board.tags,
}
# Fact -> its values, from what the board told (`targets/probes.py`); None where it did not.
_TOLD: Mapping[str, Callable[[Board, Facts], tuple[str, ...] | None]] = {
    "cores": _plain("cores"),
    "cpu": _cpu,
    "governor": _plain("governors"),
    "isa": _isa,
    "kernel": _plain("kernel"),
    "memory_gib": _memory_gib,
    "model": _plain("model"),
    "os": _plain("os"),
    "python": _plain("python"),
}
_TEXTS = ("kernel", "model", "os", "python")  # such as `Debian GNU/Linux 12 (bookworm)`, which `os=debian` selects
