"""`inventory.yaml` becomes boards; what is wrong in it is said in one sentence each, with file, line and remedy."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hilbench.targets.board import Arch, Board, EmulatedAddress, LocalAddress, Role, SshAddress
from hilbench.targets.errors import InventoryError
from hilbench.targets.inventory import Inventory, find_inventory, inventory_schema, load_inventory

ROOT = Path(__file__).parent.parent.parent
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKXGBf2b0lLtNiEWwuWmu4BzMDDMmRXRzYqfGzTZ6hIt"

Load = Callable[[str], Inventory]
Problems = Callable[[str], list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def write_and_load(text: str) -> Inventory:
        path = tmp_path / "inventory.yaml"
        path.write_text(text)
        return load_inventory(path)

    return write_and_load


@pytest.fixture
def problems(load: Load, tmp_path: Path) -> Problems:
    def complaints(text: str) -> list[str]:
        with pytest.raises(InventoryError) as caught:
            load(text)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return complaints


def one(inventory: Inventory) -> Board:
    (board,) = inventory.boards.values()
    return board


def test_the_inventory_of_this_repository_has_its_four_boards() -> None:
    boards = load_inventory(ROOT / "inventory.yaml").boards
    assert list(boards) == ["emulated-a72", "emulated-a76", "emulated-armhf", "this-machine"]
    for name in ("a72", "a76"):
        board = boards[f"emulated-{name}"]
        assert board.address == EmulatedAddress(cpu=f"cortex-{name}", memory_mib=512)
        assert (board.arch, board.role, board.emulated) == (Arch.ARM64, Role.EMULATED, True)
        assert [runtime.name for runtime in board.runtimes] == ["onnxruntime", "tflite-runtime", "ai-edge-litert"]
        assert {runtime.site for runtime in board.runtimes} == {
            f"/opt/hilbench/runtimes/{runtime.name}" for runtime in board.runtimes
        }
    armhf = boards["emulated-armhf"]
    assert (armhf.address, armhf.arch) == (EmulatedAddress(cpu="cortex-a15", memory_mib=512), Arch.ARMHF)
    assert [runtime.name for runtime in armhf.runtimes] == ["tflite-runtime"]
    here = boards["this-machine"]
    assert (here.address, here.role) == (LocalAddress(), Role.REFERENCE)
    runtimes = [(runtime.name, runtime.python) for runtime in here.runtimes]
    assert runtimes == [("onnxruntime", sys.executable), ("ai-edge-litert", sys.executable)]
    assert here.arch == {"x86_64": Arch.X86_64, "aarch64": Arch.ARM64}[platform.machine()]


def test_a_board_wins_over_its_kind_and_that_over_the_defaults(load: Load) -> None:
    boards = load(f"""
defaults: {{user: default, port: 1, workdir: /d, host_key: "{KEY}", tags: [d]}}
kinds:
  k: {{user: kind, port: 2, tags: [k]}}
boards:
  a: {{host: h}}
  b: {{host: h, kind: k}}
  c: {{host: h, kind: k, user: board}}
""").boards
    seen = {}
    for name, board in boards.items():
        assert isinstance(board.address, SshAddress)
        seen[name] = (board.address.user, board.address.port, board.workdir, board.tags)
    assert seen == {
        "a": ("default", 1, "/d", ("d",)),
        "b": ("kind", 2, "/d", ("k",)),
        "c": ("board", 2, "/d", ("k",)),
    }
    assert boards["b"].kind == "k"


def test_an_ssh_board_has_sensible_defaults(load: Load) -> None:
    board = one(load(f'boards: {{pi5: {{host: 192.0.2.1, user: pi, host_key: "{KEY} comment"}}}}'))
    assert board.address == SshAddress(host="192.0.2.1", user="pi", host_key=f"{KEY} comment")
    assert (board.role, board.arch, board.workdir) == (Role.TARGET, Arch.ARM64, "/var/tmp/hilbench")
    assert [(runtime.name, runtime.python, runtime.site) for runtime in board.runtimes] == [
        ("onnxruntime", "python3", None)
    ]


def test_runtimes_are_names_or_names_with_their_interpreter(load: Load) -> None:
    board = one(
        load(f"""
