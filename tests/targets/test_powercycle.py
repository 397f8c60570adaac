"""A board that cannot be reached has its power switched by a command; here that starts a real sshd."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.targets.board import Arch, Board, Role
from hilbench.targets.errors import HostKeyError, InventoryError, TargetError, TransientTargetError
from hilbench.targets.inventory import load_inventory
from hilbench.targets.open import connect_board
from hilbench.targets.powercycle import power_cycle

from .power_switch import Switch, switched_off

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKXGBf2b0lLtNiEWwuWmu4BzMDDMmRXRzYqfGzTZ6hIt"


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    with switched_off(tmp_path) as switch:
        yield switch


@pytest.fixture
def dead(switch: Switch) -> Board:
    """A board whose server does not run until its power is switched."""
    return Board(
        name="pi",
        address=switch.server.address(),
        arch=Arch.X86_64,
        role=Role.TARGET,
        runtimes=(),
        power_cycle=(str(switch.program), "off and on", "pi"),
        power_cycle_wait_s=20,
    )


def cycled(board: Board, said: list[str], cancel: threading.Event | None = None) -> None:
    power_cycle(board, lambda: connect_board(board), say=said.append, cancel=cancel)


def test_a_board_that_is_down_is_switched_once_said_aloud_and_waited_for(dead: Board, switch: Switch) -> None:
    said: list[str] = []
    cycled(dead, said)
    connection = connect_board(dead)
    assert connection.run("echo up", timeout_s=10).stdout == b"up\n"
    connection.close()
    assert "connection refused" in said[0]
    assert said[0].endswith(f"switching its power: {switch.program} 'off and on' pi")
    assert "waiting up to 20 s" in said[1]
    assert "answers again" in said[2]
    cycled(dead, said)
    assert switch.log.read_text() == "off and on pi\n", "a board that answers is not switched"
    assert len(said) == 3


def test_a_board_that_does_not_come_back_is_given_up(dead: Board) -> None:
    board = replace(dead, power_cycle=("true",), power_cycle_wait_s=0.2)
    with pytest.raises(
        TransientTargetError, match=r"pi does not answer 0\.2 s after its power was switched: .*refused"
    ):
        cycled(board, [])


def test_a_switch_that_fails_is_said_with_its_last_words(dead: Board) -> None:
    board = replace(dead, power_cycle=(sys.executable, "-c", "import sys; sys.exit('port 3 is unknown')"))
    with pytest.raises(
        TransientTargetError, match=r"refused.*; its power could not be switched: .* port 3 is unknown$"
    ):
        cycled(board, [])


@pytest.mark.parametrize("wrong", ["key", "account"])
def test_a_wrong_key_is_nothing_that_power_mends(dead: Board, switch: Switch, wrong: str) -> None:
    cycled(dead, [])
    changes = {"host_key": KEY} if wrong == "key" else {"key_file": str(switch.server.host_keys[0])}
    other = replace(dead, address=switch.server.address(**changes))
    with pytest.raises(HostKeyError if wrong == "key" else TargetError) as caught:
        cycled(other, [])
    assert not isinstance(caught.value, TransientTargetError)
    assert switch.log.read_text().count("\n") == 1


def test_ctrl_c_ends_the_waiting(dead: Board) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(TargetError, match="stopped while pi was starting"):
        cycled(replace(dead, power_cycle=("true",), power_cycle_wait_s=3600), [], cancel)


Load = Callable[[str], Board]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def board(text: str) -> Board:
        path = tmp_path / "inventory.yaml"
        path.write_text(text)
        return load_inventory(path).boards["pi"]

    return board


def test_the_command_comes_from_the_nearest_layer_and_names_stay_one_word(load: Load, tmp_path: Path) -> None:
    text = f"""\
defaults: {{power_cycle: "switch {{name}} {{host}}", power_cycle_wait_s: 60}}
kinds:
  pdu: {{power_cycle: "./pdu.sh --outlet={{name}} 'a b'"}}
boards:
  pi: {{host: 10.0.0.1, user: u, host_key: {KEY}KIND}}
"""
    plain = load(text.replace("KIND", ""))
    assert (plain.power_cycle, plain.power_cycle_wait_s) == (("switch", "pi", "10.0.0.1"), 60)
    assert load(text.replace("KIND", ", kind: pdu")).power_cycle == (str(tmp_path / "pdu.sh"), "--outlet=pi", "a b")
    assert repr(plain) == repr(replace(plain, power_cycle=(), power_cycle_wait_s=1)), "a run goes on when it changes"
    own = load(text.replace("KIND", ", kind: pdu, power_cycle: own"))
    assert own.power_cycle == ("own",)


def test_boards_without_ssh_have_no_switch(load: Load) -> None:
    taken_over = load("defaults: {power_cycle: switch}\nboards:\n  pi: {connection: local}\n")
    assert taken_over.power_cycle == ()
    with pytest.raises(InventoryError, match=r'inventory\.yaml:2: boards\.pi\.power_cycle: "power_cycle" belongs to'):
        load("boards:\n  pi: {connection: local, power_cycle: switch}\n")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("switch {board}", '"{board}" stands for nothing here. Allowed: {name}, {host}'),
        ("switch 'a", "it cannot be split into words: no closing quotation"),
        ("", "it is empty; it must be a program with its words"),
    ],
)
def test_a_wrong_command_is_said_with_the_line_of_its_layer(load: Load, command: str, sentence: str) -> None:
    with pytest.raises(InventoryError) as caught:
        load(f'defaults:\n  power_cycle: "{command}"\nboards:\n  pi: {{connection: local}}\n')
    assert "inventory.yaml:2: defaults.power_cycle: " in str(caught.value)
    assert sentence in str(caught.value)
