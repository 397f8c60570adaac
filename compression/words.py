"""Checks of the words and figures that a user writes into a recipe, and the complaints about them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .errors import RecipeError


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return the second sentence of a complaint: the nearest match if there is one, and all that is allowed."""
    names = list(allowed)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return f"{hint} Allowed: {', '.join(names) if names else 'none'}."


def require_choice(kind: str, key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise RecipeError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise RecipeError(f"`{key}` of `{kind}` is `{value}`.{nearest(value, allowed)}")


def require_names(kind: str, exclude: tuple[str, ...]) -> None:
    """Raise RecipeError for an empty name among the excluded layers."""
    if any(not name for name in exclude):
        raise RecipeError(f"`exclude` of `{kind}` holds an empty name.")


def require_least(kind: str, key: str, value: int, least: int) -> None:
    """Raise RecipeError for a whole number below `least`."""
    if value < least:
        raise RecipeError(f"`{key}` of `{kind}` is {value}; it must be {least} or more.")


def require_share(kind: str, key: str, value: float) -> None:
    """Raise RecipeError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise RecipeError(f"`{key}` of `{kind}` is {value:g}; it must lie between 0 and 1.")


def require_positive(kind: str, key: str, value: float) -> None:
    """Raise RecipeError unless 0 < value < infinity."""
    if not 0 < value < float("inf"):
        raise RecipeError(f"`{key}` of `{kind}` is {value:g}; it must be a number above 0.")
