"""Find the newest note of a kind about a subject, such as a board's, without reading all runs.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_notes_kind_subject", "notes", ["kind", "subject", "seq"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_notes_kind_subject", "notes")