boards:
  jetson:
    host: h
    user: u
    host_key: {KEY}
    arch: arm64
    runtimes:
      - ai-edge-litert
      - {{name: onnxruntime, python: /opt/venv/bin/python, site: /opt/site}}
""")
    )
    assert [(runtime.name, runtime.python, runtime.site) for runtime in board.runtimes] == [
        ("ai-edge-litert", "python3", None),
        ("onnxruntime", "/opt/venv/bin/python", "/opt/site"),
    ]


def test_keys_that_a_board_takes_over_but_cannot_use_do_no_harm(load: Load) -> None:
    board = one(load("defaults: {user: pi, key: ~/.ssh/id}\nboards: {here: {connection: local}}"))
    assert board.address == LocalAddress()


def test_files_are_found_from_the_inventory_and_from_home(load: Load, tmp_path: Path) -> None:
    board = one(load("boards: {b: {host: h, user: u, key: keys/id, known_hosts: ~/hosts}}"))
    assert isinstance(board.address, SshAddress)
    assert board.address.key_file == str(tmp_path / "keys" / "id")
    assert board.address.known_hosts == str(Path.home() / "hosts")


def test_the_nearer_of_host_key_and_known_hosts_counts(load: Load) -> None:
    boards = load(f"""
defaults: {{user: u, known_hosts: hosts}}
kinds: {{pinned: {{host_key: {KEY}}}}}
boards:
  plain: {{host: h}}
  pinned: {{host: h, kind: pinned}}
  nearest: {{host: h, kind: pinned, known_hosts: mine}}
""").boards
    trust = {}
    for name, board in boards.items():
        assert isinstance(board.address, SshAddress)
        trust[name] = (board.address.host_key, Path(board.address.known_hosts or "-").name)
    assert trust == {"plain": (None, "hosts"), "pinned": (KEY, "-"), "nearest": (None, "mine")}


def test_a_jump_host_is_an_address_or_a_mapping(load: Load, tmp_path: Path) -> None:
    boards = load(f"""
defaults: {{user: pi, known_hosts: hosts, key: id}}
boards:
  short: {{host: h, jump: "me@gate:2222"}}
  long: {{host: h, jump: {{host: gate, user: me, host_key: {KEY}, key: other, jump: you@first}}}}
