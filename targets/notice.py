"""Whom to tell of what: `notify:` of the inventory as data, and `${NAME}` in it, which the environment fills. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .errors import TargetError
from .program import check_words

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Occasion(StrEnum):
    """When somebody is told: a run has ended, it ended badly, a board was put into quarantine."""

    END = "end"
    FAILURE = "failure"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One entry of `notify:`, with either a command's words or a webhook's address. As written, unfilled.

    Both may hold a token: neither shows in the text form of this value.
    """

    occasions: tuple[Occasion, ...]
    command: tuple[str, ...] = field(default=(), repr=False)
    webhook: str | None = field(default=None, repr=False)


def check_text(text: str) -> str:
    """A text with `${NAME}` places. Raises ValueError where a place names no variable."""
    for name in _VARIABLE.findall(text):
        if _NAME.fullmatch(name) is None:
            raise ValueError("`${…}` must hold the name of an environment variable, such as ${LAB_TOKEN}")
    return text


def check_command(text: str) -> str:
    """A command as written. Raises ValueError, never with the text itself, where it cannot be split into words."""
    check_text(text)
    check_words(text)
    return text


def check_webhook(text: str) -> str:
    """An address as written. Raises ValueError, never with the text itself, where it is no web address."""
    if not check_text(text).startswith(("https://", "http://", "${")):
        raise ValueError("it must be an address that begins with https:// or http:// (or a ${NAME} that holds one)")
    return text


def filled(text: str, environment: Mapping[str, str]) -> str:
    """The text with its variables. Raises TargetError, which names the variable, where one is not set."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in environment:
            raise TargetError(f"the environment variable {name} is not set")
        return environment[name]

    return _VARIABLE.sub(value, text)


def secrets_of(text: str, environment: Mapping[str, str]) -> list[str]:
    """What the environment put into a text: to be kept out of messages."""
    return [environment[name] for name in _VARIABLE.findall(text) if environment.get(name)]
