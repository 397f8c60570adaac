"""Forms and words in addresses: read with limits, and taken only in the shape that they can have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from ..errors import HarnessError, NoSuchRunError, PlanError
from ..store import RunRow, Store

MOST_FIELDS = 500
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_FORM = "application/x-www-form-urlencoded"


class NotFoundError(HarnessError):
    """There is no such page, board or task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a form sent, field by field."""

    pairs: Sequence[tuple[str, str]] = ()

    def text(self, name: str) -> str:
        """The last value of a field without the blanks around it; empty where it was not sent."""
        return next((value.strip() for key, value in reversed(self.pairs) if key == name), "")

    def exact(self, name: str) -> str:
        """As `text`, with its blanks, and with the line ends that files have."""
        return next((value.replace("\r\n", "\n") for key, value in reversed(self.pairs) if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """All values of a field that are not empty."""
        return tuple(value.strip() for key, value in self.pairs if key == name and value.strip())

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.text(name))


async def form_of(request: Request) -> Form:
    """The form of a request, whose size the guard has limited. Raises PlanError where it is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise PlanError("a form is expected here, sent as " + _FORM)
    try:
        body = (await request.body()).decode("utf-8")
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise PlanError(f"the form is not readable: at most {MOST_FIELDS} fields of UTF-8 text are allowed") from error
    return Form(pairs=pairs)


def run_of(store: Store, run_id: str) -> RunRow:
    """The run of exactly this id. Raises NoSuchRunError for anything else, without asking the store for nonsense."""
    if _RUN_ID.fullmatch(run_id) is None:
        raise NoSuchRunError("there is no such run")
    found = store.run(run_id)
    if found.run_id != run_id:
        raise NoSuchRunError("there is no such run")
    return found