""").boards
    hosts, key = str(tmp_path / "hosts"), str(tmp_path / "id")
    short, long = boards["short"].address, boards["long"].address
    assert isinstance(short, SshAddress)
    assert isinstance(long, SshAddress)
    assert short.jump == SshAddress(host="gate", port=2222, user="me", key_file=key, known_hosts=hosts)
    assert long.jump is not None
    assert (long.jump.host_key, long.jump.known_hosts, long.jump.key_file) == (KEY, None, str(tmp_path / "other"))
    assert long.jump.jump is not None
    assert (long.jump.jump.host, long.jump.jump.user) == ("first", "you")


ALLOWED_BOARD_KEYS = (
    "host, port, user, key, host_key, known_hosts, connection, jump, cpu, memory_mib, arch, role, runtimes, meters, "
    "workdir, cache_limit_mib, tags, note, power_cycle, power_cycle_wait_s, hours, kind"
)

WRONG = {
    "unknown key": (
        "boards:\n  pi5:\n    hots: 1.2.3.4\n    connection: local",
        f'inventory.yaml:3: boards.pi5: unknown key "hots"; did you mean "host"? Allowed: {ALLOWED_BOARD_KEYS}',
    ),
    "unknown key in capitals": (
        "boards:\n  pi5:\n    Host: 1.2.3.4\n    connection: local",
        f'inventory.yaml:3: boards.pi5: unknown key "Host"; did you mean "host"? Allowed: {ALLOWED_BOARD_KEYS}',
    ),
    "key like nothing": (
        "boards:\n  a: {connection: local}\nzzz: 1",
        'inventory.yaml:3: unknown key "zzz". Allowed: $schema, defaults, kinds, boards, notify',
    ),
    "unknown connection": (
        "boards:\n  a:\n    connection: shh",
        (
            'inventory.yaml:3: boards.a.connection: "shh" is not allowed; did you mean "ssh"? '
            "Allowed: ssh, local, emulated"
        ),
    ),
    "unknown arch": (
        "boards:\n  a:\n    connection: local\n    arch: arm46",
        'inventory.yaml:4: boards.a.arch: "arm46" is not allowed; did you mean "arm64"? Allowed: arm64, armhf, x86_64',
    ),
    "unknown runtime": (
        "boards:\n  a:\n    connection: local\n    runtimes:\n      - onnx-runtime",
        (
            'inventory.yaml:5: boards.a.runtimes.0: "onnx-runtime" is not allowed; did you mean "onnxruntime"? '
            "Allowed: onnxruntime, tflite-runtime, ai-edge-litert, command"
        ),
    ),
    "unknown key of a runtime": (
        "boards:\n  a:\n    connection: local\n    runtimes:\n      - name: onnxruntime\n        pyton: x",
        (
            'inventory.yaml:6: boards.a.runtimes.0: unknown key "pyton"; did you mean "python"? '
            "Allowed: name, python, site, version, numpy, command"
        ),
    ),
    "unknown cpu": (
        "boards:\n  a:\n    connection: emulated\n    cpu: cortex-a78",
        (
            'inventory.yaml:4: boards.a.cpu: "cortex-a78" is not allowed; did you mean "cortex-a7"? Allowed: '
            "cortex-a35, cortex-a53, cortex-a57, cortex-a72, cortex-a76, a64fx, neoverse-n1, max, cortex-a7, cortex-a15"
        ),
    ),
    "missing cpu": (
        "boards:\n  a:\n    connection: emulated",
        'inventory.yaml:2: boards.a: the key "cpu" is missing: the CPU model to emulate, such as cortex-a72',
    ),
    "unknown kind": (
        "kinds:\n  pi5: {}\nboards:\n  a:\n    connection: local\n    kind: pi4",
        'inventory.yaml:6: boards.a.kind: there is no kind "pi4"; did you mean "pi5"? Allowed: pi5',
    ),
    "no boards": ("kinds: {}", 'inventory.yaml:1: the key "boards" is missing'),
    "board that is no mapping": (
        "boards:\n  a: 5",
        "inventory.yaml:2: boards.a: must be a mapping (`key: value` lines), not 5",
    ),
    "empty board": ("boards:\n  a:", "inventory.yaml:2: boards.a: must be a mapping (`key: value` lines), not empty"),
    "bad name": (
        "boards:\n  my board: {connection: local}",
        (
            'inventory.yaml:1: boards: "my board" is no name for a board: letters, digits, ".", "_" and "-", at '
            "most 63, a letter or digit first"
        ),
    ),
    "bad port": (
        f"boards:\n  a: {{host: h, user: u, host_key: {KEY},\n    port: 99999}}",
        "inventory.yaml:3: boards.a.port: input should be less than or equal to 65535, not 99999",
    ),
    "port that is no number": (
        "boards:\n  a:\n    connection: local\n    port: ssh",
        'inventory.yaml:4: boards.a.port: must be a whole number, not "ssh"',
    ),
    "number where text belongs": (
        "boards:\n  a:\n    connection: local\n    tags: [76]",
        "inventory.yaml:4: boards.a.tags.0: must be text (put it in quotes), not 76",
    ),
    "no host key": (
        "boards:\n  a:\n    host: h\n    user: u\n    port: 2222",
        (
            'inventory.yaml:2: boards.a: no "host_key" and no "known_hosts": get it with '
            "`ssh-keyscan -t ed25519 -p 2222 h` "
            "and compare its fingerprint with the one at the board's console "
            "(`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`)"
        ),
    ),
    "no user": (
        f"boards:\n  a:\n    host: h\n    host_key: {KEY}",
        'inventory.yaml:2: boards.a: the key "user" is missing: "connection: ssh" needs it',
    ),
    "both kinds of trust": (
        f"boards:\n  a:\n    host: h\n    user: u\n    host_key: {KEY}\n    known_hosts: f",
        'inventory.yaml:6: boards.a: both "host_key" and "known_hosts" are given; keep one',
    ),
    "host key cut off": (
        f"boards:\n  a: {{host: h, user: u, host_key: {KEY[:-8]}}}",
        (
            "inventory.yaml:2: boards.a.host_key: is no OpenSSH public key: its second word is cut off or holds no "
            "ssh-ed25519 key"
        ),
    ),
    "line of ssh-keyscan": (
        f"boards:\n  a: {{host: h, user: u, host_key: h {KEY}}}",
        'inventory.yaml:2: boards.a.host_key: starts with a host name; leave it out and begin with "ssh-ed25519"',
    ),
    "key of another connection": (
        "boards:\n  a:\n    connection: local\n    host: h",
        'inventory.yaml:4: boards.a.host: "host" belongs to "connection: ssh", but this board has "connection: local"',
    ),
    "emulated board that should ship": (
        "boards:\n  a:\n    connection: emulated\n    cpu: cortex-a72\n    role: target",
        (
            'inventory.yaml:5: boards.a.role: "target" is not allowed: an emulated board counts and never times. '
            "Allowed: emulated"
        ),
    ),
    "64-bit CPU on a 32-bit board": (
        "boards:\n  a:\n    connection: emulated\n    arch: armhf\n    cpu: cortex-a72",
        (
            'inventory.yaml:5: boards.a.cpu: "cortex-a72" is not allowed with "arch: armhf". '
            "Allowed: cortex-a7, cortex-a15"
        ),
    ),
    "emulated PC": (
        "boards:\n  a:\n    connection: emulated\n    arch: x86_64\n    cpu: max",
        'inventory.yaml:4: boards.a.arch: "x86_64" is not allowed for an emulated board. Allowed: arm64, armhf',
    ),
    "runtime that nobody publishes for 32-bit ARM": (
        "boards:\n  a:\n    connection: emulated\n    cpu: cortex-a15\n    runtimes: [tflite-runtime, onnxruntime]",
        'inventory.yaml:5: boards.a.runtimes: an emulated armhf board has no "onnxruntime". Allowed: tflite-runtime',
    ),
    "this machine as an emulated board": (
        "boards:\n  a:\n    connection: local\n    role: emulated",
        (
            'inventory.yaml:4: boards.a.role: "emulated" is not allowed for this machine itself. '
            "Allowed: reference, target"
        ),
    ),
    "controller elsewhere": (
        (
            f"boards:\n  a: {{host: h, user: u, host_key: {KEY},\n"
            "    runtimes: [{name: onnxruntime, python: controller}]}"
        ),
        (
            'inventory.yaml:3: boards.a.runtimes.0.python: "controller" is for "connection: local" only; name the '
            "interpreter on the board, such as python3"
        ),
    ),
    "runtime twice": (
        "boards:\n  a:\n    connection: local\n    runtimes:\n      - onnxruntime\n      - name: onnxruntime",
        'inventory.yaml:6: boards.a.runtimes.1: duplicate runtime "onnxruntime"; keep one',
    ),
    "jump that is no address": (
        "boards:\n  a: {host: h, user: u, known_hosts: f, jump: gate}",
        'inventory.yaml:2: boards.a.jump: "gate" is no address; expected user@host or user@host:port',
    ),
    "unknown key of a jump host": (
        "boards:\n  a:\n    jump:\n      hots: gate",
        (
            'inventory.yaml:4: boards.a.jump: unknown key "hots"; did you mean "host"? '
            "Allowed: host, port, user, key, host_key, known_hosts, jump"
        ),
    ),
    "jump without trust": (
        f"boards:\n  a:\n    host: h\n    user: u\n    host_key: {KEY}\n    jump: me@gate",
        (
            'inventory.yaml:6: boards.a.jump: no "host_key" and no "known_hosts": get it with '
            "`ssh-keyscan -t ed25519 gate` and compare its fingerprint with the one at the board's console "
            "(`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`)"
        ),
    ),
    "relative workdir": (
        "boards:\n  a:\n    connection: local\n    workdir: here",
        "inventory.yaml:4: boards.a.workdir: string should match pattern '^/', not \"here\"",
    ),
    "duplicate board": (
        "boards:\n  a: {connection: local}\n  b: {connection: local}\n  a: {connection: local}",
        'inventory.yaml:4: boards: duplicate key "a": it already stands in line 2',
    ),
    "duplicate key": (
        "boards:\n  a:\n    connection: local\n    connection: ssh",
        'inventory.yaml:4: boards.a: duplicate key "connection": it already stands in line 3',
    ),
    "merge key": (
        "x: &x {connection: local}\nboards:\n  a:\n    <<: *x\n    connection: local",
        'inventory.yaml:4: boards.a: "<<" is not supported: write the keys out',
    ),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_gets_one_sentence_with_its_line(problems: Problems, text: str, sentence: str) -> None:
    assert sentence in problems(text)
    assert len(problems(text)) == len(set(problems(text))) <= 2


def test_all_mistakes_are_said_at_once_in_the_order_of_their_lines(problems: Problems) -> None:
    found = problems("""defaults:
  usr: pi
