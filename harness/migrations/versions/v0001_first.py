"""The first schema: runs, cells, what happened to them, trials.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables. Everything but a run's state is only ever added to."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("plan_name", sa.String, nullable=False),
        sa.Column("plan_hash", sa.String, nullable=False, index=True),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("protocol", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("started_at", sa.String, nullable=False, index=True),
        sa.Column("ended_at", sa.String),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_table(
        "cells",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("cell_id", sa.String, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("board", sa.String, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_table(
        "notes",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), nullable=False, index=True),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_table(
        "trials",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("trial_id", sa.String, primary_key=True),
        sa.Column("cell_id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("warmup", sa.LargeBinary, nullable=False),
        sa.Column("samples", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop all."""
    for table in ("trials", "notes", "cells", "runs"):
        op.drop_table(table)
