"""Results of a journal are looked at before they are stored: a damaged one is told, never a crash."""

from __future__ import annotations

from typing import Any

import pytest
from hilbench.harness.collect import damage_of

TRIAL = {"event": "trial", "cell": "a", "kind": "count", "block": 0, "attempt": 1, "position": 0, "started_at": "t"}


def test_whole_results_have_no_damage() -> None:
    for event in (TRIAL, {"event": "check", "cell": "a", "golden": {}}):
        assert damage_of(event, {"a"}) is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({**TRIAL, "cell": "b"}, "a result names the cell 'b', which the job does not have"),
        ({"event": "trial"}, "a result names the cell None, which the job does not have"),
        ({"event": "trial", "cell": "a", "kind": "count"}, "a trial of a has no block, attempt, position, started_at"),
        ({"event": "failed", "cell": "a"}, "a failed of a has no outcome, reason"),
    ],
)
def test_what_no_agent_writes_is_told(event: dict[str, Any], words: str) -> None:
    assert damage_of(event, {"a"}) == words
