"""`board add` without its words on the terminal: trust, look, suggest, try, and write the inventory in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..targets.board import Arch, Board, BoardRuntime, Role, SshAddress
from ..targets.hostkeys import parse_public_key
from ..targets.hostlist import Listed, address_of
from ..targets.leaseplace import LeasePlace
from ..targets.provision import RuntimeFound
from ..targets.suggest import home_relative, suggested_entry, suggested_name
from ..targets.trust import trusted_address
from .boardlook import ALL_RUNTIMES, Lacking, Looked, leave_as_it_was, look
from .errors import PlanError
from .home import find_home
from .inventorydraft import InventoryDraft
from .laps import Laps
from .progress import Progress
from .smoke import Smoke, smoke_test

if TYPE_CHECKING:
    from .run import RunResult

_WORKDIR = "/var/tmp/hilbench"  # noqa: S108  what a board has whose layers name no other


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks of every board that it adds; None where nothing was said."""

    name: str | None = None
    kind: str | None = None
    tags: tuple[str, ...] = ()
    role: Role | None = None
    python: str | None = None
    host_key: str | None = None
    known_hosts: Path | None = None
    key_file: Path | None = None
    ssh_config: Path | None = None
    smoke: bool = True
    runtimes: tuple[str, ...] = ()
    provision: bool = True
    dry_run: bool = False
    model_format: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A board that was looked at: its entry, or the `reason` why there is none.

    `lacking` are runtimes that could be put there, and were not as nothing should be; `seconds` the time of each part.
    """

    word: str
    name: str | None = None
    fingerprint: str | None = None
    facts: Mapping[str, Any] | None = None
    runtimes: Mapping[str, RuntimeFound] | None = None
    lacking: tuple[str, ...] = ()
    place: LeasePlace | None = None
    entry: Mapping[str, Any] | None = None
    smoke: Smoke | None = None
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    reason: str | None = None


def examine(
    listed: Listed, wishes: Wishes, draft: InventoryDraft, *, ask: Callable[[str], bool] | None, progress: Progress
) -> Examined:
    """Look at one board, give it what it lacks, and put its entry into the draft.

    Raises TargetError where it cannot be used.
    """
    laps = Laps()
    if (name := wishes.name or listed.name) is not None:
        draft.refuse_taken(name)
    layers = _with_key(draft, draft.layers(wishes.kind))
    address = address_of(listed, key_file=wishes.key_file or _layer_key(listed, layers), config=wishes.ssh_config)
    address = trusted_address(
        address, host_key=wishes.host_key, known_hosts=wishes.known_hosts, ask=ask, say=progress.say
    )
    probed = _unknown_board(listed, address, layers, wishes)
    found = look(probed, _lacking(layers, wishes, draft), laps, progress)
    name = name or _own_name(listed, found.facts, address, draft)
    entry = suggested_entry(
        address,
        found.facts,
        found.intended(probed) if wishes.dry_run else found.usable(probed),
        kind=wishes.kind,
        layers=layers,
        role=wishes.role,
        tags=tuple(dict.fromkeys([*wishes.tags, *listed.tags])),
    )
    board = draft.add(name, entry)
    smoke = _try(board, probed, found, wishes, laps, progress)
    return Examined(
        word=listed.label,
        name=name,
        fingerprint=None if address.host_key is None else parse_public_key(address.host_key).fingerprint,
        facts=found.facts,
        runtimes=found.runtimes,
        lacking=found.lacking,
        place=found.place,
        entry=entry,
        smoke=smoke,
        seconds=laps.seconds,
    )


def _try(board: Board, probed: Board, found: Looked, wishes: Wishes, laps: Laps, progress: Progress) -> Smoke | None:
    """The first inference, where something runs there; a dry run takes back what that put on the board."""
    usable = found.usable(probed)
    smoke: Smoke | None = None
    if wishes.smoke and usable:
        laps.begin("first inference")
        smoke = smoke_test(replace(board, runtimes=usable), progress)
        if found.earlier is not None:
            leave_as_it_was(board, found.earlier, progress)
    laps.end()
    return smoke


def _lacking(layers: Mapping[str, Any], wishes: Wishes, draft: InventoryDraft) -> Lacking:
    said: Sequence[Any] = layers.get("runtimes") or ()
    of_kind = tuple(one if isinstance(one, str) else one["name"] for one in said)
    puts = wishes.provision and not wishes.dry_run
    return Lacking(
        named=wishes.runtimes or of_kind,
        model_format=wishes.model_format,
        wheels=find_home(draft.path).wheels if puts else None,
        leaves_nothing=wishes.dry_run,
    )


def _unknown_board(listed: Listed, address: SshAddress, layers: Mapping[str, Any], wishes: Wishes) -> Board:
    return Board(
        name=listed.label,
        address=address,
        arch=Arch.ARM64,
        role=Role.EMULATED,  # nothing is timed while it is looked at, so nobody need wait for it
        runtimes=_candidates(layers, wishes, wishes.python or listed.python),
        workdir=str(layers.get("workdir", _WORKDIR)),
    )


def _own_name(listed: Listed, facts: Mapping[str, Any], address: SshAddress, draft: InventoryDraft) -> str:
    """An ssh name is the user's own word for a board; an address gives way to what the board calls itself."""
    alias = None if "@" in listed.word else listed.word
    name = suggested_name(alias or facts.get("hostname"), address.host)
    draft.refuse_taken(name)
    return name