boards:
  a:
    port: x
    port: 1
  b:
    connection: local
    role: targt
  a: {}
""")
    assert [line.split(":")[1] for line in found] == ["2", "5", "6", "9", "10"]


def test_mistakes_of_several_boards_are_said_at_once(problems: Problems) -> None:
    found = problems("boards:\n  a: {host: h}\n  b: {connection: emulated}\n  c: {host: i, user: u}")
    assert [line.split(": ")[1] for line in found] == ["boards.a", "boards.a", "boards.b", "boards.c"]


def test_a_fault_of_a_kind_is_shown_where_it_stands(problems: Problems) -> None:
    found = problems("kinds:\n  k:\n    role: emulated\nboards:\n  a: {kind: k, connection: local}")
    assert found[0].startswith("inventory.yaml:3: boards.a.role: ")


def test_an_unknown_board_is_answered_with_the_nearest(load: Load) -> None:
    inventory = load("boards: {pi5: {connection: local}, jetson: {connection: local}}")
    assert inventory.board("pi5").name == "pi5"
    with pytest.raises(InventoryError, match=r'there is no board "p5"; did you mean "pi5"\? Allowed: pi5, jetson'):
        inventory.board("p5")


def test_the_inventory_is_found_from_a_folder_below(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_inventory(below) is None or not find_inventory(below).is_relative_to(tmp_path)  # pyright: ignore[reportOptionalMemberAccess]
    (tmp_path / "inventory.yaml").write_text("x")
    assert find_inventory(below) == tmp_path / "inventory.yaml"


def as_data(path: Path) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(path.read_text())


def test_the_schema_is_draft_7_and_accepts_the_shipped_inventory() -> None:
    schema = json.loads(json.dumps(inventory_schema()))
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in json.dumps(schema)
    jsonschema.Draft7Validator(schema).validate(as_data(ROOT / "inventory.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "boards: {a: {hots: h}}",
        "boards: {a: {connection: shh}}",
        "boards: {a: {runtimes: [onnx]}}",
        "boards: {a: {port: 0}}",
        "boards: {}",
        "kinds: {}",
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(tmp_path: Path, text: str) -> None:
    (tmp_path / "i.yaml").write_text(text)
    assert not jsonschema.Draft7Validator(inventory_schema()).is_valid(as_data(tmp_path / "i.yaml"))


@pytest.mark.parametrize("jump", ["me@gate:22", {"host": "gate"}])
@pytest.mark.parametrize("runtime", ["onnxruntime", {"name": "onnxruntime", "python": "python3"}])
def test_the_schema_knows_the_short_and_the_long_form(jump: object, runtime: object) -> None:
    data = {"boards": {"a": {"host": "h", "jump": jump, "runtimes": [runtime]}}}
    jsonschema.Draft7Validator(inventory_schema()).validate(data)


def test_every_key_of_the_schema_is_described() -> None:
    for name, definition in inventory_schema()["definitions"].items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), (name, key)


def test_importing_the_inventory_loads_neither_pydantic_nor_yaml() -> None:
    program = (
        "import sys; import hilbench.targets.inventory, hilbench.targets.ssh, hilbench.targets.local, "
        "hilbench.targets.deploy, hilbench.targets.probes, hilbench.targets.address\n"
        "print([name for name in ('pydantic', 'ruamel.yaml', 'paramiko', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
