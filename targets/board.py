"""A board as the inventory describes it: data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .hours import Hours
from .power.settings import MeterSettings

DEFAULT_CACHE_LIMIT_MIB = 2048
COMMAND = "command"  # the name of a runtime that is a program


class Role(StrEnum):
    """What a board is for: `target` ships, `reference` is for comparison, `emulated` counts instead of timing."""

    TARGET = "target"
    REFERENCE = "reference"
    EMULATED = "emulated"


class Arch(StrEnum):
    """The instruction set of a board."""

    ARM64 = "arm64"
    ARMHF = "armhf"
    X86_64 = "x86_64"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAddress:
    """How to reach a board by SSH. `host_key` is an OpenSSH public key (`ssh-ed25519 AAAA…`), pinned in the inventory.

    `known_hosts` may name a file instead. `key_file` None means the SSH agent. `jump` is another address to go through.
    """

    host: str
    port: int = 22
    user: str
    key_file: str | None = None
    host_key: str | None = None
    known_hosts: str | None = None
    jump: SshAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAddress:
    """This machine itself, by local processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedAddress:
    """A board that QEMU emulates here and that is then reached by SSH on 127.0.0.1."""

    cpu: str  # QEMU's -cpu: cortex-a72, cortex-a76
    memory_mib: int = 512


Address = SshAddress | LocalAddress | EmulatedAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRuntime:
    """A runtime on a board: the interpreter that runs it, and a folder to put before its packages (or None).

    `name` is `onnxruntime`, `tflite-runtime`, `ai-edge-litert` or `command`, a program whose words are `command` (see
    docs/command-runtime.md); the interpreter then only starts it. A board's own interpreter may be named, such as the
    one with a vendor's build of onnxruntime. `version` and `numpy` are the releases to put on a board that lacks the
    runtime; None = the pinned ones.
    """

    name: str
    python: str = "python3"
    site: str | None = None
    version: str | None = None
    numpy: str | None = None
    command: tuple[str, ...] = ()

    @property
    def tells_outputs(self) -> bool:
        """Whether what it computes can be looked at: a program is only asked where it is given a place for it."""
        return not self.command or any("{outputs}" in word for word in self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One entry of the inventory, with its kind's and the file's defaults filled in.

    `power_cycle` are the words of a command that switches it off and on; empty where there is none. `meters` are what
    reads its power, the one to take first; empty where nothing does.
    """

    name: str
    address: Address
    arch: Arch
    role: Role
    runtimes: tuple[BoardRuntime, ...]
    kind: str | None = None
    workdir: str = "/var/tmp/hilbench"  # noqa: S108  shared by all accounts of the board on purpose
    cache_limit_bytes: int = DEFAULT_CACHE_LIMIT_MIB * 2**20
    tags: tuple[str, ...] = ()
    note: str = ""
    # Not in its words: a plan is told from another by its boards' words, and how one is switched on changes no figure.
    power_cycle: tuple[str, ...] = field(default=(), repr=False)
    power_cycle_wait_s: float = field(default=180.0, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    # Not in its words: a plan is told from another by its boards' words, and when they may be used changes nothing.
    hours: tuple[Hours, ...] = field(default=(), repr=False)
    # Not in its words either: a plan goes on as the same one where a meter is added, exchanged or mended.
    meters: tuple[MeterSettings, ...] = field(default=(), repr=False)

    @property
    def emulated(self) -> bool:
        """Whether figures of this board are counts, never times."""
        return self.role is Role.EMULATED

    @property
    def restored(self) -> bool:
        """Whether each opening rolls the board back: what was left there is gone, and what it has is known."""
        return isinstance(self.address, EmulatedAddress)
