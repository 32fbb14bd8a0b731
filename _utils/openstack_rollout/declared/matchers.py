"""Matchers of alerts as Alertmanager writes them: alertname="HostDown", severity=~"critical|page"."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator, WithJsonSchema

from openstack_rollout.declared.problems import Path, Wrong, not_a, not_a_string, raise_all, shown

_FORM = re.compile(
    r'\s*(?P<label>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<operator>=~|!~|!=|=)\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r'|(?P<plain>[^"{}\s,][^"\s,]*))\s*'
)
_HELP = 'give LABEL="VALUE", or one with !=, =~ or !~ in place of =, such as severity=~"critical|page"'
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}
_MOST, _LONGEST = 50, 2000


class Matcher(NamedTuple):
    """A label, one of = != =~ !~, and what all of its value is compared with, which may be a pattern."""

    label: str
    operator: str
    value: str

    @property
    def text(self) -> str:
        """As Alertmanager reads it."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{value}"'


def read(text: str) -> Matcher:
    """A matcher. Raises Wrong."""
    if len(text) > _LONGEST or not text.isprintable() or not (found := _FORM.fullmatch(text)):
        raise Wrong(f"{shown(text)} is no matcher of alerts: {_HELP}")
    quoted, plain = found["quoted"], found["plain"]
    if quoted is None:
        return Matcher(found["label"], found["operator"], plain)
    # As Alertmanager does: what is no escape of its own stays as it is, such as \. in a pattern.
    value = re.sub(r"\\(.)", lambda one: _ESCAPED.get(one[1], one[0]), quoted)
    return Matcher(found["label"], found["operator"], value)


def _matchers(value: Any) -> tuple[Matcher, ...]:
    if not isinstance(value, list):
        raise Wrong(not_a("a list of matchers", value))
    if not value:
        raise Wrong(f"is empty, which would mean every alert: {_HELP}")
    if len(value) > _MOST:
        raise Wrong(f"has {len(value)} matchers, {_MOST} are allowed")
    lines: list[tuple[Path, str]] = []
    found = []
    for number, one in enumerate(value):
        try:
            if not isinstance(one, str):
                raise Wrong(not_a_string(one))
            found.append(read(one))
        except Wrong as error:
            lines.append(((number,), str(error)))
    raise_all(lines)
    if not any(one.operator in ("=", "=~") and one.value for one in found):
        raise Wrong("every one of them is right for what is absent, too: give one with = or =~ and a value")
    return tuple(found)


Matchers = Annotated[
    tuple[Matcher, ...],
    PlainValidator(_matchers),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": _MOST}),
]
