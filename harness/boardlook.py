"""One stay on a board that is being added: its facts, the place of its lease, and the runtime that it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..targets.account import AccountFiles, account_files, remove_account_files
from ..targets.board import Board, BoardRuntime
from ..targets.errors import TargetError, TransientTargetError
from ..targets.hardware import admission_probes, arch_of
from ..targets.leaseplace import LeasePlace, look_at_place
from ..targets.open import OpenBoard, open_board
from ..targets.probes import ask_probes
from ..targets.provision import RuntimeFound, provide_runtimes, runtime_versions
from ..targets.transfer import megabytes
from .laps import Laps
from .progress import Progress, Say

# What runs a model's format, the one that is put on a board first.
_RUNS = {"onnx": ("onnxruntime",), "tflite": ("ai-edge-litert", "tflite-runtime")}
ALL_RUNTIMES = ("onnxruntime", "tflite-runtime", "ai-edge-litert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What may be put on a board, and how.

    `named` are the runtimes that it shall have in any case, by the user's word or its kind's. Without any, one that
    runs `model_format` is enough, or one of any kind where that is None. Without `wheels`, the cache, nothing is put
    there; `leaves_nothing` says that it must be possible to take back all that comes later, too.
    """

    named: tuple[str, ...] = ()
    model_format: str | None = None
    wheels: Path | None = None
    leaves_nothing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a stay on a board gave. `lacking` are runtimes that could be put there and were not, as nothing should be.

    `earlier` is what this account had on the board before; None where nobody asked.
    """

    facts: Mapping[str, Any]
    runtimes: Mapping[str, RuntimeFound]
    place: LeasePlace
    earlier: AccountFiles | None = None
    lacking: tuple[str, ...] = ()

    def usable(self, board: Board) -> tuple[BoardRuntime, ...]:
        """The board's runtimes that import there, each with the releases that hilbench put there."""
        return tuple(
            _pinned(one, self.runtimes[one.name])
            for one in board.runtimes
            if self.runtimes[one.name].version is not None
        )

    def intended(self, board: Board) -> tuple[BoardRuntime, ...]:
        """As `usable`, with those that could be put there."""
        ready = {one.name: one for one in self.usable(board)}
        missing = {
            one.name: _pinned(one, self.runtimes[one.name]) for one in board.runtimes if one.name in self.lacking
        }
        return tuple(found for one in board.runtimes if (found := ready.get(one.name) or missing.get(one.name)))


def look(board: Board, lacking: Lacking, laps: Laps, progress: Progress) -> Looked:
    """Look at a board and give it the runtime that it lacks. Raises TargetError where it cannot be used."""
    laps.begin("look")
    progress.say(f"{board.name}: looking at the board")
    say = progress.about(board.name)
    with open_board(board, say=say) as opened:
        facts = {**opened.facts, **ask_probes(opened.connection, board.name, admission_probes(board))}
        machine = facts.get("machine")
        if machine is not None and arch_of(machine, facts.get("userland_bits")) is None:
            raise TargetError(f"{board.name}: hilbench knows no boards of the architecture {machine}")
        place = look_at_place(opened.connection, board.name, board.workdir)
        if not place.usable:
            raise TargetError(str(place.problem))
        if place.problem is not None:
            say(place.problem)
        earlier = account_files(opened.connection, board.workdir) if lacking.leaves_nothing else None
        found = dict(runtime_versions(opened.connection, board))
        if lacking.wheels is not None:
            laps.begin("provision")
            _provide(opened, found, lacking, lacking.wheels, say)
            laps.begin("look")
    missing = tuple(name for group in what_to_put(board, found, lacking) if (name := _possible(group, found)))
    return Looked(facts=facts, runtimes=found, place=place, earlier=earlier, lacking=missing)


def leave_as_it_was(board: Board, earlier: AccountFiles, progress: Progress) -> None:
    """Take back what a trial put on a board that held nothing of this account; else say what is there."""
    say = progress.about(board.name)
    with open_board(board, say=say) as opened:
        there = sum(account_files(opened.connection, board.workdir).bytes_by_part.values())
        if not earlier.bytes_by_part:
            remove_account_files(opened.connection, board.workdir)
        elif there > (before := sum(earlier.bytes_by_part.values())):
            say(
                f"{megabytes(there - before)} of the trial stay in {board.workdir}; `hilbench board clean` removes them"
            )


def _provide(opened: OpenBoard, found: dict[str, RuntimeFound], lacking: Lacking, wheels: Path, say: Say) -> None:
    """Put there what is lacking, the next alternative where one cannot exist on the board."""
    by_name = {runtime.name: runtime for runtime in opened.board.runtimes}
    for group in what_to_put(opened.board, found, lacking):
        for name in group:
            if opened.lease is not None:
                opened.lease.renew()  # wheels may take minutes
            found[name] = _provided(opened, by_name[name], wheels, say)
            if found[name].version is not None:
                break
            say(f"{name} cannot be put there: {found[name].reason}")


def _provided(opened: OpenBoard, runtime: BoardRuntime, wheels: Path, say: Say) -> RuntimeFound:
    try:
        (found,) = provide_runtimes(opened.connection, opened.board, [runtime], wheels=wheels, say=say).values()
    except TransientTargetError:
        raise
    except TargetError as error:
        raise TargetError(f"{error}; `--no-provision` adds the board without {runtime.name}") from error
    return found


def what_to_put(board: Board, found: Mapping[str, RuntimeFound], lacking: Lacking) -> list[tuple[str, ...]]:
    """What is to be put on the board: of each group the first that can exist there."""
    names = [runtime.name for runtime in board.runtimes]
    usable = [name for name in names if found[name].version is not None]
    groups: list[Sequence[str]] = [(name,) for name in names if name in lacking.named]
    if not lacking.named:
        enough = ALL_RUNTIMES if lacking.model_format is None else _RUNS[lacking.model_format]
        order = (*_RUNS["onnx"], *_RUNS["tflite"]) if lacking.model_format is None else enough
        groups = [] if any(name in enough for name in usable) else [order]
    open_groups = (tuple(name for name in group if name in names and name not in usable) for group in groups)
    return [group for group in open_groups if group]


def _possible(group: Sequence[str], found: Mapping[str, RuntimeFound]) -> str | None:
    return next((name for name in group if found[name].pin is not None and found[name].version is None), None)


def _pinned(runtime: BoardRuntime, found: RuntimeFound) -> BoardRuntime:
    """With the releases that hilbench put there, unless the board's kind names them itself."""
    if found.pin is None or runtime.version is not None:
        return runtime
    return replace(runtime, version=found.pin.version, numpy=runtime.numpy or found.pin.numpy)
