"""The device tree of 32-bit boards, read back by a small reader of the specification's format."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hilbench.targets.board import Arch
from hilbench.targets.emulated import boardtree
from hilbench.targets.emulated.boardtree import tree_file, with_counters, write_tree
from hilbench.targets.emulated.devicetree import packed, with_node
from hilbench.targets.emulated.qemu import MachineSpec
from hilbench.targets.errors import EmulatorError

from .test_emulated_qemu import armhf_spec, image

Nodes = dict[str, dict[str, bytes]]


def read_tree(tree: bytes) -> Nodes:
    """Path -> properties of all nodes; asserts what the header says of the blocks."""
    magic, total, structure_at, strings_at, reservations_at, _, _, _, strings_size, structure_size = struct.unpack_from(
        ">10I", tree
    )
    assert (magic, total) == (0xD00DFEED, len(tree))
    assert (structure_at % 4, reservations_at % 8) == (0, 0)
    assert reservations_at < structure_at < strings_at
    assert strings_at + strings_size <= total
    structure, strings = tree[structure_at : structure_at + structure_size], tree[strings_at:]
    nodes: Nodes = {}
    path: list[str] = []
    at = 0
    while (token := int.from_bytes(structure[at : at + 4])) != 9:
        at += 4
        if token == 1:
            name = structure[at : structure.index(b"\0", at)]
            path.append(name.decode())
            nodes["/".join(path) or "/"] = {}
            at += len(name) + 4 - len(name) % 4
        elif token == 2:
            path.pop()
        elif token == 3:
            size, name_at = struct.unpack_from(">2I", structure, at)
            key = strings[name_at : strings.index(b"\0", name_at)].decode()
            nodes["/".join(path) or "/"][key] = structure[at + 8 : at + 8 + size]
            at += 8 + (size + 3) // 4 * 4
    assert (path, at + 4) == ([], structure_size)
    return nodes


@pytest.fixture(scope="module")
def qemus_own(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What QEMU tells of the board, before anything is added to it."""
    folder = tmp_path_factory.mktemp("tree")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boardtree, "with_counters", lambda tree, _cpu: tree)
        write_tree(armhf_spec(folder), folder)
    return (folder / "board.dtb").read_bytes()


def test_packed_tree_has_the_same_nodes_in_a_hundredth_of_the_bytes(qemus_own: bytes) -> None:
    assert read_tree(packed(qemus_own)) == read_tree(qemus_own)
    assert len(packed(qemus_own)) < len(qemus_own) / 100


def test_board_gets_one_node_more_that_tells_linux_of_the_pmu(qemus_own: bytes) -> None:
    nodes = read_tree(with_counters(qemus_own, "cortex-a15"))
    added = nodes.pop("/cpu-pmu")
    assert nodes == read_tree(qemus_own)
    assert added == {"compatible": b"arm,cortex-a15-pmu\0", "interrupts": struct.pack(">3I", 1, 7, 0x104)}


def test_a_tree_that_tells_of_the_pmu_already_gets_no_second_one(qemus_own: bytes) -> None:
    once = with_counters(qemus_own, "cortex-a7")
    assert with_counters(once, "cortex-a7") == once


def test_memory_reservations_survive(qemus_own: bytes) -> None:
    short = packed(qemus_own)
    (at,) = struct.unpack_from(">I", short, 8)
    reserved = struct.pack(">2Q", 0x48000000, 0x1000)
    header = list(struct.unpack_from(">10I", short))
    for place in (1, 2, 3):
        header[place] += len(reserved)
    longer = struct.pack(">10I", *header) + reserved + short[40:]
    assert with_node(longer, "n", {})[40:72] == reserved + bytes(16)
    assert read_tree(with_node(longer, "n", {})).keys() == {*read_tree(short), "/n"}
    assert at + len(reserved) == struct.unpack_from(">I", packed(longer), 8)[0]


@pytest.mark.parametrize("damage", [b"", b"no device tree" * 10, b"\xd0\x0d\xfe\xed" + bytes(36)])
def test_what_is_no_device_tree_is_one_sentence(damage: bytes) -> None:
    with pytest.raises(EmulatorError, match="QEMU"):
        with_node(damage, "n", {})


def test_cut_off_tree_is_refused(qemus_own: bytes) -> None:
    with pytest.raises(EmulatorError, match="something else than a device tree"):
        packed(packed(qemus_own)[:200])


def test_64_bit_board_has_qemus_own_tree(tmp_path: Path) -> None:
    spec = MachineSpec(name="board", cpu="cortex-a76", memory_mib=256, image=image(tmp_path, Arch.ARM64))
    write_tree(spec, tmp_path)
    assert tree_file(spec, tmp_path) is None
    assert list(tmp_path.iterdir()) == []
