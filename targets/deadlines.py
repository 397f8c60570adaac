"""How long the controller waits for a board: the settings of the environment, each with its usual value."""

from __future__ import annotations

import math
import os

from .agent.job import PROCESS_TIMEOUT_S
from .errors import TargetError

PROCESS_SETTING = "HILBENCH_PROCESS_TIMEOUT_S"
RECONNECT_SETTING = "HILBENCH_RECONNECT_S"
CONNECT_SETTING = "HILBENCH_CONNECT_TIMEOUT_S"
ROOT_SETTING = "HILBENCH_BOARD_ROOT"
USUAL_RECONNECT_S = 180.0
USUAL_CONNECT_S = 30.0


def process_timeout_s() -> float:
    """How long one process may take on a board. Raises TargetError where the setting is no number, as all here do."""
    return setting_s(PROCESS_SETTING, PROCESS_TIMEOUT_S, least=1.0)


def reconnect_s() -> float:
    """How long a lost connection is tried again while a board measures."""
    return setting_s(RECONNECT_SETTING, USUAL_RECONNECT_S, least=0.0)


def connect_timeout_s() -> float:
    """How long one connecting may take, with the greeting and the login."""
    return setting_s(CONNECT_SETTING, USUAL_CONNECT_S, least=1.0)


def state_root() -> str:
    """The folder that stands for `/` where a board's state and frequency are read and set: a board can be rehearsed."""
    return os.environ.get(ROOT_SETTING) or "/"


def setting_s(name: str, usual_s: float, *, least: float) -> float:
    """A number of seconds from the environment, or the usual one. Raises TargetError where it is no such number."""
    text = os.environ.get(name)
    if not text:
        return usual_s
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise TargetError(f'{name} is "{text}"; it must be a number of seconds, at least {least:g}')
    return value
