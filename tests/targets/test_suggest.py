"""The entry that a board's facts suggest, and names for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.board import BoardRuntime, Role, SshAddress
from hilbench.targets.suggest import free_name, home_relative, suggested_entry, suggested_name

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzVr5sZ2mCxYpXoUjC2Cd0cX0kvR6dL0x1b7L8d2n3Q"
ADDRESS = SshAddress(host="10.0.0.9", user="pi", key_file=str(Path.home() / ".ssh" / "k"), host_key=KEY)
FACTS = {"machine": "aarch64", "userland_bits": 64, "model": "Raspberry Pi 5 Model B Rev 1.0"}
ORT = (BoardRuntime(name="onnxruntime"),)


def entry(**changes: Any) -> dict[str, Any]:
    facts = {**FACTS, **changes.pop("facts", {})}
    given: dict[str, Any] = {"kind": None, "layers": {}, "role": None, "tags": ()}
    return suggested_entry(changes.pop("address", ADDRESS), facts, changes.pop("runtimes", ORT), **{**given, **changes})


def test_a_plain_board_gets_a_plain_entry() -> None:
    assert entry(tags=("field",)) == {
        "host": "10.0.0.9",
        "user": "pi",
        "key": "~/.ssh/k",
        "host_key": KEY,
        "arch": "arm64",
        "runtimes": ["onnxruntime"],
        "tags": ["field"],
        "note": "Raspberry Pi 5 Model B Rev 1.0",
    }


def test_what_the_kind_and_the_defaults_say_is_not_said_again() -> None:
    layers = {"user": "pi", "key": "~/.ssh/k", "arch": "arm64", "runtimes": ["onnxruntime"], "tags": ["field"]}
    assert entry(kind="pi5", layers=layers) == {
        "kind": "pi5",
        "host": "10.0.0.9",
        "host_key": KEY,
        "note": "Raspberry Pi 5 Model B Rev 1.0",
    }


def test_what_they_say_otherwise_is_said() -> None:
    layers = {"port": 2222, "connection": "emulated", "role": "reference", "tags": ["field"], "arch": "x86_64"}
    found = entry(layers=layers, tags=("damp",))
    assert (found["port"], found["connection"], found["role"]) == (22, "ssh", "target")
    assert (found["tags"], found["arch"]) == (["field", "damp"], "arm64")


def test_a_virtual_machine_is_emulated_unless_the_user_says_what_it_is() -> None:
    virtual = {"virtualization": "qemu (virt machine)", "model": "linux,dummy-virt"}
    assert "note" not in entry(facts=virtual)
    assert entry(facts=virtual)["role"] == "emulated"
    assert "role" not in entry(facts=virtual, role=Role.TARGET)
    assert "role" not in entry(facts={"virtualization": "container (lxc)"})


def test_runtimes_name_their_interpreter_and_none_is_left_out() -> None:
    own = BoardRuntime(name="onnxruntime", python="/opt/v/bin/python3")
    assert entry(runtimes=(own,))["runtimes"] == [{"name": "onnxruntime", "python": "/opt/v/bin/python3"}]
    assert "runtimes" not in entry(runtimes=())


def test_the_way_through_a_jump_host_is_kept() -> None:
    gate = SshAddress(host="gate", user="me", host_key=KEY)
    address = SshAddress(host="10.0.0.9", port=23, user="pi", host_key=KEY, jump=gate)
    assert entry(address=address)["jump"] == {"host": "gate", "user": "me", "host_key": KEY}
    assert "key" not in entry(address=address)


@pytest.mark.parametrize(
    ("hostname", "host", "name"),
    [
        ("raspberrypi", "10.0.0.9", "raspberrypi"),
        ("lab-7.example.org", "10.0.0.9", "lab-7"),
        ("localhost", "10.0.0.9", "10.0.0.9"),
        (None, "pi5.local", "pi5"),
        ("my board!", "x", "my-board-"),
        ("", "2001:db8::1", "2001-db8--1"),
        ("...", "...", "board"),
        ("x" * 80, "y", "x" * 63),
    ],
)
def test_a_name_is_made_of_what_the_board_calls_itself(hostname: str | None, host: str, name: str) -> None:
    assert suggested_name(hostname, host) == name


def test_a_free_name_counts_on() -> None:
    assert free_name("pi", ["pi", "pi-2", "pi-3"]) == "pi-4"


def test_only_files_below_the_home_folder_are_shortened() -> None:
    assert home_relative(str(Path.home() / "a" / "b")) == "~/a/b"
    assert home_relative("/etc/key") == "/etc/key"
