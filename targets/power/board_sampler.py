"""A meter on the board: the sampler runs there in a process of its own, and gives all samples at the end.

While a window runs, nothing crosses the connection: the sampler was started before it, and is asked after it.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..agent.arrays import decode_array
from ..bundle import build_agent
from ..connection import Completed, Connection
from ..errors import TargetError
from .channel import Channel
from .meter import MeterError, Trace
from .polling import ended_because

_COMMAND_TIMEOUT_S = 120.0
_UPLOAD_TIMEOUT_S = 300.0
_READY_TIMEOUT_S = 60
_OUT_TIMEOUT_S = 60
_MAX_SAMPLES = 500_000  # 12 MB on the board

# $1 folder, $2 interpreter, $3 the agent's file, $4 seconds. Prints the sampler's pid once it samples.
_START = r"""
cd "$1" || exit 1
rm -f out.json out.json.ready
trap '' HUP
PYTHONPATH="$3" "$2" -m hilbench_agent.power_sampler spec.json out.json </dev/null >sampler.log 2>&1 &
p=$!
n=0
while [ ! -e out.json.ready ]; do
  kill -0 $p 2>/dev/null || { cat sampler.log >&2; [ -e out.json ] && echo ended && exit 0; exit 1; }
  n=$((n + 1)); [ $n -gt $(($4 * 20)) ] && { kill $p; echo "it gave no sample in $4 s" >&2; exit 1; }
  sleep 0.05
done
echo $p
"""
# $1 folder, $2 pid, $3 seconds. A pid alone proves nothing after a restart of the board: its command line is looked at.
_STOP = r"""
cd "$1" || exit 1
if tr '\0' ' ' <"/proc/$2/cmdline" 2>/dev/null | grep -q power_sampler; then kill -TERM "$2"; fi
n=0
while [ ! -e out.json ]; do
  n=$((n + 1)); [ $n -gt $(($3 * 20)) ] && { tail -n 1 sampler.log >&2; exit 1; }
  sleep 0.05
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPlan:
    """What to sample on the board: its channels, how the sampler reads them, how often."""

    channels: tuple[Channel, ...]
    source: Mapping[str, Any]
    poll_s: float


class BoardMeter:
    """A meter that the board itself reads; the obligations are those of `Meter`.

    `look` finds out on the board what there is. `avoid_cpus` are the cores that are measured: the sampler keeps off
    them where the board has others. `python` is the board's interpreter, 3.10 or newer. A sampler that nobody stops
    ends by itself after `longest_s`. `agent_path` is the agent's file where the board has it already, else it is sent.
    """

    def __init__(
        self,
        connection: Connection,
        look: Callable[[Connection], BoardPlan],
        *,
        workdir: str,
        python: str = "python3",
        avoid_cpus: Sequence[int] = (),
        seed: int = 0,
        longest_s: float = 1800.0,
        agent_path: str | None = None,
    ) -> None:
        self._connection = connection
        self._look = look
        self._workdir = workdir
        self._folder = ""
        self._python = python
        self._avoid_cpus = list(avoid_cpus)
        self._seed = seed
        self._longest_s = longest_s
        self._agent_path = agent_path
        self._plan: BoardPlan | None = None
        self._pid: int | None = None
        self._traces: tuple[Trace, ...] = ()

    def setup(self) -> tuple[Channel, ...]:
        """See Meter.setup; also puts the sampler on the board."""
        self._plan = self._look(self._connection)
        made = _run(self._connection, f"mktemp -d {shlex.quote(self._workdir)}/power-XXXXXX", "a folder for the meter")
        self._folder = made.stdout.decode().strip()
        spec = {
            "source": self._plan.source,
            "period_s": self._plan.poll_s,
            "max_samples": _MAX_SAMPLES,
            "max_s": self._longest_s,
            "seed": self._seed,
            "avoid_cpus": self._avoid_cpus,
        }
        self._put("spec.json", json.dumps(spec).encode())
        if self._agent_path is None:
            self._put("agent.pyz", build_agent()[0])
        return self._plan.channels

    def start(self) -> None:
        """See Meter.start."""
        agent = self._agent_path or f"{self._folder}/agent.pyz"
        words = [self._folder, self._python, agent, str(_READY_TIMEOUT_S)]
        done = _run(self._connection, shlex.join(["sh", "-c", _START, "sh", *words]), "the sampler on the board")
        said = done.stdout.decode().strip()
        if not said.isdigit():
            raise MeterError(f"the meter gives no samples: {self._fetch().get('error') or 'it says nothing'}")
        self._pid = int(said)

    def stop(self) -> None:
        """See Meter.stop."""
        if self._plan is None or not self._folder:
            return
        if self._pid is not None:
            self._traces = self._collect(self._plan, self._pid)
            self._pid = None
        with contextlib.suppress(TargetError):  # a board that is lost keeps a small folder
            self._connection.run(f"rm -rf -- {shlex.quote(self._folder)}", timeout_s=_COMMAND_TIMEOUT_S)
        self._folder = ""

    def samples(self) -> tuple[Trace, ...]:
        """See Meter.samples."""
        return self._traces

    def _collect(self, plan: BoardPlan, pid: int) -> tuple[Trace, ...]:
        """What the sampler gave; where it cannot be had, traces without samples that say why."""
        try:
            words = [self._folder, str(pid), str(_OUT_TIMEOUT_S)]
            _run(self._connection, shlex.join(["sh", "-c", _STOP, "sh", *words]), "the sampler's samples")
            return decode_traces(plan.channels, self._fetch())
        except (TargetError, ValueError, KeyError) as error:
            nothing = np.empty(0, np.int64)
            return tuple(
                Trace(channel=channel, time_ns=nothing, values=np.empty(0), sequence=nothing, error=str(error))
                for channel in plan.channels
            )

    def _fetch(self) -> dict[str, Any]:
        done = _run(self._connection, f"cat {shlex.quote(self._folder)}/out.json", "the sampler's samples")
        return json.loads(done.stdout)

    def _put(self, name: str, data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(data)
            self._connection.put(file, f"{self._folder}/{name}", timeout_s=_UPLOAD_TIMEOUT_S)


def decode_traces(channels: Sequence[Channel], out: Mapping[str, Any]) -> tuple[Trace, ...]:
    """The traces of what the on-board sampler wrote. Raises ValueError or KeyError where that is damaged."""
    time_ns, slots = decode_array(out["time_ns"]), decode_array(out["slots"])
    sequence = slots if len(slots) else None
    columns = [decode_array(column) for column in out["values"]] or [np.empty(0) for _ in channels]
    error = ended_because(out["error"], truncated=bool(out["truncated"]))
    return tuple(
        Trace(channel=channel, time_ns=time_ns, values=values, sequence=sequence, error=error)
        for channel, values in zip(channels, columns, strict=True)
    )


def read_listing(connection: Connection, command: str) -> str:
    """What a listing command prints on the board."""
    return _run(connection, command, "a look at the board's sensors").stdout.decode(errors="replace")


def _run(connection: Connection, command: str, what: str) -> Completed:
    done = connection.run(command, timeout_s=_COMMAND_TIMEOUT_S)
    if done.status != 0:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.status}"])[-1]
        raise MeterError(f"{what} failed on the board: {last}")
    return done
