"""From pydantic's errors to the lines of `problems`: keys and text of each."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from openstack_rollout.declared.hooks import MOMENTS
from openstack_rollout.declared.problems import (
    Path,
    Wrong,
    not_a,
    not_a_key,
    not_a_string,
    plain,
    shown,
    suggestion,
)
from openstack_rollout.vocabulary import ROLES, STAGES

_OF_A_KEY = "[key]"  # what pydantic ends the place of a mapping's key with
_NOUNS = {STAGES: "stage", MOMENTS: "moment"}
_WORD = re.compile(r"'([^']*)'")
_TEXTS: dict[str, Callable[[Any], str]] = {
    "string_type": not_a_string,
    "string_unicode": lambda value: f"{shown(value)} is no text",
    "bool_type": lambda value: not_a("true or false", value),
    "list_type": lambda value: not_a("a list", value),
    "dict_type": lambda value: not_a("a mapping", value),
    "model_type": lambda value: not_a("a mapping", value),
    "missing": lambda value: "is missing",
}


def problems(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    """Every problem: the keys below the validated value, and the text.

    model: what was validated, for the names of the keys that it knows.
    """
    for one in error.errors(include_url=False):
        place: Path = one["loc"]
        found = one.get("ctx", {}).get("error")
        if one["type"] == "value_error" and isinstance(found, Wrong):
            start = (*place[:-2], one["input"]) if place[-1:] == (_OF_A_KEY,) else place
            yield from (((*start, *more), text) for more, text in found.lines)
        elif one["type"] == "invalid_key":
            yield (*place[:-1], one["input"]), not_a_key(one["input"])
        elif place[-1:] == (_OF_A_KEY,):
            yield (*place[:-2], one["input"]), _of_key(one)
        elif one["type"] == "extra_forbidden":
            yield place, _unknown(place, model)
        else:
            yield place, _of_value(one)


def _of_key(error: Mapping[str, Any]) -> str:
    key = error["input"]
    if not isinstance(key, str) or error["type"] != "literal_error":
        return not_a_key(key)
    words = tuple(_WORD.findall(error["ctx"]["expected"]))
    return f"unknown {_NOUNS.get(words, 'key')}{suggestion(key, words)}"


def _of_value(error: Mapping[str, Any]) -> str:
    value = error["input"]
    if error["type"] == "literal_error":
        words = _WORD.findall(error["ctx"]["expected"])
        return f"{shown(value)} is not one of {', '.join(words)}{suggestion(value, words)}"
    text = _TEXTS.get(error["type"])
    return text(value) if text else plain(f"{shown(value)}: {error['msg']}")


def _unknown(place: Path, model: type[BaseModel]) -> str:
    known = _keys_at(tuple(type(part) is int or part for part in place[:-1]), model)
    what = "role" if known == ROLES else "key"
    return f"unknown {what}{suggestion(place[-1], known)}"


@cache
def _keys_at(place: Path, model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of the mapping at a place."""
    found: Any = model
    for part in place:
        found = _below(found, part)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return ()
    return tuple(field.alias or name for name, field in found.model_fields.items())


def _below(annotation: Any, part: Any) -> Any:
    """The type of what is below a key, or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(part) if isinstance(part, str) else None
        return _bare(field.annotation) if field else None
    return _bare(get_args(annotation)[-1]) if get_origin(annotation) in (dict, list) else None


def _bare(annotation: Any) -> Any:
    """A type without what is annotated to it, and without None."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((_bare(one) for one in get_args(annotation) if one is not types.NoneType), None)
    return annotation
