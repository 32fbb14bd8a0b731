"""What all parts of the model have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


def without_nulls(value: Any) -> Any:
    """A mapping without the keys that are null; anything else as it is."""
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if one is not None}
    return value


class Strict(BaseModel):
    """A mapping of the pillar: known keys alone, no type turned into another; a null is the default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return without_nulls(value)
