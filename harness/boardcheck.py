"""`board check`: is a board fit, and which runtimes does it have? Passing it takes a board out of quarantine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..targets.board import Board
from ..targets.claim import this_person
from ..targets.hardware import admission_probes
from ..targets.open import OpenBoard, open_board
from ..targets.power.choose import look_at_meter
from ..targets.power.meter import MeterError
from ..targets.power.settings import MeterSettings
from ..targets.power.words import meter_text
from ..targets.probes import ask_probes
from ..targets.provision import RuntimeFound, is_provisioned, runtime_versions
from ..targets.vitals import ask_vitals
from .errors import StoreError
from .health import Action, Problem, needs_of, problems
from .home import Home, find_home
from .log import about, log_event
from .quarantine import Standing, quarantine_sentence, release, standing, standings
from .selection import Boards
from .store import Store

_FORBIDDING = (Action.REFUSE, Action.SKIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterFound:
    """A meter of a board: what it measures, or why it cannot be read."""

    meter: str
    measures: str | None
    reason: str | None = None

    def words(self) -> str:
        """In a line for a person."""
        return f"{self.meter}: {self.measures or f'cannot be read: {self.reason}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look at a board gave. `released` is the standing that it had where this look cleared it."""

    board: str
    facts: Mapping[str, Any]
    runtimes: Mapping[str, RuntimeFound]
    problems: tuple[Problem, ...]
    usable: bool
    released: Standing | None = None
    quarantine: str | None = None
    meters: tuple[MeterFound, ...] = ()

    def words(self) -> list[str]:
        """Its health and its quarantine in lines for a person."""
        lines = [f"{p.what + ':':22} {p.sentence}" for p in self.problems] or [f"{'health:':22} nothing is wrong"]
        lines += [f"{'meter:':22} {one.words()}" for one in self.meters]
        if self.released is not None and self.released.quarantined:
            lines.append(f"{'quarantine:':22} lifted; it was there because {self.released.reason}")
        if self.quarantine is not None:
            lines.append(f"{'quarantine:':22} {self.quarantine}")
        return lines


def check_board(board: Board, home: Home, say: Callable[[str], None]) -> Checked:
    """Look at a board and, where all is well, clear its standing. Raises TargetError where it cannot be reached."""
    with about(board=board.name):
        with open_board(board, say=say) as opened:
            versions = runtime_versions(opened.connection, board)
            facts = {**opened.facts, **ask_probes(opened.connection, board.name, admission_probes(board))}
            found = _problems(opened)
            meters = tuple(_look_at(one, opened) for one in board.meters)
        fit = not any(problem.action in _FORBIDDING for problem in found)
        usable = fit and any(one.version is not None for one in versions.values())
        passed = fit and any(_may_be_used(board, name, one) for name, one in versions.items())
        with closing(Store.open(home.database_url)) as store:
            released = release(store, board.name, person=this_person()) if passed else None
            still = standing(store.lab_notes(board.name))
        log_event("board-checked", f"{board.name} {'passes' if passed else 'does not pass'}", failed=not passed)
        return Checked(
            board=board.name,
            facts=facts,
            runtimes=versions,
            problems=found,
            usable=usable,
            released=released,
            meters=meters,
            quarantine=quarantine_sentence(board.name, still) if still.quarantined else None,
        )


def board_standings(known: Boards, names: Sequence[str]) -> dict[str, Standing | None]:
    """The standing of boards; None, which is said on stderr, where the store cannot be asked."""
    try:
        return {**standings(find_home(known.inventory_path), names)}
    except StoreError as error:
        print(f"whether boards are in quarantine is not known: {error}", file=sys.stderr)  # noqa: T201  beside the list
        return dict.fromkeys(names)


def _look_at(settings: MeterSettings, opened: OpenBoard) -> MeterFound:
    name = meter_text(settings)
    try:
        channel, _ = look_at_meter(settings, opened.connection, opened.board.workdir)
    except MeterError as error:
        return MeterFound(meter=name, measures=None, reason=" ".join(str(error).split()))
    accuracy = channel.accuracy
    limits = f"{accuracy.gain:.2%} and {accuracy.offset_w:.3g} W ({accuracy.source})"
    what = f"{channel.quantity} of {channel.name} ({channel.scope}), class {channel.meter_class}"
    return MeterFound(meter=name, measures=f"{what}, a fresh value every {channel.interval_s:.3g} s, {limits}")


def _problems(opened: OpenBoard) -> tuple[Problem, ...]:
    asked_s = time.time()
    facts = ask_vitals(opened.connection, opened.board)
    needs = needs_of(facts.get("cache") or (), {}, model_bytes=0, timed=not opened.board.emulated)
    return problems(opened.board.name, facts, needs, clock_s=asked_s)


def _may_be_used(board: Board, name: str, found: RuntimeFound) -> bool:
    """A runtime that is there, or that a run would put there."""
    runtime = next(one for one in board.runtimes if one.name == name)
    return found.version is not None or (is_provisioned(board, runtime) and not found.impossible)
