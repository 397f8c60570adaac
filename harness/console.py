"""What every verb shares: `--json`, sentences instead of tracebacks, exit codes.

Results go to stdout, progress and errors to stderr. With `--json` stdout carries exactly one JSON object.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import click

from ..compression.errors import CompressionError, ModelError, RecipeError
from ..reports.errors import ReportError
from ..targets.errors import InventoryError, TargetError
from .errors import HarnessError

SCHEMA_VERSION = 1


def verb(function: Callable[..., int | None]) -> Callable[..., None]:
    """Make a function a verb: adds `--json`, turns the packages' errors into one sentence and an exit code."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else on stderr.")
    @functools.wraps(function)
    def wrapped(*, as_json: bool, **arguments: Any) -> None:
        try:
            code = function(as_json=as_json, **arguments) or 0
        except (KeyboardInterrupt, click.Abort):  # the latter: Ctrl-C or Ctrl-D at a question
            _fail("interrupted", 130, as_json=as_json)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except (HarnessError, TargetError, CompressionError, ReportError) as error:
            _fail(str(error), exit_code(error), as_json=as_json)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            _fail(_no_room(error) if full else mistake_sentence(error), 1, as_json=as_json)
        except Exception as error:  # noqa: BLE001  the last boundary before the user: a mistake of ours, kept in a file
            _fail(mistake_sentence(error), 1, as_json=as_json)
        raise SystemExit(code)

    return wrapped


def exit_code(error: Exception) -> int:
    """The exit code of an error, by what the user does about it."""
    if isinstance(error, HarnessError):
        return error.exit_code
    if isinstance(error, InventoryError | ModelError | RecipeError):
        return 2
    return 4 if isinstance(error, TargetError) else 1


def _no_room(error: OSError) -> str:
    where = f" for {error.filename}" if error.filename else ""
    return f"this machine has no room left{where}: {error.strerror}; make room, then the same command goes on"


def mistake_sentence(error: Exception) -> str:
    """One sentence for an error that nobody foresaw; the traceback goes to a file that can be sent to us."""
    with tempfile.NamedTemporaryFile("w", prefix="hilbench-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    what = f"{type(error).__name__}: {error}"
    return f"this is a mistake in hilbench ({what}); what was measured is kept. Details: {file.name}"


def _fail(message: str, code: int, *, as_json: bool) -> NoReturn:
    if as_json:
        emit({"error": {"message": message, "exit_code": code}})
    for line in message.splitlines():
        click.echo(f"hilbench: {line}", err=True)
    raise SystemExit(code)


def emit(data: Mapping[str, Any]) -> None:
    """Print the one JSON object of a verb."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **data}, indent=2, ensure_ascii=False))


def table(rows: list[list[str]], header: list[str]) -> str:
    """Rows as aligned plain text."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    return "\n".join(line.rstrip() for line in lines)
