"""What can go wrong when records are turned into figures and pages."""

from __future__ import annotations


class ReportError(Exception):
    """Root of this package: the report or export cannot be made; the records are untouched."""
