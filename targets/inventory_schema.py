"""`inventory.yaml` as users write it: pydantic models, in which every key is optional until the layers are merged.

The descriptions become the editor's help (`hilbench schema inventory`). What the merged board needs is judged in
inventory.py, where the line of each layer is still known.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from .address import split_address
from .board import COMMAND, Arch, Role
from .commandplaces import check_places
from .hostkeys import parse_public_key
from .hours import ALLOWED, parse_hours
from .notice import Occasion, check_command, check_webhook
from .power.schema import MeterEntry
from .powercycle import check_template
from .strict import Strict

_RELEASE = r"^[0-9]+(\.[0-9]+)*([a-z0-9.+]*)$"  # as pip writes it

RuntimeName = Literal["onnxruntime", "tflite-runtime", "ai-edge-litert", "command"]
ConnectionWord = Literal["ssh", "local", "emulated"]
# What the `virt` machine of QEMU 7.2 emulates as a 64-bit CPU, then as a 32-bit one.
Cpu64 = Literal["cortex-a35", "cortex-a53", "cortex-a57", "cortex-a72", "cortex-a76", "a64fx", "neoverse-n1", "max"]
Cpu32 = Literal["cortex-a7", "cortex-a15"]
CpuModel = Literal[Cpu64, Cpu32]
Port = Annotated[int, Field(ge=1, le=65535)]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class RuntimeEntry(Strict):
    """A runtime on the board: a name, or a name with the interpreter that runs it."""

    name: RuntimeName = Field(description="which runtime")
    python: str | None = Field(
        None, description="the interpreter on the board; `controller` = the one that runs hilbench (connection: local)"
    )
    site: str | None = Field(None, description="folder on the board that is put before the interpreter's packages")
    version: str | None = Field(
        None, pattern=_RELEASE, description="the release to put on a board that lacks the runtime (connection: ssh)"
    )
    numpy: str | None = Field(
        None, pattern=_RELEASE, description="the release of numpy to put beside it (connection: ssh)"
    )
    command: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, min_length=1, description="name command: the program on the board and its words, with places like {model}"
    )

    @model_validator(mode="after")
    def _has_command(self) -> RuntimeEntry:
        if self.name == COMMAND and self.command is None:
            raise ValueError(
                'the runtime "command" needs the key "command": a list of words, such as [mytool, "{model}"]'
            )
        if self.name != COMMAND and self.command is not None:
            raise ValueError(f'the key "command" belongs to the runtime "command", not to "{self.name}"')
        for key in ("version", "numpy"):
            if self.command is not None and getattr(self, key) is not None:
                raise ValueError(f'"{key}" is not for the runtime "command": hilbench puts no program on a board')
        check_places(self.command or ())
        return self


class SshKeys(Strict):
    """How a host is reached by SSH. Shared by boards and jump hosts."""

    host: str | None = Field(None, min_length=1, description="host name or IP address")
    port: Port | None = Field(None, description="TCP port of the SSH server (22)")
    user: str | None = Field(None, min_length=1, description="account on the board")
    key: str | None = Field(
        None, description="private key file (~ is expanded, relative to this file); without it the SSH agent is asked"
    )
    host_key: str | None = Field(None, description="the board's public host key, pinned: `ssh-ed25519 AAAA…`")
    known_hosts: str | None = Field(
        None, description="a known_hosts file that holds the board's key, instead of host_key"
    )

    @field_validator("host_key")
    @classmethod
    def _is_public_key(cls, value: str | None) -> str | None:
        if value is not None:
            parse_public_key(value)
        return value


class JumpEntry(SshKeys):
    """The host to go through; `key`, `known_hosts` and `user` are the board's where they are left out."""

    jump: JumpEntry | None = Field(None, description="another host to go through before this one")

    @field_validator("jump", mode="before")
    @classmethod
    def _read_address(cls, value: object) -> object:
        return _jump_from_address(value)


def _runtime_from_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _list_from_word(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _listed(value: object) -> object:
    if not isinstance(value, list):
        raise ValueError("it must be a list of mappings")  # noqa: TRY004  pydantic takes this one for a user's mistake
    return value  # pyright: ignore[reportUnknownVariableType]


def _jump_from_address(value: object) -> object:
    return split_address(value) if isinstance(value, str) else value


Runtime = Annotated[
    RuntimeEntry, BeforeValidator(_runtime_from_name, json_schema_input_type=RuntimeName | RuntimeEntry)
]
Jump = Annotated[JumpEntry, BeforeValidator(_jump_from_address, json_schema_input_type=str | JumpEntry)]


def _is_window(value: str) -> str:
    parse_hours(value)
    return value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Window = Annotated[str, AfterValidator(_is_window)]
Windows = Annotated[list[Window], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])]


