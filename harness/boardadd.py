"""`board add` without its words on the terminal: trust, look, suggest, try, and write the inventory in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..targets.board import Arch, Board, BoardRuntime, Role, SshAddress
from ..targets.connection import Connection
from ..targets.errors import InventoryError, TargetError
from ..targets.hardware import admission_probes
from ..targets.hostkeys import parse_public_key
from ..targets.hostlist import Listed, address_of
from ..targets.inventory import load_inventory
from ..targets.inventoryedit import NEW_FILE, board_names, difference, with_board, without_board
from ..targets.open import open_board
from ..targets.probes import ask_probes
from ..targets.provision import RuntimeFound, runtime_versions
from ..targets.suggest import free_name, home_relative, suggested_entry, suggested_name
from ..targets.trust import trusted_address
from ..targets.yamlerrors import choice
from .errors import PlanError
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
    address: SshAddress | None = None
    fingerprint: str | None = None
    facts: Mapping[str, Any] | None = None
    runtimes: Mapping[str, RuntimeFound] | None = None
    entry: Mapping[str, Any] | None = None
    smoke: Smoke | None = None
    reason: str | None = None


class InventoryDraft:
    """An inventory file on its way to more or fewer boards: what it holds, and the text that shall replace that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = _read(path)
        self.text = NEW_FILE if self._before is None else _decoded(path, self._before)
        if self.names:
            load_inventory(path, self.text)  # its own faults are said before any board is asked

    @property
    def names(self) -> list[str]:
        """The boards of the draft, in its order."""
        return board_names(self.path, self.text)

    @property
    def diff(self) -> str:
        """What the draft changes, as lines."""
        before = "" if self._before is None else _decoded(self.path, self._before)
        return difference(self.path, before, self.text)

    def layers(self, kind: str | None) -> Mapping[str, Any]:
        """What the defaults and a kind say, by key. Raises InventoryError where there is no such kind."""
        from ..targets.yamlfile import YamlFileError, read_yaml

        try:
            data, _ = read_yaml(self.path, self.text)
        except YamlFileError:
            data = {}  # nothing but comments so far: any other fault was said when the draft began
        kinds: dict[str, Any] = data.get("kinds") or {}
        if kind is not None and kind not in kinds:
            raise InventoryError(f'{self.path}: there is no kind "{kind}"{choice(kind, kinds)}')
        return {**(data.get("defaults") or {}), **(kinds.get(kind) or {} if kind is not None else {})}

    def add(self, name: str, entry: Mapping[str, Any]) -> Board:
        """Put one more board into the draft; returns it as the finished file will give it."""
        text = with_board(self.path, self.text, name, entry)
        board = load_inventory(self.path, text).board(name)
        self.text = text
        return board

    def remove(self, name: str) -> None:
        """Take a board out of the draft. Raises InventoryError where there is none, or the file would be wrong then."""
        load_inventory(self.path, self.text).board(name)
        self.text = without_board(self.path, self.text, name)

    def write(self) -> None:
        """Replace the file in one step, if it still holds what the draft was made of and the draft is right."""
        from .reporting import write_bytes

        load_inventory(self.path, self.text)
        if _read(self.path) != self._before:
            raise InventoryError(f"{self.path} was changed by someone else meanwhile; run the command again")
        write_bytes(self.path, self.text.encode())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InventoryError(f"{path}: the file cannot be read: {error.strerror}") from error


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InventoryError(f"{path}: the file is not UTF-8 text (byte {error.start})") from error


def examine(
    listed: Listed, wishes: Wishes, draft: InventoryDraft, *, ask: Callable[[str], bool] | None, progress: Progress
) -> Examined:
    """Look at one board and put its entry into the draft. Raises TargetError where it cannot be used."""
    if (name := wishes.name or listed.name) is not None:
        refuse_taken(name, draft)
    layers = _with_key(draft, draft.layers(wishes.kind))
    address = address_of(listed, key_file=wishes.key_file or _layer_key(listed, layers), config=wishes.ssh_config)
    address = trusted_address(
        address, host_key=wishes.host_key, known_hosts=wishes.known_hosts, ask=ask, say=progress.say
    )
    tried = _candidates(layers, wishes.python or listed.python)
    probed = Board(
        name=listed.word,
        address=address,
        arch=Arch.ARM64,
        role=Role.EMULATED,  # nothing is timed while it is looked at, so nobody need wait for it
        runtimes=tried,
        workdir=str(layers.get("workdir", _WORKDIR)),
    )
    progress.say(f"{listed.word}: looking at the board")
    with open_board(probed, say=progress.about(listed.word)) as opened:
        found = _usable(opened.connection, probed)
        facts = {**opened.facts, **ask_probes(opened.connection, probed.name, admission_probes(probed))}
    name = name or _own_name(listed, facts, address, draft)
    entry = suggested_entry(
        address,
        facts,
        [runtime for runtime in tried if found[runtime.name].version is not None],
        kind=wishes.kind,
        layers=layers,
        role=wishes.role,
        tags=tuple(dict.fromkeys([*wishes.tags, *listed.tags])),
    )
    if "arch" not in entry and "arch" not in layers and facts.get("machine") is not None:
        raise TargetError(f"{listed.word}: hilbench does not know the machine {facts['machine']}")
    board = draft.add(name, entry)
    usable = any(one.version is not None for one in found.values())
    smoke = smoke_test(board, progress) if wishes.smoke and usable else None
    fingerprint = None if address.host_key is None else parse_public_key(address.host_key).fingerprint
    return Examined(
        word=listed.word,
        name=name,
        address=address,
        fingerprint=fingerprint,
        facts=facts,
        runtimes=found,
        entry=entry,
        smoke=smoke,
    )


def refuse_taken(name: str, draft: InventoryDraft) -> None:
    """Raise InventoryError, with a name that is free, where the inventory has a board of that name already."""
    if name in draft.names:
        hint = f"give it another name with --name, such as {free_name(name, draft.names)}"
        raise InventoryError(f'{draft.path}: there is already a board "{name}"; {hint}')


def _own_name(listed: Listed, facts: Mapping[str, Any], address: SshAddress, draft: InventoryDraft) -> str:
    """An ssh name is the user's own word for a board; an address gives way to what the board calls itself."""
    alias = None if "@" in listed.word else listed.word
    name = suggested_name(alias or facts.get("hostname"), address.host)
    refuse_taken(name, draft)
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


def _usable(connection: Connection, board: Board) -> Mapping[str, RuntimeFound]:
    """What each runtime answers on the board: the one place that decides what a new board can run."""
    return runtime_versions(connection, board)


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
