from __future__ import annotations

from hilbench.targets.emulated.kernel import CpioEntry, newc


def read_newc(archive: bytes) -> list[tuple[str, int, bytes]]:
    """Name, mode and content of each entry, by the offsets that the kernel's documentation gives."""
    found: list[tuple[str, int, bytes]] = []
    at = 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        assert at % 4 == 0
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name_end = at + 110 + fields[11]
        data_at = (name_end + 3) // 4 * 4
        data = archive[data_at : data_at + fields[6]]
        found.append((archive[at + 110 : name_end - 1].decode(), fields[1], data))
        at = (data_at + fields[6] + 3) // 4 * 4
    return found


def test_ram_disk_keeps_names_modes_and_contents_whatever_their_length() -> None:
    entries = [CpioEntry(name="bin"), *(CpioEntry(name="f" * n, data=b"x" * n, mode=0o644) for n in range(1, 6))]
    read = read_newc(newc(entries))
    assert read[0] == ("bin", 0o040755, b"")
    assert read[1:-1] == [("f" * n, 0o100644, b"x" * n) for n in range(1, 6)]
    assert read[-1][0] == "TRAILER!!!"


def test_ram_disk_of_equal_content_has_equal_bytes() -> None:
    entries = [CpioEntry(name="init", data=b"#!/bin/sh\n")]
    assert newc(entries) == newc(entries)
