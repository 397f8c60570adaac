"""A card as a page for people, `MODEL_CARD.md`. It shows what `card.json` holds, rounded; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...reports.joules import joules
from ...reports.units import duration, file_size, instruction_count, memory, percent, percent_span, points
from ..search.words import NOT_MEASURED, amount

_Card = Mapping[str, Any]


def card_text(card: _Card) -> str:
    """The whole page, in Markdown. The same card gives the same bytes."""
    parts = [_head(card), _figures(card), _budget(card), _done(card), _data(card), _gaps(card), _origin(card)]
    return "\n\n".join("\n".join(part) for part in (list(lines) for lines in parts) if part) + "\n"


def _head(card: _Card) -> Iterator[str]:
    artifact, runtime, cell = card["artifact"], card["runtime"], card["cell"]
    yield f"# {_plain(card['model']['name'])} on {_plain(card['board'])}"
    yield ""
    emulated = " The board is emulated: it counts instructions and says nothing of time." if cell["emulated"] else ""
    yield f"`{artifact['file']}`, {file_size(artifact['bytes'])}, made by `{card['recipe']['name']}`.{emulated}"
    yield ""
    yield f"- sha256: `{artifact['sha256']}`"
    version = "" if runtime["version"] is None else f" {runtime['version']}"
    yield f"- Runs with: {runtime['name']}{version}, settings in `settings.yaml` ({_plain(runtime['from'])})"
    yield f"- Licence: {_plain(card['licence'])}"


def _figures(card: _Card) -> Iterator[str]:
    yield "## Measured"
    yield ""
    yield "| figure | this file | 95 % interval | baseline |"
    yield "| --- | --- | --- | --- |"
    base: _Card = card["baseline"] or {}
    counted = card["cell"]["emulated"]
    for name, show in _ROWS:
        if counted and show in _TIMED:
            continue  # an emulated board has none, and the head of the card says so
        value, interval = show(card["cell"])
        label = _COUNT if counted and show is _work_row else name
        yield f"| {label} | {value} | {interval} | {show(base)[0] if base else NOT_MEASURED} |"
    drop = card["accuracy_drop"]
    if drop is not None and card["baseline"] is not None:
        span = "" if drop["ci_low"] is None else f"{points(drop['ci_low'])} to {points(drop['ci_high'])}"
        yield f"| accuracy lost against the baseline | {points(drop['value'])} | {span} | |"
    verdict = card["cell"]["verdict"]
    if verdict is not None:
        yield ""
        yield _verdict(verdict, str((card["baseline"] or {}).get("recipe", "the baseline")))
    yield ""
    yield card["selection"]


def _verdict(verdict: Mapping[str, Any], baseline: str) -> str:
    ratio = verdict["ratio"]
    if ratio is None:
        return f"Against {baseline}: {verdict['word']}."
    span = "" if verdict["ci_low"] is None else f" ({verdict['ci_low']:.3f} to {verdict['ci_high']:.3f})"
    what = "instructions" if verdict["metric"] == "instructions" else "time"
    return f"Against {baseline}: {verdict['word']}, {ratio:.3f} times its {what}{span}."


def _budget(card: _Card) -> Iterator[str]:
    yield "## Budget"
    yield ""
    yield "| limit | measured | kept |"
    yield "| --- | --- | --- |"
    for line in card["budget"]:
        doubt = ", but its interval reaches beyond" if line["kept"] and line["interval_keeps_it"] is False else ""
        kept = "not measured" if line["kept"] is None else ("yes" if line["kept"] else "no") + doubt
        yield f"| {_plain(line['limit'])} | {amount(line['metric'], line['value'])} | {kept} |"


def _done(card: _Card) -> Iterator[str]:
    yield "## What was done"
    yield ""
    model, search = card["model"], card["search"]
    yield f"From `{_plain(model['file'])}` (sha256 `{model['sha256']}`):"
    yield ""
    for number, step in enumerate(card["recipe"]["steps"], start=1):
        given = {key: value for key, value in step.items() if key != "kind"}
        parameters = ", ".join(f"{key} {json.dumps(value)}" for key, value in given.items())
        yield f"{number}. `{step['kind']}`" + (f": {parameters}" if parameters else "")
    if not card["recipe"]["steps"]:
        yield "The model as it was: no candidate that keeps the budget does better."
    yield ""
    compared = ", ".join(f"`{name}`" for name in card["confirmation"]["compared"])
    yield (
        f"The search `{search['id']}` looked at {search['candidates']} candidates, of which this board measured "
        f"{search['measured']}; confirmed were {compared}."
    )
    if search["same_file"] is False:
        yield ""
        yield "The confirmation made another file than the search did; the figures are those of the file here."
    notes = card["artifact"]["notes"]
    if notes:
        yield ""
        yield from (f"- {_plain(note)}" for note in notes)


def _data(card: _Card) -> Iterator[str]:
    data = card["data"]
    yield "## Data"
    yield ""
    dealt = f"dealt out by class and content with the seed {data['seed']}; no image is in two parts"
    yield f"`{_plain(data['name'])}`, {dealt}."
    yield ""
    yield "| part | images | each class | sha256 |"
    yield "| --- | --- | --- | --- |"
    for name, part in data["parts"].items():
        yield f"| {name} | {part['samples']} | {_spread(part['samples_by_class'])} | `{part['sha256']}` |"
    out = [f"{data[key]} {word}" for key, word in _LEFT_OUT.items() if data[key]]
    if out:
        yield ""
        yield f"Left out: {' and '.join(out)}."


def _gaps(card: _Card) -> Iterator[str]:
    if card["not_measured"]:
        yield "## Not measured"
        yield ""
        yield from (f"- {_plain(line)}" for line in card["not_measured"])


def _origin(card: _Card) -> Iterator[str]:
    confirmation = card["confirmation"]
    yield "## Where this comes from"
    yield ""
    protocol = confirmation["protocol"]
    yield f"- Confirmation: run `{confirmation['run']}`, protocol {protocol}; `report.html` is its report"
    yield f"- Measured: {confirmation['started_at']} to {confirmation['ended_at']}, hilbench {confirmation['hilbench']}"
    yield f"- Command: `{_plain(card['command'])}`"
    yield "- All figures with all digits: `card.json`"


def _work_row(cell: _Card) -> tuple[str, str]:
    time, count = cell["latency_ns"], cell["instructions"]
    if count is not None:
        return f"{instruction_count(count['median']).text}", ""
    if time is None:
        return NOT_MEASURED, ""
    shown = duration(time["median"], time["ci_low"], time["ci_high"])
    return shown.text, shown.interval or ""


def _p95_row(cell: _Card) -> tuple[str, str]:
    time = cell["latency_ns"]
    return (NOT_MEASURED if time is None or time["p95"] is None else duration(time["p95"]).text), ""


def _accuracy_row(cell: _Card) -> tuple[str, str]:
    accuracy = cell["accuracy"]
    if accuracy is None or accuracy["host"] is None:
        return NOT_MEASURED, ""
    low, high = accuracy["host_ci_low"], accuracy["host_ci_high"]
    return percent(accuracy["host"], 2), "" if low is None else percent_span(low, high, 2)


def _agreement_row(cell: _Card) -> tuple[str, str]:
    accuracy = cell["accuracy"]
    if accuracy is None or accuracy["agreement"] is None:
        return NOT_MEASURED, ""
    return f"{percent(accuracy['agreement'], 1)} of {accuracy['board_samples']}", ""


def _memory_row(cell: _Card) -> tuple[str, str]:
    phases: Mapping[str, Any] = cell["memory_bytes"] or {}
    peaks = [phases.get(key) for key in ("load_peak", "first_peak", "steady_peak")]
    return memory(max((peak for peak in peaks if peak is not None), default=None)), ""


def _energy_row(cell: _Card) -> tuple[str, str]:
    energy = cell["energy_j"]
    return (NOT_MEASURED if energy is None else joules(energy["total"], energy["uncertainty"])), ""


def _size_row(cell: _Card) -> tuple[str, str]:
    artifact = cell["artifact"]
    return file_size(None if artifact is None else artifact["bytes"]), ""


_ROWS = (
    ("time of one inference, median", _work_row),
    ("time, p95", _p95_row),
    ("accuracy", _accuracy_row),
    ("answers equal to this machine's", _agreement_row),
    ("peak of memory", _memory_row),
    ("energy of one inference", _energy_row),
    ("file", _size_row),
)
_TIMED = (_p95_row, _energy_row)
_COUNT = "instructions of one inference"
_LEFT_OUT = {"repeated": "copies of other images", "contradictory": "images that stand there with two labels"}


def _spread(by_class: Mapping[str, int]) -> str:
    least, most = min(by_class.values()), max(by_class.values())
    return str(least) if least == most else f"{least} to {most}"


def _plain(text: Any) -> str:
    """A name in one line that cannot end a table or begin a tag."""
    line = " ".join(str(text).split())
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", line.replace("|", "\\|").replace("`", "'"))
