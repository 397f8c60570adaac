"""A pytest plugin with which a team gates a model in its own test suite: a marker and a fixture.

    @pytest.mark.hilbench(plan="plans/gate.yaml", board="pi5", budget={"accuracy_drop_pp": 0.5})
    def test_int8_ships(hilbench):
        cell = hilbench.cell("int8-static", "pi5")
        assert cell.verdict == "faster"
        assert cell.budget_met

Nothing else of hilbench is imported before a test asks for the fixture, so that other tests start as fast as before.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .gated import GatedRun

MARKER = (
    "hilbench(plan, board=None, budget=None): the plan whose run the fixture `hilbench` gives; board: instead of the "
    "plan's boards; budget: bounds instead of the plan's, with the keys of a plan's `budget`"
)
_RUNS = pytest.StashKey[dict[str, "GatedRun"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--hilbench-run`."""
    parser.getgroup("hilbench").addoption(
        "--hilbench-run",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: the newest finished run of the plan as it is now, else one is made; always: make one; never: fail.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)
    config.stash[_RUNS] = {}


@pytest.fixture
def hilbench(request: pytest.FixtureRequest) -> GatedRun:
    """The run of the plan that the marker `hilbench` names; it is made once in a session of pytest."""
    marker = request.node.get_closest_marker("hilbench")
    if marker is None or marker.args or not isinstance(marker.kwargs.get("plan"), str | Path):
        pytest.fail('the fixture needs the marker @pytest.mark.hilbench(plan="FILE", ...)', pytrace=False)
    unknown = sorted(marker.kwargs.keys() - {"plan", "board", "budget"})
    if unknown:
        pytest.fail(f"the marker hilbench knows plan, board and budget, not {', '.join(unknown)}", pytrace=False)
    return _gated(request, **marker.kwargs)


def _gated(request: pytest.FixtureRequest, plan: str | Path, board: str | None = None, budget: Any = None) -> GatedRun:
    """The run, from this session if it was used before. hilbench's own sentences fail the test, without a traceback."""
    from ..compression.errors import CompressionError
    from ..reports.errors import ReportError
    from ..targets.errors import TargetError
    from .errors import HarnessError
    from .gating import gated_run, plan_path, with_budget

    try:
        path = plan_path(str(plan), request.path.parent, request.config.rootpath)
        runs, key = request.config.stash[_RUNS], f"{path.resolve()}\n{board}"
        if key not in runs:
            runs[key] = gated_run(path, board=board, when=str(request.config.getoption("--hilbench-run")))
        return with_budget(runs[key], budget)
    except (HarnessError, TargetError, CompressionError, ReportError) as error:
        sentence = str(error)
    pytest.fail(f"hilbench: {sentence}", pytrace=False)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """A failed comparison of a verdict shows what it rests on."""
    gated = sys.modules.get("hilbench.harness.gated")
    if gated is None or not isinstance(left, gated.GatedVerdict):
        return None
    return [f"the verdict is {str(left)!r}, not {op} {right!r}", str(getattr(left, "sentence", ""))]
