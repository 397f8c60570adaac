"""The tables of the store as SQLAlchemy sees them; `migrations/` makes them.

Facts are JSON text and moments are ISO text, so that SQLite and PostgreSQL hold the same.
"""

from __future__ import annotations

import sqlalchemy as sa

_metadata = sa.MetaData()

RUNS = sa.Table(
    "runs",
    _metadata,
    *(sa.Column(name, sa.String) for name in ("id", "plan_name", "plan_hash", "protocol")),
    *(sa.Column(name, sa.String) for name in ("state", "started_at", "ended_at", "facts")),
    sa.Column("seed", sa.BigInteger),
)
CELLS = sa.Table(
    "cells",
    _metadata,
    *(sa.Column(name, sa.String) for name in ("run_id", "cell_id", "board", "facts")),
    sa.Column("position", sa.Integer),
)
NOTES = sa.Table(
    "notes",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("run_id", "subject", "kind", "at", "facts")),
)
TRIALS = sa.Table(
    "trials",
    _metadata,
    *(sa.Column(name, sa.String) for name in ("run_id", "trial_id", "cell_id", "kind", "facts")),
    sa.Column("block", sa.Integer),
    sa.Column("attempt", sa.Integer),
    sa.Column("warmup", sa.LargeBinary),
    sa.Column("samples", sa.LargeBinary),
)
