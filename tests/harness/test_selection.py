"""Words select boards by name, kind, tag and fact; one that selects nothing is answered with what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hilbench.harness.boardfacts import remember_facts, told_facts
from hilbench.harness.boardquery import Selected, remark, select
from hilbench.harness.errors import PlanError
from hilbench.harness.plan import load_plan
from hilbench.harness.selection import Boards
from hilbench.targets.board import Board
from hilbench.targets.inventory import load_inventory

DIGITS = Path(__file__).parents[2] / "models" / "digits" / "digits.onnx"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJTCgm2HL0nSSqXNfvnVBQGFSqFdWvGoWXYVGR1Ys+Cv"
INVENTORY = f"""\
defaults: {{user: bench, host_key: {KEY}}}
kinds:
  pi5: {{tags: [quiet], runtimes: [onnxruntime]}}
  pi4: {{tags: [quiet, old]}}
boards:
  pi5-a: {{kind: pi5, host: a}}
  pi5-b: {{kind: pi5, host: b}}
  pi5-c: {{kind: pi5, host: c}}
  pi4: {{kind: pi4, host: d, arch: armhf, runtimes: [tflite-runtime]}}
  a72: {{connection: emulated, cpu: cortex-a72}}
  here: {{connection: local}}
"""
FACTS: dict[str, dict[str, Any]] = {
    "pi5-a": {
        "cpu_models": ["4 x Cortex-A76"],
        "isa": {"neon": True, "dotprod": True, "i8mm": False},
        "cores": 4,
        "memory": {"total_bytes": 8_200_000_000},
        "os": "Debian GNU/Linux 12 (bookworm)",
        "python": "3.11.2",
        "governors": ["performance"],
        "model": "Raspberry Pi 5 Model B Rev 1.0",
    },
    "pi4": {"cpu_models": ["4 x Cortex-A72"], "isa": {"neon": True, "dotprod": False}, "cores": None},
    "here": {"isa": {"avx2": True, "dotprod": False}, "cores": 2, "os": "Debian GNU/Linux 13 (trixie)"},
    "gone": {"isa": {"dotprod": True}},
}


@pytest.fixture
def boards(tmp_path: Path) -> dict[str, Board]:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY)
    return dict(load_inventory(path).boards)


def names(selected: Selected) -> list[str]:
    return [board.name for board in selected.boards]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("kind:pi5", ["pi5-a", "pi5-b", "pi5-c"]),
        ("kind=pi4", ["pi4"]),
        ("tag:quiet", ["pi5-a", "pi5-b", "pi5-c", "pi4"]),
        ("arch=ARM64", ["pi5-a", "pi5-b", "pi5-c", "a72"]),
        ("role=target", ["pi5-a", "pi5-b", "pi5-c", "pi4"]),
        ("runtime=tflite-runtime", ["pi4", "a72"]),
        ("connection=emulated", ["a72"]),
        ("cpu=cortex-a72", ["pi4", "a72"]),
        ("isa=dotprod", ["pi5-a"]),
        ("cores=4", ["pi5-a"]),
        ("memory_gib=8", ["pi5-a"]),
        ("os=debian", ["pi5-a", "here"]),
        ("python=3.11", ["pi5-a"]),
        ("model=raspberry pi 5", ["pi5-a"]),
        ("governor=performance", ["pi5-a"]),
    ],
)
def test_a_word_selects_what_has_the_fact(boards: dict[str, Board], word: str, expected: list[str]) -> None:
    assert names(select(word, boards, FACTS)) == expected


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("kind:pi6", 'no board has kind "pi6"; did you mean "pi5"? Allowed: pi4, pi5'),
        ("kind:pi", 'no board has kind "pi"'),
        ("tag:", 'no board has tag "". Allowed: old, quiet'),
        ("arch=riscv", 'no board has arch "riscv". Allowed: arm64, armhf'),
        ("isaa=dotprod", '"isaa=dotprod": there is no fact "isaa"; did you mean "isa"? Allowed: arch, connection'),
        ("isa=i8mm", 'no board is known to have isa "i8mm"'),
        ("isa=i8mm", "Allowed: avx2, dotprod, neon (not asked yet: pi5-b, pi5-c, a72; ask by `hilbench board check"),
        ("python=3.1", 'no board is known to have python "3.1"'),
        ("any:pi6", 'no board has kind "pi6"'),
    ],
)
def test_a_word_that_selects_nothing_says_what_there_is(boards: dict[str, Board], word: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=re.escape(sentence)):
        select(word, boards, FACTS)


def test_boards_that_were_not_asked_yet_are_named(boards: dict[str, Board]) -> None:
    said = remark("isa=dotprod", select("isa=dotprod", boards, FACTS))
    assert said == (
        "isa=dotprod: not asked yet: pi5-b, pi5-c, a72; ask by `hilbench board check pi5-b`; "
        "`hilbench board check pi5-c`; `hilbench board check a72`"
    )
    assert remark("arch=arm64", select("arch=arm64", boards, FACTS)) is None


def test_any_of_a_kind_is_the_first_that_is_not_excluded(boards: dict[str, Board]) -> None:
    chosen = select("any:pi5", boards, {}, excluded={"pi5-a"})
    assert names(chosen) == ["pi5-b"]
    assert [board.name for board in chosen.others] == ["pi5-c"]
    with pytest.raises(PlanError, match=r"no board of this kind is left; those that there are \(pi4\) are taken"):
        select("any:pi4", boards, {}, excluded={"pi4"})


def plan_of(tmp_path: Path, boards: str) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(f"name: t\nmodels:\n  m: {{file: {DIGITS}}}\nboards: {boards}\n")
    return path


def test_a_plan_has_each_board_once_in_the_order_of_its_words(tmp_path: Path, boards: dict[str, Board]) -> None:
    known = Boards(tmp_path / "inventory.yaml")
    plan = load_plan(plan_of(tmp_path, "[here, any:pi5, pi5-a, 'tag:old', kind:pi4]"), known)
    assert [board.name for board in plan.boards] == ["here", "pi5-b", "pi5-a", "pi4"]
    assert plan.source["boards"] == ["here", "pi5-b", "pi5-a", "pi4"]
    assert {name: [board.name for board in pool] for name, pool in plan.pools.items()} == {"pi5-b": ["pi5-c"]}
    other = load_plan(plan_of(tmp_path, "[here]"), known, boards=["any:pi5", "any:pi5"], excluded={"pi5-a"})
    assert [board.name for board in other.boards] == ["pi5-b"]


def test_a_wrong_word_in_a_plan_is_named_with_its_line(tmp_path: Path, boards: dict[str, Board]) -> None:
    with pytest.raises(PlanError) as caught:
        load_plan(plan_of(tmp_path, "\n- here\n- kind:pi6\n- size=9"), Boards(tmp_path / "inventory.yaml"))
    first, second = str(caught.value).splitlines()
    assert first.startswith(f'{tmp_path}/plan.yaml:6: boards: no board has kind "pi6"')
    assert second.startswith(f'{tmp_path}/plan.yaml:7: boards: "size=9": there is no fact "size"')


def test_what_a_board_told_when_it_was_checked_decides_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boards: dict[str, Board]
) -> None:
    monkeypatch.delenv("HILBENCH_HOME", raising=False)
    inventory = tmp_path / "inventory.yaml"
    assert told_facts(inventory) == {}
    assert not (tmp_path / ".hilbench").exists()
    hilbench = Path(sys.executable).parent / "hilbench"
    words = [hilbench, "board", "check", "here", "--json", "--inventory", inventory]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    cores = told_facts(inventory)["here"]["cores"]
    assert cores > 0
    assert names(Boards(inventory).select(f"cores={cores}")) == ["here"]
    remember_facts(inventory, "here", {"cores": cores + 1})
    assert names(Boards(inventory).select(f"cores={cores + 1}")) == ["here"]
