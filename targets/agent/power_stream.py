"""A meter that is a program which prints one line a sample: its lines are stamped as they come, or by its own times.

Where lines carry a time, the program's own spacing is kept, and its clock is tied to this one by the line that came
with the least delay: pipes deliver in bursts, but never too early.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from array import array
from collections.abc import Sequence

from .power_samples import Bounds, Samples
from .power_text import parse_sample_line

_WAKE_S = 0.2
_EXIT_WAIT_S = 2.0
_MOST_BAD_LINES = 20


def sample_program(argv: Sequence[str], bounds: Bounds) -> Samples:
    """Run the program and take its lines until a bound or its end; then end it and what it started.

    Lines that hold no sample are left out; the last of them is the `error` that the samples carry. Nobody counts the
    lines, so there are no `slots`. Raises OSError where the program cannot be started.
    """
    process = subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    samples = Samples(values=[array("d")])
    own_ns: array[int] = array("q")
    try:
        _take_lines(process, samples, own_ns, bounds)
    finally:
        _end(process)
    if len(own_ns) == len(samples.time_ns) and own_ns:
        delay_ns = min(came - own for came, own in zip(samples.time_ns, own_ns, strict=True))
        samples.time_ns = array("q", (own + delay_ns for own in own_ns))
    return samples


def _take_lines(process: subprocess.Popen[bytes], samples: Samples, own_ns: array[int], bounds: Bounds) -> None:
    assert process.stdout is not None
    pipe, held, bad, until = process.stdout.fileno(), b"", 0, time.monotonic() + bounds.max_s
    while not bounds.stopped():
        if len(samples.time_ns) >= bounds.max_samples or time.monotonic() > until:
            samples.truncated = True
            return
        if not select.select([pipe], [], [], _WAKE_S)[0]:
            continue
        piece = os.read(pipe, 65536)
        came_ns = time.perf_counter_ns()
        if not piece:
            samples.error = samples.error or f"the meter's program ended with status {process.wait()}"
            return
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            before = len(samples.time_ns)
            bad = 0 if _take(line, came_ns, samples, own_ns) else bad + 1
            if before == 0 and samples.time_ns:
                bounds.ready()
        if bad > _MOST_BAD_LINES:
            return


def _take(line: bytes, came_ns: int, samples: Samples, own_ns: array[int]) -> bool:
    try:
        found = parse_sample_line(line.decode("utf-8", errors="replace"))
    except ValueError as error:
        samples.error = str(error)
        return False
    if found is None:
        return True
    own_s, watts = found
    samples.time_ns.append(came_ns)
    samples.values[0].append(watts)
    if own_s is not None:
        own_ns.append(round(own_s * 1e9))
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program's process group: first politely, so that an instrument is left in order."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(_EXIT_WAIT_S)
            break
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
