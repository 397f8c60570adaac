"""A connection to a board that nobody here owns: it answers probes with what a captured board printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from hilbench.targets.board import Arch, Board, BoardRuntime, LocalAddress, Role
from hilbench.targets.connection import Completed, Connection


def board_of(bundle: Mapping[str, Any]) -> Board:
    """The board of a bundle as the inventory would describe it."""
    told = bundle["board"]
    return Board(
        name="captured",
        address=LocalAddress(),
        arch=Arch(told["arch"]),
        role=Role.TARGET,
        runtimes=tuple(BoardRuntime(name=one["name"], python=one["python"]) for one in told["runtimes"]),
    )


class ReplayedBoard:
    """Prints under each header of a probe script what the captured board printed there; nothing else can be run."""

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        self._probes: Mapping[str, Mapping[str, str]] = bundle["probes"]
        self.asked: list[str] = []

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        headers = re.findall(r"^echo; echo (\w+) (\S+); \{", command, re.MULTILINE)
        assert headers, f"a replayed board answers probes only, not: {command[:80]}"
        self.asked += [name for _, name in headers]
        printed = (f"\n{token} {name}\n{self._probes.get(name, {}).get('output', '')}" for token, name in headers)
        return Completed(status=0, stdout="".join(f"{part}\n" for part in printed).encode(), stderr=b"")

    def stream(self, command: str, *, idle_timeout_s: float) -> Iterator[bytes]:
        self._refuse()

    def put(self, local: Path, remote: str, *, timeout_s: float) -> str:
        self._refuse()

    def get(self, remote: str, local: Path, *, timeout_s: float) -> None:
        self._refuse()

    def close(self) -> None:
        pass

    def _refuse(self) -> NoReturn:
        raise AssertionError("a replayed board answers probes only")


def replayed(bundle: Mapping[str, Any]) -> Connection:
    return ReplayedBoard(bundle)
