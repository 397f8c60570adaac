"""What can go wrong when a model is read, compressed or judged, by what the caller does about it."""

from __future__ import annotations


class CompressionError(Exception):
    """Root of this package: this candidate cannot be made; the cell's outcome is `error`."""


class ModelError(CompressionError, ValueError):
    """The model file or the data is wrong: fix the file."""


class UnsupportedRecipeError(CompressionError):
    """The recipe makes no sense for this source or needs what is not installed: outcome `unsupported`."""


class RecipeError(CompressionError, ValueError):
    """The recipe is written wrongly: fix the plan."""
