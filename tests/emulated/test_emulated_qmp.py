from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest
from hilbench.targets.emulated.qmp import Qmp
from hilbench.targets.errors import EmulatorError


@pytest.fixture
def pair() -> Iterator[tuple[Qmp, socket.socket]]:
    ours, theirs = socket.socketpair()
    control = Qmp(ours)
    yield control, theirs
    control.close()
    theirs.close()


def test_events_between_a_command_and_its_answer_are_passed_over(pair: tuple[Qmp, socket.socket]) -> None:
    control, qemu = pair
    qemu.sendall(b'{"event": "STOP"}\r\n\r\n{"event": "RESUME"}\r\n{"return": {"status": "running"}}\r\n')
    assert control.execute("query-status") == {"status": "running"}
    assert json.loads(qemu.recv(1000)) == {"execute": "query-status"}


def test_greeting_is_taken_and_capabilities_are_negotiated(pair: tuple[Qmp, socket.socket]) -> None:
    control, qemu = pair
    qemu.sendall(b'{"QMP": {"version": {}}}\r\n{"return": {}}\r\n')
    control.negotiate(timeout_s=5.0)
    assert json.loads(qemu.recv(1000))["execute"] == "qmp_capabilities"


def test_refused_command_is_one_sentence(pair: tuple[Qmp, socket.socket]) -> None:
    control, qemu = pair
    qemu.sendall(b'{"error": {"class": "GenericError", "desc": "no such device"}}\r\n')
    with pytest.raises(EmulatorError, match=r"^QEMU refused set_link: no such device$"):
        control.execute("set_link", {"name": "n9", "up": False})


def test_answer_in_pieces_is_put_together(pair: tuple[Qmp, socket.socket]) -> None:
    control, qemu = pair

    def answer() -> None:
        qemu.recv(1000)
        for piece in (b'{"ret', b'urn": "li', b'ne"}\r', b"\n"):
            qemu.sendall(piece)

    thread = threading.Thread(target=answer)
    thread.start()
    assert control.hmp("info usernet") == "line"
    thread.join()


def test_closed_channel_says_that_qemu_is_gone(pair: tuple[Qmp, socket.socket]) -> None:
    control, qemu = pair
    qemu.close()
    with pytest.raises(EmulatorError, match="QEMU is gone"):
        control.execute("stop")


def test_silence_ends_at_the_deadline(pair: tuple[Qmp, socket.socket]) -> None:
    control, _qemu = pair
    with pytest.raises(EmulatorError, match="does not answer"):
        control.execute("stop", timeout_s=0.05)
