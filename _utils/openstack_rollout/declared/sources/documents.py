"""The text of a source as data. Every scalar stays the text that it is: 18.0 is a version, and no number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from openstack_rollout.declared.problems import plain, shown
from openstack_rollout.errors import RolloutError

#: A source of more characters is none that anybody wrote.
_LARGEST = 20_000_000
_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
_REFERENCE = re.compile(r"(?:\[[0-9A-Fa-f:]+\])?[^\s{}\[\]=]*[/:@][^\s{}\[\]=]*[^\s{}\[\]=:]")
_TRANSPORT = re.compile(r"docker://|containers-storage:")


class _AsText(yaml.SafeLoader):
    """YAML without types but null, and without doubled keys that contradict each other."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self._refuse_doubles(node)
        return super().construct_mapping(node, deep=deep)

    def _refuse_doubles(self, node: yaml.MappingNode) -> None:
        first: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                continue
            line, before = first.setdefault(key.value, (key.start_mark.line + 1, value))
            if before is not value and yaml.serialize(before) != yaml.serialize(value):
                text = f"key {shown(key.value)} is there twice with different values, first in line {line}"
                raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)


_AsText.yaml_implicit_resolvers = {
    first: [one for one in some if one[0] in _KEPT]
    for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Typed(yaml.SafeLoader):
    """As Salt's renderer: a date is text."""


_Typed.add_constructor("tag:yaml.org,2002:timestamp", _Typed.construct_scalar)  # type: ignore[type-var]


def references(text: str) -> list[tuple[int, str]] | None:
    """Where a text is a list of image references, one a line: (line, reference) of each; None where it is
    anything else. Comments, blank lines, quotes, list marks and docker:// in front are no part of them.
    """
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        word = re.sub(r"(^|\s)#.*$", "", line).strip()
        if word in ("", "---", "..."):
            continue
        word = re.sub(r"^-\s+", "", word).strip("\"',")
        word = _TRANSPORT.sub("", word, count=1)
        if not _REFERENCE.fullmatch(word):
            return None
        found.append((number, word))
    return found or None


def read(text: str) -> list[Any]:
    """The documents of a YAML or JSON text, those of lists of resources one by one.

    Raises RolloutError RELEASE_REFUSED where it is none.
    """
    return list(_flat(_load(text, _AsText)))


def typed(text: str) -> Any:
    """The one document of a YAML text with its types, as the pillar has them. Raises RolloutError."""
    return _load(text, _Typed)[0]


def _load(text: str, loader: type[yaml.SafeLoader]) -> list[Any]:
    if len(text) > _LARGEST:
        raise RolloutError("RELEASE_REFUSED", f"SOURCE: has {len(text)} characters, {_LARGEST} are allowed")
    if text.lstrip()[:1] in ("{", "["):
        text = text.replace("\t", " ")  # JSON may be indented by tabs, YAML may not
    try:
        found = list(yaml.load_all(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}:" if mark else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise RolloutError("RELEASE_REFUSED", f"SOURCE:{line} {plain(said)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RolloutError(
            "RELEASE_REFUSED", f"SOURCE: {plain(str(error)) or 'is nested too deeply'}"
        ) from error
    return found


def _flat(documents: Sequence[Any]) -> Iterator[Any]:
    left, seen = list(reversed(documents)), set()
    while left:
        one = left.pop()
        if isinstance(one, Mapping) and str(one.get("kind", "")).endswith("List") and "items" in one:
            if id(one) not in seen:  # by aliases a list may be in many places, or in itself
                seen.add(id(one))
                left += reversed(listed(one["items"]))
        elif one is not None:
            yield one


def below(value: Any, *keys: str) -> Any:
    """What is below some keys, None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def listed(value: Any) -> list[Any]:
    """A list, [] of anything else."""
    return value if isinstance(value, list) else []


def mapped(value: Any) -> dict[str, Any]:
    """A mapping with keys of text, {} of anything else."""
    return {str(key): one for key, one in value.items()} if isinstance(value, Mapping) else {}
