"""A bench supply or multimeter that speaks SCPI, through pyvisa (extra `power`): a few readings a second.

    meters:
      - kind: scpi
        resource: TCPIP0::192.168.1.50::INSTR
        accuracy: {gain: 0.002, offset_w: 0.02}

Voltage and current are asked one after the other, so their product is not that of one moment. The range is the
instrument's: set it fixed, with room above the peak, before a campaign.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Any

from .channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from .meter import MeterError, Trace
from .polling import BackgroundSampling, polled, traces_of

VOLTAGE_QUERY = "MEAS:VOLT?"
CURRENT_QUERY = "MEAS:CURR?"
POLL_S = 0.2
_TIMEOUT_MS = 3000
_STALE_AFTER_S = 10.0


class ScpiMeter:
    """An instrument as a Meter. `backend` is pyvisa's: `@py` (pure Python) or a simulation file `FILE@sim`."""

    def __init__(
        self,
        resource: str,
        *,
        accuracy: Accuracy,
        voltage_query: str = VOLTAGE_QUERY,
        current_query: str = CURRENT_QUERY,
        poll_s: float = POLL_S,
        max_w: float | None = None,
        backend: str = "@py",
    ) -> None:
        self._resource = resource
        self._queries = (voltage_query, current_query)
        self._accuracy = accuracy
        self._poll_s = poll_s
        self._max_w = max_w
        self._backend = backend
        self._lock = threading.Lock()
        self._instrument: Any = None
        self._channel: Channel | None = None
        self._sampling: BackgroundSampling | None = None

    def setup(self) -> tuple[Channel, ...]:
        """See Meter.setup: opens the instrument and reads it once."""
        try:
            import pyvisa
        except ImportError as error:
            raise MeterError("SCPI meters need pyvisa: pip install 'hilbench[power]'") from error
        with _as_meter_error(self._resource):
            self._instrument = pyvisa.ResourceManager(self._backend).open_resource(
                self._resource, read_termination="\n", write_termination="\n", timeout=_TIMEOUT_MS
            )
            identity = str(self._instrument.query("*IDN?")).strip()
            if not identity:
                raise OSError("it does not answer to *IDN?")
        try:
            self._read()
        except (OSError, ValueError) as error:
            self.stop()
            raise MeterError(f"{self._resource} ({identity}) gives no power: {error}") from error
        self._channel = Channel(
            meter=_short_identity(identity),
            site="DC output",
            sampling=Sampling.INSTANTANEOUS,
            accuracy=self._accuracy,
            clock=ClockDomain.CONTROLLER,
            scope=Scope.BOARD_INPUT,
            meter_class=MeterClass.E2,
            interval_s=self._poll_s,
            stale_after_s=_STALE_AFTER_S,
            max_w=self._max_w,
        )
        return (self._channel,)

    def start(self) -> None:
        """See Meter.start."""
        self._sampling = polled(self._read, period_s=self._poll_s)
        self._sampling.start(self._resource)

    def stop(self) -> None:
        """See Meter.stop; gives the instrument back."""
        if self._sampling is not None:
            self._sampling.stop()
        with self._lock:
            if self._instrument is not None:
                with contextlib.suppress(Exception):  # a cable that is gone cannot be closed
                    self._instrument.close()
                self._instrument = None

    def samples(self) -> tuple[Trace, ...]:
        """See Meter.samples."""
        if self._sampling is None or self._channel is None:
            return ()
        return traces_of((self._channel,), self._sampling.samples())

    def _read(self) -> tuple[float]:
        with self._lock, _as_os_error():
            if self._instrument is None:
                raise OSError("the instrument is closed")
            volts, amperes = (float(self._instrument.query(query)) for query in self._queries)
            return (volts * amperes,)


@contextlib.contextmanager
def _as_os_error() -> Generator[None]:
    """pyvisa's failures as OSError: what a sampler takes for a missing sample."""
    import pyvisa

    try:
        yield
    except pyvisa.Error as error:
        raise OSError(" ".join(str(error).split())) from error


@contextlib.contextmanager
def _as_meter_error(resource: str) -> Generator[None]:
    try:
        with _as_os_error():
            yield
    except (OSError, ValueError) as error:
        raise MeterError(f"{resource} cannot be opened: {error}") from error


def _short_identity(identity: str) -> str:
    """Maker and model of `*IDN?`'s answer, which is maker,model,serial,firmware."""
    return " ".join(part.strip() for part in identity.split(",")[:2])
