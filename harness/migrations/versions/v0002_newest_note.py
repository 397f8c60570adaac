"""Notes of the lab: facts that belong to no run, and the newest note about a subject without reading all runs.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COLUMNS = ("seq", "run_id", "subject", "kind", "at", "facts")


def upgrade() -> None:
    """Let a note stand without a run (its run_id is empty), and add the index."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("notes_run_id_fkey", "notes")
    else:  # SQLite drops a constraint by making the table anew
        _make_anew()
    op.create_index("ix_notes_kind_subject", "notes", ["kind", "subject", "seq"])


def downgrade() -> None:
    """Remove the index; notes of the lab may stay."""
    op.drop_index("ix_notes_kind_subject", "notes")


def _make_anew() -> None:
    op.drop_index("ix_notes_run_id", "notes")
    op.rename_table("notes", "notes_0001")
    op.create_table(
        "notes",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String, nullable=False, index=True),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    columns = ", ".join(_COLUMNS)
    op.execute(f"INSERT INTO notes ({columns}) SELECT {columns} FROM notes_0001")  # noqa: S608  our own names
    op.drop_table("notes_0001")
