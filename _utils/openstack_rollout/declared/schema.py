"""The pillar's JSON Schema and its reference page, both made from the model.

    python -m openstack_rollout.declared.schema schema > pillar/openstack/schema.json
    python -m openstack_rollout.declared.schema reference > docs/reference/pillar.md

Editors check the operator's page against the schema while it is written; what only all of the pillar together
can tell is not in it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openstack_rollout.declared.model import Model

_Schema = dict[str, Any]
_REF = "#/$defs/"
_HEAD = """# The pillar

Every key of `openstack`, as the master reads it. This page is made from the model
(`python -m openstack_rollout.declared.schema reference`); do not edit it.

An unknown key, a value of another type and a number out of its bounds are refused by name, with the nearest
right key (`salt-run release.check`). A null is the default.
"""


def json_schema() -> _Schema:
    """The JSON Schema of the pillar's top, with a description for every key."""
    model = Model.model_json_schema(mode="validation")
    definitions = model.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The pillar of openstack-rollout",
        "type": "object",
        "properties": {"openstack": _tidy(model)},
        "$defs": {name: _tidy(one) for name, one in definitions.items()},
    }


def reference() -> str:
    """The reference page of the pillar, in Markdown: a table a section."""
    schema = json_schema()
    parts = [_HEAD]
    for name, section in _sections(schema):
        parts.append(f"## `{name}`\n\n{section['description']}\n")
        parts.append("\n".join(_table(section, schema)) + "\n")
    return "\n".join(parts)


def _sections(schema: _Schema) -> Iterator[tuple[str, _Schema]]:
    """Each mapping with keys of its own, with the place where it is first found."""
    left = [("openstack", schema["properties"]["openstack"])]
    seen: set[str] = set()
    while left:
        name, section = left.pop(0)
        yield name, section
        for key, value in section["properties"].items():
            for place, ref in _refs(f"{name}:{key}", value):
                if ref not in seen:
                    seen.add(ref)
                    left.append((place, schema["$defs"][ref]))


def _refs(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """The definitions that a key leads to, and where they lie below it."""
    if not isinstance(value, Mapping):
        return
    if "$ref" in value:
        yield place, value["$ref"].removeprefix(_REF)
    for one in value.get("anyOf", ()):
        yield from _refs(place, one)
    yield from _refs(f"{place}:N", value.get("items"))
    yield from _refs(f"{place}:{_key_of(value)}", value.get("additionalProperties"))


def _key_of(value: Mapping[str, Any]) -> str:
    return "WORD" if "enum" in value.get("propertyNames", {}) else "NAME"


def _table(section: _Schema, schema: _Schema) -> list[str]:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", ())
    for key, value in section["properties"].items():
        default = "required" if key in required else _default(value)
        shared = schema["$defs"].get(value.get("$ref", "").removeprefix(_REF), {})
        meaning = value.get("description") or shared.get("description", "")
        rows.append(f"| `{key}` | {_type(value)} | {default} | {meaning} |")
    return rows


def _default(value: _Schema) -> str:
    found = value.get("default")
    if found is None or found == {} or "$ref" in value:
        return ""
    return f"`{json.dumps(found)}`"


def _type(value: Any) -> str:
    """The type of a value and its bounds, in a few words."""
    if not isinstance(value, Mapping):
        return "anything"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(one) for one in value["anyOf"] if one.get("type") != "null"))
    words = value.get("enum") or ([value["const"]] if "const" in value else None)
    if words:
        return ", ".join(f"`{word}`" for word in words)
    kind = "$ref" if "$ref" in value else str(value.get("type"))
    return _KINDS.get(kind, lambda value: "anything")(value)


def _mapping(value: Mapping[str, Any]) -> str:
    below = value.get("additionalProperties")
    return f"mapping to {_type(below)}" if isinstance(below, Mapping) else "mapping"


_KINDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "$ref": lambda value: "mapping of its own, below",
    "boolean": lambda value: "`true`, `false`",
    "number": lambda value: "number",
    "integer": lambda value: f"{value['minimum']} to {value['maximum']}",
    "string": lambda value: "string",
    "array": lambda value: f"list of {_type(value.get('items'))}",
    "object": _mapping,
}


def _tidy(value: Any) -> Any:
    """As people write it: no titles made of names, a description in one line, one rule for all keys."""
    if isinstance(value, list):
        return [_tidy(one) for one in value]
    if not isinstance(value, dict):
        return value
    found: _Schema = {}
    for key, part in value.items():
        if key in ("properties", "$defs"):
            found[key] = {name: _tidy(one) for name, one in part.items()}
        elif key == "patternProperties":
            ((pattern, below),) = part.items()
            found |= {"propertyNames": {"pattern": pattern}, "additionalProperties": _tidy(below)}
        elif key == "description":
            found[key] = " ".join(part.split())
        elif key != "title":
            found[key] = _tidy(part)
    return found


def text_of_schema() -> str:
    """The JSON Schema as its file has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


_TEXTS = {"schema": text_of_schema, "reference": reference}

if __name__ == "__main__":
    sys.stdout.write(_TEXTS[sys.argv[1] if sys.argv[1:] else "schema"]())
