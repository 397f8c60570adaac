"""The on-board power sampler: a process of its own that reads a meter of the board while something else is timed.

    python3 -m hilbench_agent.power_sampler SPEC OUT      (with the agent's file on PYTHONPATH)

SPEC is a JSON file: `source` (see power_sources; or `{"kind": "stream", "argv"}`, see power_stream), `period_s`,
`max_samples`, `max_s`, `seed`, `avoid_cpus`. `OUT.ready` appears with the process id once the first reading has come,
`OUT` with all samples after SIGTERM or at a bound; in between nothing is written or printed. Times are
`time.perf_counter_ns`, the clock of the latency samples.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .power_polling import poll
from .power_samples import Bounds, Samples, encode
from .power_sources import open_source

_PRIORITY = -10


def main(arguments: list[str]) -> int:
    """Sample as the file SPEC says and write OUT."""
    spec_file, out = Path(arguments[0]), Path(arguments[1])
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    spec: Mapping[str, Any] = json.loads(spec_file.read_text(encoding="utf-8"))
    cpus = keep_off(list(spec["avoid_cpus"]))
    come_first()
    bounds = Bounds(
        max_samples=spec["max_samples"],
        max_s=spec["max_s"],
        stopped=lambda: bool(told),
        ready=lambda: _write(out.with_name(out.name + ".ready"), str(os.getpid())),
    )
    try:
        samples = _sample(spec, bounds)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    _write(out, json.dumps({**encode(samples), "cpus": cpus}))
    return 0


def keep_off(avoid: list[int]) -> list[int]:
    """Move this process to the cores that are not measured, where there are others; returns those it may use."""
    allowed = os.sched_getaffinity(0)
    others = allowed - set(avoid)
    if others:
        os.sched_setaffinity(0, others)
    return sorted(others or allowed)


def come_first() -> None:
    """Be scheduled before the measured process, where this account may: a late poll is a lost one."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)


def _sample(spec: Mapping[str, Any], bounds: Bounds) -> Samples:
    if spec["source"]["kind"] == "stream":
        from .power_stream import sample_program

        return sample_program(spec["source"]["argv"], bounds)
    return poll(open_source(spec["source"]), bounds, period_s=spec["period_s"], seed=spec["seed"])


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="ascii")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
