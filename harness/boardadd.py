"""`board add` without its words on the terminal: trust, look, suggest, try, and write the inventory in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..targets.board import Arch, Board, BoardRuntime, Role, SshAddress
from ..targets.errors import TargetError
from ..targets.hardware import admission_probes, arch_of
from ..targets.hostkeys import parse_public_key
from ..targets.hostlist import Listed, address_of
from ..targets.open import open_board
from ..targets.probes import ask_probes
from ..targets.provision import RuntimeFound, runtime_versions
from ..targets.suggest import home_relative, suggested_entry, suggested_name
from ..targets.trust import trusted_address
from .errors import PlanError
from .inventorydraft import InventoryDraft
from .progress import Progress
from .smoke import Smoke, smoke_test

_RUNTIMES = ("onnxruntime", "tflite-runtime", "ai-edge-litert")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A board that was looked at: its entry, or the `reason` why there is none."""

    word: str
    name: str | None = None
    fingerprint: str | None = None
    facts: Mapping[str, Any] | None = None
    runtimes: Mapping[str, RuntimeFound] | None = None
    entry: Mapping[str, Any] | None = None
    smoke: Smoke | None = None
    reason: str | None = None


def examine(
    listed: Listed, wishes: Wishes, draft: InventoryDraft, *, ask: Callable[[str], bool] | None, progress: Progress
) -> Examined:
    """Look at one board and put its entry into the draft. Raises TargetError where it cannot be used."""
    if (name := wishes.name or listed.name) is not None:
        draft.refuse_taken(name)
    layers = _with_key(draft, draft.layers(wishes.kind))
    address = address_of(listed, key_file=wishes.key_file or _layer_key(listed, layers), config=wishes.ssh_config)
    address = trusted_address(
        address, host_key=wishes.host_key, known_hosts=wishes.known_hosts, ask=ask, say=progress.say
    )
    probed = _unknown_board(listed, address, layers, wishes)
    facts, found = _look(probed, progress)
    name = name or _own_name(listed, facts, address, draft)
    usable = [runtime for runtime in probed.runtimes if found[runtime.name].version is not None]
    entry = suggested_entry(
        address,
        facts,
        usable,
        kind=wishes.kind,
        layers=layers,
        role=wishes.role,
        tags=tuple(dict.fromkeys([*wishes.tags, *listed.tags])),
    )
    board = draft.add(name, entry)
    return Examined(
        word=listed.label,
        name=name,
        fingerprint=None if address.host_key is None else parse_public_key(address.host_key).fingerprint,
        facts=facts,
        runtimes=found,
        entry=entry,
        smoke=smoke_test(board, progress) if wishes.smoke and usable else None,
    )


def _unknown_board(listed: Listed, address: SshAddress, layers: Mapping[str, Any], wishes: Wishes) -> Board:
    return Board(
        name=listed.label,
        address=address,
        arch=Arch.ARM64,
        role=Role.EMULATED,  # nothing is timed while it is looked at, so nobody need wait for it
        runtimes=_candidates(layers, wishes.python or listed.python),
        workdir=str(layers.get("workdir", _WORKDIR)),
    )


def _look(board: Board, progress: Progress) -> tuple[dict[str, Any], Mapping[str, RuntimeFound]]:
    """The facts of a board, and what each runtime answers there: the one place that decides what it can run."""
    progress.say(f"{board.name}: looking at the board")
    with open_board(board, say=progress.about(board.name)) as opened:
        facts = {**opened.facts, **ask_probes(opened.connection, board.name, admission_probes(board))}
        found = runtime_versions(opened.connection, board)
    machine = facts.get("machine")
    if machine is not None and arch_of(machine, facts.get("userland_bits")) is None:
        raise TargetError(f"{board.name}: hilbench knows no boards of the architecture {machine}")
    return facts, found


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


def _candidates(layers: Mapping[str, Any], python: str | None) -> tuple[BoardRuntime, ...]:
    """Which runtimes are tried, by which interpreter: those of the kind, else all by one interpreter."""
    said: Sequence[Any] | None = layers.get("runtimes")
    if python is None and said:
        entries: list[dict[str, Any]] = [{"name": one} if isinstance(one, str) else dict(one) for one in said]
        return tuple(
            BoardRuntime(name=one["name"], python=one.get("python") or "python3", site=one.get("site"))
            for one in entries
        )
    return tuple(BoardRuntime(name=name, python=python or "python3") for name in _RUNTIMES)


def baseline(model: Path, data: Path | None, board: str, inventory: Path, progress: Progress) -> Any:
    """Measure fp32 of a model on the new board: what `bench` does. Returns (RunResult, Plan)."""
    from .benchplan import plan_for, write_plan
    from .home import find_home
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
    return run_plan(plan, find_home(inventory), new=True, command=command, progress=progress), plan


def refuse_model(model: Path | None) -> None:
    """Raise PlanError before any board is asked where `--baseline` has no model to measure."""
    if model is None:
        raise PlanError("--baseline measures a model: name it with --model FILE")
    if not model.is_file():
        raise PlanError(f"there is no model file {model}")
