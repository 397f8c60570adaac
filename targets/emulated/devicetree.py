"""A device tree as bytes: one more node, and no more bytes than it needs.

Format: "Flattened Devicetree (DTB) Format" of the Devicetree Specification 0.4, version 17. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import EmulatorError

_MAGIC, _VERSION, _LAST_COMPATIBLE = 0xD00DFEED, 17, 16
_BEGIN_NODE, _END_NODE, _PROPERTY, _END = 1, 2, 3, 9
_HEADER = struct.Struct(">10I")
_TAIL = struct.pack(">2I", _END_NODE, _END)  # the end of the root node and of the block


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    reservations: bytes
    structure: bytes
    strings: bytes
    boot_cpu: int


def packed(tree: bytes) -> bytes:
    """The same tree without room to grow. Raises EmulatorError where it is no device tree."""
    return _joined(_blocks(tree))


def with_node(tree: bytes, name: str, properties: Mapping[str, bytes]) -> bytes:
    """The tree, packed, with one more child of its root. Raises EmulatorError where it is no device tree."""
    blocks = _blocks(tree)
    strings = bytearray(blocks.strings)
    node = bytearray(struct.pack(">I", _BEGIN_NODE) + _padded(name.encode("ascii") + b"\0"))
    for key, value in properties.items():
        node += struct.pack(">3I", _PROPERTY, len(value), len(strings)) + _padded(value)
        strings += key.encode("ascii") + b"\0"
    node += struct.pack(">I", _END_NODE)
    structure = blocks.structure[: -len(_TAIL)] + node + _TAIL
    return _joined(replace(blocks, structure=structure, strings=bytes(strings)))


def _blocks(tree: bytes) -> _Blocks:
    try:
        magic, _, structure_at, strings_at, reservations_at, version, _, boot_cpu, *sizes = _HEADER.unpack_from(tree)
        strings_size, structure_size = sizes
        structure = tree[structure_at : structure_at + structure_size]
        if magic != _MAGIC or version < _VERSION or not structure.endswith(_TAIL):
            raise EmulatorError("QEMU describes the emulated board by something else than a device tree of version 17")
        return _Blocks(
            reservations=_reservations(tree, reservations_at),
            structure=structure,
            strings=tree[strings_at : strings_at + strings_size],
            boot_cpu=boot_cpu,
        )
    except struct.error as error:
        raise EmulatorError("QEMU's device tree of the emulated board ends too early") from error


def _reservations(tree: bytes, at: int) -> bytes:
    """Pairs of address and size in 8 bytes each; a pair of zeros ends them and is part of the answer."""
    end = at
    while struct.unpack_from(">2Q", tree, end) != (0, 0):
        end += 16
    return tree[at : end + 16]


def _joined(blocks: _Blocks) -> bytes:
    structure_at = _HEADER.size + len(blocks.reservations)
    strings_at = structure_at + len(blocks.structure)
    header = _HEADER.pack(
        _MAGIC,
        strings_at + len(blocks.strings),
        structure_at,
        strings_at,
        _HEADER.size,
        _VERSION,
        _LAST_COMPATIBLE,
        blocks.boot_cpu,
        len(blocks.strings),
        len(blocks.structure),
    )
    return header + blocks.reservations + blocks.structure + blocks.strings


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
