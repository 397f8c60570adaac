"""On which processors a cell's processes run: where its setting `affinity` says so, else where the profile says.

A setting is `all`, numbers of processors, or the name of a cluster: `big` and `little` are the fastest and the slowest
kind of core, `middle` what lies between. What a board's cores are is read from the kernel (see tuning.py).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from .failures import UNSUPPORTED, CellFailure
from .tuning import clusters

ALL, BIG, MIDDLE, LITTLE = "all", "big", "middle", "little"
CLUSTER_NAMES = (BIG, MIDDLE, LITTLE)

Affinity = str | tuple[int, ...] | None


def cpus_of(
    affinity: Affinity, profile_cpus: tuple[int, ...] | None, root: Path, allowed: Collection[int] | None = None
) -> tuple[int, ...] | None:
    """The processors to run on; None = any. Raises CellFailure `unsupported` where the board has no such ones.

    `profile_cpus` are those of the board's profile, which hold where the cell asks for nothing; `allowed` those that
    this account may use, by default what the kernel says.
    """
    if affinity is None:
        return profile_cpus
    mine = tuple(sorted(os.sched_getaffinity(0) if allowed is None else allowed))
    if affinity == ALL:
        return mine
    wanted = named_cluster(affinity, clusters(root)) if isinstance(affinity, str) else affinity
    if missing := sorted(set(wanted) - set(mine)):
        which = ", ".join(map(str, missing))
        have = ", ".join(map(str, mine))
        raise CellFailure(
            UNSUPPORTED, f"affinity: this account cannot run on processor {which} of the board; on {have}"
        )
    return tuple(sorted(wanted))


def named_cluster(name: str, kinds: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The processors of a cluster; `kinds` are the board's, fastest first. Raises CellFailure `unsupported`."""
    if len(kinds) < 2:
        raise CellFailure(UNSUPPORTED, f"affinity: the cores of this board are of one kind, so none are {name} ones")
    if name == MIDDLE and len(kinds) < 3:
        raise CellFailure(UNSUPPORTED, "affinity: this board has two kinds of cores, so none are middle ones")
    if name == MIDDLE:
        return tuple(sorted(cpu for kind in kinds[1:-1] for cpu in kind))
    return kinds[0] if name == BIG else kinds[-1]
