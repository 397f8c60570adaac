"""The places in a command that stands for a runtime, checked where it is written: a wrong one fails on the board."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .agent.job import COMMAND_PLACES


def check_places(words: Sequence[str]) -> None:
    """Raises ValueError for a place that does not exist, with those that do."""
    for place in re.findall(r"\{([a-z_]+)\}", " ".join(words)):
        if place not in COMMAND_PLACES:
            allowed = ", ".join(f"{{{one}}}" for one in COMMAND_PLACES)
            raise ValueError(f'"{{{place}}}" stands for nothing in a command. Allowed: {allowed}')
