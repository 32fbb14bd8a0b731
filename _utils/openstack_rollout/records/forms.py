"""The forms of what the journal keeps beside records of a version of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from openstack_rollout.records.planned import Plan


@dataclass
class Request:
    """What an operator asked of a run, and when."""

    action: Literal["pause", "abort"]
    at: float


@dataclass
class Answer:
    """What an operator answered, by its key, and when."""

    key: str
    at: float


@dataclass
class TrackedImages:
    """The custom images that an update to a version had."""

    version: str
    custom_images: dict[str, str | dict[str, str]]


@dataclass
class Tags:
    """What tags of custom images were when a run began: reference → digest."""

    digests: dict[str, str]


REQUEST, TRACKED, ANSWER = TypeAdapter(Request), TypeAdapter(TrackedImages), TypeAdapter(Answer)
TAGS = TypeAdapter(Tags)
PLANNED = TypeAdapter(Plan)
CURRENT = TypeAdapter(Annotated[str, Field(min_length=1)])
#: What steps took: their name → seconds, the latest last.
Took = dict[str, list[Annotated[float, Field(ge=0, allow_inf_nan=False)]]]
TOOK = TypeAdapter(Took)
TOOK_BY_NODE = TypeAdapter(dict[str, Took])
