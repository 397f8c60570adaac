"""Brings `reports/locale/zh/LC_MESSAGES/hilbench.po` up to date with the sentences that stand in the sources.

New sentences are added without a translation, those that are gone are taken out, translations stay. Run it after a
sentence of a page was changed, then translate what is empty: `python scripts/update_messages.py`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polib
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "reports/locale/zh/LC_MESSAGES/hilbench.po"
COUNTED = "counted"
PLACEHOLDER = re.compile(r"\{(\w+)\}")
HEADER = {
    "Project-Id-Version": "hilbench",
    "Language": "zh_Hans",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A sentence in a source. `filled` are the placeholders that are filled in where it stands; None = elsewhere."""

    text: str
    context: str | None
    file: str
    line: int
    filled: frozenset[str] | None = None


def messages(folder: Path = ROOT / "reports") -> Iterator[Message]:
    """Every message of the package, file by file. Raises ValueError where one cannot be looked up."""
    for path in sorted(folder.rglob("*.py")):
        yield from of_python(path.read_text(encoding="utf-8"), path.relative_to(folder.parent).as_posix())
    for path in sorted(folder.rglob("*.html.j2")):
        yield from of_template(path.read_text(encoding="utf-8"), path.relative_to(folder.parent).as_posix())


def of_python(source: str, file: str) -> Iterator[Message]:
    """Of `tr("...")`, `mark("...")` and `plural(count, "...")`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        match node.func.id, node.args:
            case "tr", [ast.Constant(value=str(text))]:
                filled = None if any(k.arg is None for k in node.keywords) else {str(k.arg) for k in node.keywords}
                known = None if filled is None else frozenset(filled)
                yield Message(text=text, context=None, file=file, line=node.lineno, filled=known)
            case "mark", [ast.Constant(value=str(text))]:
                yield Message(text=text, context=None, file=file, line=node.lineno)
            case "plural", [_, ast.Constant(value=str(text))]:
                yield Message(text=text, context=COUNTED, file=file, line=node.lineno)
            case (("tr" | "mark" | "plural"), [*_, ast.JoinedStr() | ast.BinOp()]):
                raise ValueError(f"{file}:{node.lineno}: a message is put together, so no catalogue can have it")
            case _:
                pass


def of_template(source: str, file: str) -> Iterator[Message]:
    """Of `_("...")`."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    for call in environment.parse(source).find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name != "_":
            continue
        match call.args:
            case [nodes.Const(value=str(text))]:
                filled = frozenset(keyword.key for keyword in call.kwargs)
                yield Message(text=text, context=None, file=file, line=call.lineno, filled=filled)
            case _:
                raise ValueError(f"{file}:{call.lineno}: a message is put together, so no catalogue can have it")


def placeholders(text: str) -> set[str]:
    """The names in braces of a message."""
    return set(PLACEHOLDER.findall(text))


def updated(known: polib.POFile) -> polib.POFile:
    """The catalogue of the messages as they are now, with the translations that are known."""
    translations = {(entry.msgctxt or None, entry.msgid): entry.msgstr for entry in known}
    files: dict[tuple[str | None, str], list[str]] = {}
    for message in messages():
        where = files.setdefault((message.context, message.text), [])
        if message.file not in where:
            where.append(message.file)
    catalogue = polib.POFile(wrapwidth=100)
    catalogue.metadata = HEADER
    catalogue.extend(
        polib.POEntry(
            msgctxt=context,
            msgid=text,
            msgstr=translations.get((context, text), ""),
            occurrences=[(file, "") for file in where],
        )
        for (context, text), where in files.items()
    )
    return catalogue


def main() -> int:
    """Write the catalogue; tell how many sentences have no translation."""
    catalogue = updated(polib.pofile(str(CATALOGUE)) if CATALOGUE.exists() else polib.POFile())
    CATALOGUE.write_text(str(catalogue), encoding="utf-8")
    missing = catalogue.untranslated_entries()
    sys.stdout.write(f"{len(catalogue)} messages, {len(missing)} without a translation\n")
    for entry in missing:
        sys.stdout.write(f"  {entry.msgid}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
