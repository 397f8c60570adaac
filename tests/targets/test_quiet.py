"""This machine's time: shared by those who work on it, alone for the one who is timed; nobody waits for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hilbench.targets.quiet import machine_time

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def own_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILBENCH_HOST_DIR", str(tmp_path))


def test_those_who_share_work_side_by_side() -> None:
    with machine_time(alone=False, progress=_refuse), machine_time(alone=False, progress=_refuse):
        pass


def test_who_wants_the_machine_alone_is_not_overtaken_by_those_who_share_it() -> None:
    order: list[str] = []
    waits = {name: threading.Event() for name in ("timed", "shares")}

    def work(name: str, alone: bool) -> None:
        with machine_time(alone=alone, progress=lambda _line: waits[name].set()):
            order.append(name)

    threads = [threading.Thread(target=work, args=(name, name == "timed")) for name in waits]
    with machine_time(alone=False, progress=_refuse):
        for thread, waiting in zip(threads, waits.values(), strict=True):
            thread.start()
            assert waiting.wait(20), "the second shares the machine with this test, but comes after who waits"
    for thread in threads:
        thread.join()
    assert order == ["timed", "shares"]


def test_waiting_is_said_once() -> None:
    said: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    def work() -> None:
        with machine_time(alone=False, progress=say):
            pass

    with machine_time(alone=True, progress=_refuse):
        thread = threading.Thread(target=work)
        thread.start()
        assert waiting.wait(20)
    thread.join()
    assert len(said) == 1
    assert "is being timed" in said[0]


def _refuse(line: str) -> None:
    raise AssertionError(line)
