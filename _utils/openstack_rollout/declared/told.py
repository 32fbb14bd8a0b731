"""Reading what nodes tell: an answer is a record of known form, or a refusal that names its node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from openstack_rollout.declared.problems import path, shown
from openstack_rollout.errors import RolloutError

LARGEST = 2_000_000  # characters of JSON
_SHOWN = 3  # problems that a message names
_LONGEST_PATH = 100

Text = Annotated[str, StringConstraints(max_length=4096)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Lines = Annotated[list[Text], Field(max_length=2000)]
Names = Annotated[list[Name], Field(max_length=20000)]


class Told(BaseModel):
    """A part of what a node tells: known keys alone, no type turned into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Answer = TypeVar("_Answer", bound=Told)


def read(node: str, answer: Any, form: type[_Answer], schema: int, what: str) -> _Answer:
    """The record in a node's answer.

    node (str): the minion whose answer it is. form: what it has to be; it has a field `id`. schema (int): the
    number of that form, which the answer names as well. what (str): of the message, e.g. "its facts are".

    Raises RolloutError FACTS_INVALID that says what is wrong.
    """
    if not isinstance(answer, Mapping):
        raise invalid(node, what, f"no mapping, but {type(answer).__name__}")
    if answer.get("schema") != schema:
        raise invalid(node, what, f"schema {shown(answer.get('schema'), 40)}, this master's is {schema}")
    try:
        size = len(json.dumps(answer))
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid(node, what, f"no plain data: {shown(str(error))}") from error
    if size > LARGEST:
        raise invalid(node, what, f"{size} characters, {LARGEST} are the most")
    try:
        found = form.model_validate(answer)
    except ValidationError as error:
        lines = [f"{path(one['loc'])[:_LONGEST_PATH]}: {one['msg']}" for one in error.errors()[:_SHOWN]]
        more = error.error_count() - len(lines)
        raise invalid(node, what, "; ".join(lines) + (f" (and {more} more)" if more > 0 else "")) from error
    own = getattr(found, "id", node)
    if own != node:
        raise invalid(node, what, f"they are those of {shown(own)}")
    return found


def invalid(node: str, what: str, text: str) -> RolloutError:
    """The refusal of an answer. what: as for `read`. text: what is wrong with it."""
    return RolloutError("FACTS_INVALID", f"{node}: {what} not what a node tells: {text}", [node])