def _with_key(draft: InventoryDraft, layers: Mapping[str, Any]) -> Mapping[str, Any]:
    """The layers with their key file in the form in which an entry would name it."""
    if layers.get("key") is None:
        return layers
    file = draft.path.absolute().parent / Path(str(layers["key"])).expanduser()
    return {**layers, "key": home_relative(str(file))}


def _layer_key(listed: Listed, layers: Mapping[str, Any]) -> Path | None:
    """The key file of the kind or the defaults; an ssh name and a list may have words of their own on that."""
    if layers.get("key") is None or "@" not in listed.word or listed.key_file is not None:
        return None
    return Path(str(layers["key"]))


def _candidates(layers: Mapping[str, Any], wishes: Wishes, python: str | None) -> tuple[BoardRuntime, ...]:
    """Which runtimes are tried, by which interpreter: those of the kind, else all by one; and those asked for."""
    said: Sequence[Any] = (layers.get("runtimes") or ()) if python is None else ()
    entries: list[dict[str, Any]] = [{"name": one} if isinstance(one, str) else dict(one) for one in said]
    named = [entry["name"] for entry in entries]
    entries += [
        {"name": name}
        for name in wishes.runtimes or ALL_RUNTIMES
        if name not in named and (wishes.runtimes or not said)
    ]
    given = [{key: value for key, value in entry.items() if value is not None} for entry in entries]
    return tuple(_runtime({"python": python or "python3", **entry}) for entry in given)


def _runtime(entry: dict[str, Any]) -> BoardRuntime:
    words: tuple[str, ...] = tuple(entry.pop("command", ()))
    return BoardRuntime(**entry, command=words)


def baseline(model: Path, data: Path | None, board: str, inventory: Path, progress: Progress) -> tuple[RunResult, str]:
    """Measure fp32 of a model on the new board: what `bench` does. Returns the run and the command that repeats it."""
    from .benchplan import plan_for, write_plan
    from .plan import load_plan
    from .run import run_plan
    from .selection import Boards

    wanted = plan_for(
        model,
        boards=[board],
        data=data,
        calibration=None,
        recipes=(),
        runtime=None,
        threads=1,
        python=None,
        shapes=(),
        protocol="quick",
    )
    path = write_plan(wanted, None, model=model)
    plan = load_plan(path, Boards(inventory))
    progress.say(f"baseline: {path}")
    command = f"hilbench run {path}"
    return run_plan(plan, find_home(inventory), new=True, command=command, progress=progress), command


def refuse_model(model: Path | None) -> None:
    """Raise PlanError before any board is asked where `--baseline` has no model to measure."""
    if model is None:
        raise PlanError("--baseline measures a model: name it with --model FILE")
    if not model.is_file():
        raise PlanError(f"there is no model file {model}")