class Layer(SshKeys):
    """What boards share: all keys of a board except its kind. A board's own key wins, then its kind's."""

    connection: ConnectionWord | None = Field(
        None, description="ssh (default), local = this machine, emulated = an ARM board in QEMU on this machine"
    )
    jump: Jump | None = Field(None, description="host to go through: user@host:port, or a mapping like a board's")
    cpu: CpuModel | None = Field(None, description="connection emulated: the CPU model that QEMU emulates")
    memory_mib: Annotated[int, Field(ge=256, le=65536)] | None = Field(
        None, description="connection emulated: the board's memory in MiB (512)"
    )
    arch: Arch | None = Field(
        None, description="instruction set (arm64; for connection local: this machine's; emulated: the CPU's)"
    )
    role: Role | None = Field(
        None,
        description="target = ships (default for ssh), reference = for comparison (default for local), "
        "emulated = counts instead of timing",
    )
    runtimes: list[Runtime] | None = Field(None, min_length=1, description="runtimes on the board")
    meters: list[MeterEntry] | None = Field(
        None, description="what reads the board's power, the first choice first; not for emulated boards"
    )
    workdir: str | None = Field(None, pattern=r"^/", description="folder on the board (/var/tmp/hilbench)")
    cache_limit_mib: Annotated[int, Field(ge=16, le=2**20)] | None = Field(
        None, description="how much of the board's disk models may fill in the cache, in MiB (2048)"
    )
    tags: list[str] | None = Field(None, description="words to select boards by")
    note: str | None = Field(None, description="anything a person should know")
    power_cycle: Annotated[str, AfterValidator(check_template)] | None = Field(
        None,
        description="connection ssh: a command on this machine, run without a shell, that switches a board off and on "
        "that cannot be reached; {name} and {host} are filled in",
    )
    power_cycle_wait_s: Annotated[float, Field(gt=0, le=3600)] | None = Field(
        None, description="connection ssh: how long to wait for the board after that, in seconds (180)"
    )
    hours: Windows | None = Field(None, min_length=1, description=f"when runs may use the board: {ALLOWED} (any time)")


class BoardEntry(Layer):
    """A board: what it adds to its kind and to the defaults."""

    kind: str | None = Field(None, description="name of an entry of `kinds:` whose keys this board takes over")


class NotifyEntry(Strict):
    """Whom to tell of what: a command or a webhook, for one occasion or several. `${NAME}` is taken from the
    environment when it is used, so that tokens need not stand in the file.
    """

    on: Annotated[
        list[Occasion],
        Field(min_length=1),
        BeforeValidator(_list_from_word, json_schema_input_type=Occasion | list[Occasion]),
    ] = Field(
        description="end = a run has ended, failure = it ended with another exit code than 0, "
        "quarantine = a board was put into quarantine"
    )
    command: Annotated[str, AfterValidator(check_command)] | None = Field(
        None, description="a program and its words, run without a shell; it gets JSON on stdin"
    )
    webhook: Annotated[str, AfterValidator(check_webhook)] | None = Field(
        None, description="an https:// or http:// address that gets JSON by POST"
    )

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, value: object) -> object:
        if not isinstance(value, dict):  # said here, as the usual sentence would show an address, which may be a secret
            raise ValueError('it must be a mapping with "on" and either "command" or "webhook"')  # noqa: TRY004
        return value  # pyright: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _has_one_way(self) -> NotifyEntry:
        if (self.command is None) == (self.webhook is None):
            raise ValueError('either "command" or "webhook" must be given, and not both')
        return self


class InventoryFile(Strict):
    """The boards that hilbench may use. Precedence: a board's own keys, then its kind's, then the defaults'."""

    schema_: str | None = Field(None, alias="$schema", description="for editors; hilbench does not read it")
    defaults: Layer = Field(default=Layer(), description="keys that all boards share")  # pyright: ignore[reportCallIssue]
    kinds: dict[str, Layer] = Field(default={}, description="keys that boards of one kind share, by name")
    boards: dict[str, BoardEntry] = Field(min_length=1, description="the boards, by name")
    notify: Annotated[list[NotifyEntry], BeforeValidator(_listed)] = Field(
        default=[], description="whom to tell of the end of runs and of boards that fail"
    )

    @field_validator("boards")
    @classmethod
    def _have_usable_names(cls, value: dict[str, BoardEntry]) -> dict[str, BoardEntry]:
        for name in value:
            if _NAME.fullmatch(name) is None:
                rule = 'letters, digits, ".", "_" and "-", at most 63, a letter or digit first'
                raise ValueError(f'"{name}" is no name for a board: {rule}')
        return value
