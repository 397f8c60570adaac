"""A run as JUnit XML, which continuous integration reads: one suite a board, one test case a cell; pure.

A cell that could not be measured is an error, one that a gate or the budget refuses is a failure, one that cannot exist
on its board is skipped. There is no `time`: the figures of a cell are its output, not the duration of a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from .pick import checks
from .record import Outcome, RunRecord
from .sentences import misses_text
from .summary import CellSummary, RunSummary, summarize
from .units import file_size, memory, percent
from .verdict import Verdict
from .wording import verdict_text, work_text

# What XML 1.0 cannot hold, however it is written: https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED = {"error": "errors", "failure": "failures", "skipped": "skipped"}


def export_junit(run: RunRecord) -> str:
    """The run as a JUnit XML document."""
    summary = summarize(run)
    root = ET.Element("testsuites", _attributes(name=run.plan_name, id=run.run_id))
    for board in summary.boards:
        cells = summary.on_board(board)
        if cells:
            root.append(_suite(board, cells, summary))
    for count in ("tests", *_COUNTED.values()):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(board: str, cells: Iterable[CellSummary], summary: RunSummary) -> ET.Element:
    run = summary.run
    cases = [_case(cell, summary) for cell in cells]
    found = [child.tag for case in cases for child in case]
    counts = {count: str(found.count(tag)) for tag, count in _COUNTED.items()}
    named = _attributes(name=board, hostname=board, timestamp=run.started_at.removesuffix("Z"))
    suite = ET.Element("testsuite", {**named, "tests": str(len(cases)), **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("run", run.run_id), ("plan", run.plan_name), ("state", run.state), ("protocol", run.protocol)):
        ET.SubElement(properties, "property", _attributes(name=name, value=value))
    suite.extend(cases)
    return suite


def _case(cell: CellSummary, summary: RunSummary) -> ET.Element:
    record = cell.record
    name = record.cell_id.removeprefix(f"{record.board}/")
    case = ET.Element("testcase", _attributes(classname=f"{summary.run.plan_name}.{record.board}", name=name))
    if (found := _problem(cell, summary)) is not None:
        tag, kind, sentence = found
        ET.SubElement(case, tag, _attributes(type=kind, message=sentence)).text = _text(sentence)
    if lines := list(_figures(cell)):
        ET.SubElement(case, "system-out").text = _text("\n".join(lines))
    return case


def _problem(cell: CellSummary, summary: RunSummary) -> tuple[str, str, str] | None:
    """(element, type, sentence) of a cell that did not pass."""
    outcome, reason = cell.record.outcome, cell.record.reason or f"the outcome is {cell.record.outcome}"
    if outcome is Outcome.UNSUPPORTED:
        return "skipped", outcome.value, reason
    if outcome in (Outcome.ERROR, Outcome.TIMEOUT):
        return "error", outcome.value, reason
    if outcome is Outcome.INVALID:
        return "failure", outcome.value, reason
    missed = [check for check in checks(cell, summary.run.budget) if not check.met]
    return ("failure", "budget", f"over the budget: {misses_text(missed)}") if missed else None


def _figures(cell: CellSummary) -> Iterable[str]:
    peak = None if cell.memory is None else cell.memory.peak_bytes
    if cell.work is not None:
        yield f"{'instructions' if cell.record.emulated else 'latency'}: {work_text(cell)}"
    if cell.fraction is not None:
        yield f"accuracy: {percent(cell.fraction, 2)}"
    if peak is not None:
        yield f"peak memory: {memory(peak)}"
    if cell.record.artifact is not None:
        yield f"file: {file_size(cell.record.artifact.bytes)}"
    if isinstance(cell.verdict, Verdict):
        yield f"verdict: {verdict_text(cell.verdict, cell.baseline_recipe)}"


def _attributes(**values: str) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: str) -> str:
    """What XML can hold of a text; the rest stays visible as a code such as `\\x1b`."""
    return _NOT_XML.sub(lambda match: match[0].encode("unicode_escape", "backslashreplace").decode(), value)
