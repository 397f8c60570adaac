"""The board's power sampler beside one process of a job: started before it, asked after it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from array import array
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .ledger import Session
from .power_samples import Samples, encode
from .schedule import Step

_OUT = "power.json"
_READY_S = 15.0
_POLL_S = 0.02
_END_S = 10.0
_MARGIN_S = 60.0
_MAX_SAMPLES = 500_000
_PR_SET_PDEATHSIG = 1


@contextmanager
def power_beside(session: Session, step: Step) -> Generator[dict[str, Any]]:
    """Sample while one process runs, where the job asks for that: what is yielded has `power` afterwards.

    A meter that cannot be read ends nothing: `power` is then without samples and says why.
    """
    answer: dict[str, Any] = {}
    power = session.job.power
    if power is None or power.source is None or step.kind != "latency" or not step.cell.power:
        yield answer
        return
    try:
        sampler = _start(session, step)
    except OSError as error:
        answer["power"] = _nothing(f"the power sampler cannot be started: {error.strerror}")
        yield answer
        return
    reason = None
    try:
        reason = _wait(session, sampler)
        yield answer
    finally:
        _end(sampler)
        answer["power"] = _taken(session.jobdir, reason)


def _start(session: Session, step: Step) -> subprocess.Popen[bytes]:
    power, jobdir = session.job.power, session.jobdir
    assert power is not None
    spec = {
        "source": power.source,
        "period_s": power.poll_s,
        "max_samples": _MAX_SAMPLES,
        "max_s": session.job.process_timeout_s + _MARGIN_S,
        "seed": zlib.crc32(f"{step.cell.cell}#{step.block}".encode()),
        "avoid_cpus": list(session.profile.cpus or ()),
    }
    for left_over in (_OUT, f"{_OUT}.ready"):
        (jobdir / left_over).unlink(missing_ok=True)
    (jobdir / "power-spec.json").write_text(json.dumps(spec), encoding="utf-8")
    with (jobdir / "power.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "hilbench_agent.power_sampler", "power-spec.json", _OUT],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=jobdir,
            env={**os.environ, "PYTHONPATH": session.agent_path},
            start_new_session=True,
            preexec_fn=_end_with_agent,  # safe: the agent has one thread only
        )


def _end_with_agent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _wait(session: Session, sampler: subprocess.Popen[bytes]) -> str | None:
    """Until the first sample; why there is none, where there is none. Raises StopRequested."""
    until = time.monotonic() + _READY_S
    while not (session.jobdir / f"{_OUT}.ready").exists():
        if sampler.poll() is not None:
            return f"the meter gives no samples: {_last_words(session.jobdir) or 'its sampler ended'}"
        if time.monotonic() > until:
            return f"the meter gave no sample in {_READY_S:g} s"
        session.interrupts.sleep(_POLL_S)
    return None


def _end(sampler: subprocess.Popen[bytes]) -> None:
    sampler.terminate()
    try:
        sampler.wait(_END_S)
    except subprocess.TimeoutExpired:
        sampler.kill()
        sampler.wait()


def _taken(jobdir: Path, reason: str | None) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((jobdir / _OUT).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _nothing(reason or "the power sampler left no samples")
    return found if reason is None else {**found, "error": found["error"] or reason}


def _nothing(reason: str | None) -> dict[str, Any]:
    return encode(Samples(values=[array("d")], error=reason))


def _last_words(jobdir: Path) -> str:
    lines = (jobdir / "power.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
