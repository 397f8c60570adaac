"""What all pydantic models of this project share: an unknown key is an error, and what was read does not change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A mapping that a user writes: every key is known, or the file is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
