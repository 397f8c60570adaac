"""Smart plugs against a real HTTP server that answers as they do, and one that misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from hilbench.targets.power import plug
from hilbench.targets.power.channel import Sampling
from hilbench.targets.power.meter import MeterError
from hilbench.targets.power.plug import SHELLY, TASMOTA, Plug, PlugKind

SHELLY_STATUS = {
    "sys": {"uptime": 4},
    "switch:0": {"id": 0, "output": True, "apower": 7.2, "voltage": 231.0, "aenergy": {"total": 1.0}},
}
TASMOTA_STATUS = {"StatusSNS": {"Time": "2026-11-24T10:00:00", "ENERGY": {"Total": 0.5, "Power": 7, "Voltage": 231}}}


@dataclass(slots=True)
class Server:
    """A plug: counts the energy of 7.2 W, one simulated second a request."""

    address: str = ""
    status: int = 200
    body: bytes | None = None
    paths: list[str] = field(default_factory=list[str])

    def answer(self, path: str) -> bytes:
        self.paths.append(path)
        if self.body is not None:
            return self.body
        if path.startswith("/cm"):
            return json.dumps(TASMOTA_STATUS).encode()
        status: dict[str, Any] = json.loads(json.dumps(SHELLY_STATUS))
        status["switch:0"]["aenergy"]["total"] += round(len(self.paths) * 7.2 / 3600, 3)
        return json.dumps(status).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = state.answer(self.path)
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plug, "POLL_S", 0.01)


def test_watt_hours_and_kilowatt_hours_become_joules() -> None:
    assert plug.parse_shelly(SHELLY_STATUS) == plug.PlugReading(energy_j=3600.0, power_w=7.2)
    assert plug.parse_tasmota(TASMOTA_STATUS) == plug.PlugReading(energy_j=1_800_000.0, power_w=7.0)
    of_the_second_generation = {"pm1:0": {"apower": 3.0, "aenergy": {"total": 0.5}}}
    assert plug.parse_shelly(of_the_second_generation).energy_j == 1800.0


def test_a_shelly_is_read_by_its_energy_counter_in_joules(server: Server) -> None:
    meter = Plug(SHELLY, server.address, by_power=False)
    counter, power = meter.setup()
    assert (counter.sampling, counter.unit, power.unit) == (Sampling.ACCUMULATING, "J", "W")
    assert counter.accuracy.resolution == pytest.approx(3.6)
    assert counter.interval_s == pytest.approx(0.5)  # at 7.2 W a step of 3.6 J takes half a second
    meter.start()
    while len(server.paths) < 20:
        threading.Event().wait(0.01)
    meter.stop()
    meter.stop()
    energy, watts = meter.samples()
    assert len(energy.values) >= 15
    assert energy.values[0] == pytest.approx(3600, abs=20)
    assert (np.diff(energy.values) >= 0).all()
    assert energy.values[-1] > energy.values[0]
    assert set(watts.values) == {7.2}
    assert set(server.paths) == {"/rpc/Shelly.GetStatus"}


def test_a_tasmota_is_read_by_its_power(server: Server) -> None:
    meter = Plug(TASMOTA, server.address, by_power=True)
    power, counter = meter.setup()
    assert (power.unit, counter.unit) == ("W", "J")
    assert counter.interval_s == pytest.approx(3600 / 7)  # a step of 1 Wh takes minutes: refused for short windows
    assert server.paths == ["/cm?cmnd=status%2010"]


def test_a_plug_that_falls_silent_ends_its_trace_with_the_reason(server: Server) -> None:
    meter = Plug(SHELLY, server.address, by_power=False)
    meter.setup()
    meter.start()
    server.status, server.body = 503, b"{}"
    broken_from = len(server.paths)
    while len(server.paths) < broken_from + 15:
        threading.Event().wait(0.01)
    meter.stop()
    trace, _ = meter.samples()
    assert len(trace.values) <= broken_from + 1
    assert trace.error == "HTTP 503"


@pytest.mark.parametrize(
    ("kind", "status", "body", "words"),
    [
        (SHELLY, 401, b"{}", "it wants a password, which hilbench does not send"),
        (SHELLY, 200, b"<html>", "its answer is no JSON"),
        (SHELLY, 200, b"[]", "its answer is no JSON object"),
        (SHELLY, 200, b"{}", "its status has no switch with an energy counter"),
        (SHELLY, 200, b'{"switch:0": {"aenergy": {}}}', "its answer holds no energy and power"),
        (TASMOTA, 200, b'{"Command": "Unknown"}', "its answer holds no energy and power"),
        (TASMOTA, 200, b'{"StatusSNS": {"ENERGY": {"Total": NaN, "Power": 1}}}', "no finite energy and power"),
    ],
)
def test_a_plug_that_cannot_be_read_is_told_in_one_sentence(
    server: Server, kind: PlugKind, status: int, body: bytes, words: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(MeterError, match=f"the {kind.name} plug at 127.0.0.1:[0-9]+ cannot be read: .*{words}"):
        Plug(kind, server.address, by_power=False).setup()


def test_a_plug_that_is_not_there_is_told() -> None:
    with pytest.raises(MeterError, match="cannot be read: Connection refused"):
        Plug(SHELLY, "127.0.0.1:9", by_power=False).setup()
