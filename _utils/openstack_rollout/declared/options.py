"""The options of a service: any plain data that JSON can hold, of a size that a node's pillar can.

YAML's aliases let a few lines stand for billions of values. A value is measured once however often it is
named, so that telling costs no more than what was written.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from openstack_rollout.declared.problems import Wrong, not_a, not_a_key, shown

#: Values in the options of one service, all aliases written out; and how deep they may lie.
MOST = 10_000
DEEPEST = 16
#: Characters of all strings together.
LONGEST = 1_000_000
#: YAML takes nothing for a key that is much longer.
LONGEST_KEY = 512
_BITS = 63
# What YAML refuses to read, or reads as the end of a line; JSON leaves it as it is.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_NO_KEY = re.compile("[\t\n\r]|" + _NO_TEXT.pattern)

#: (values, characters, levels) of a value.
_Size = tuple[int, int, int]


def check(value: Any, context: Any = None) -> dict[str, Any]:
    """The options. Raises Wrong.

    context (dict): of one validation of a pillar, which remembers what was measured under `sizes`.
    """
    if not isinstance(value, Mapping):
        raise Wrong(not_a("a mapping", value))
    sizes: dict[int, _Size] = context.setdefault("sizes", {}) if isinstance(context, dict) else {}
    values, characters, levels = _measure(value, sizes, DEEPEST)
    if values > MOST:
        raise Wrong(f"has {_count(values)} values, aliases written out; {MOST} are allowed")
    if characters > LONGEST:
        raise Wrong(f"has {_count(characters)} characters; {LONGEST} are allowed")
    if levels > DEEPEST:
        raise Wrong(f"is more than {DEEPEST} levels deep")
    # Not a copy: what many services share, through aliases, stays shared.
    return value if isinstance(value, dict) else dict(value)


def _measure(value: Any, sizes: dict[int, _Size], left: int) -> _Size:
    if isinstance(value, str):
        if found := _NO_TEXT.search(value):
            raise Wrong(f"{shown(value)} has {shown(found[0])} in it, which YAML cannot write as text")
        return 1, len(value), 0
    if value is None or isinstance(value, bool):
        return 1, 4, 0
    if isinstance(value, int):
        if value.bit_length() > _BITS:
            raise Wrong(f"{shown(value)} is larger than a number can be here: put it in quotes")
        return 1, 20, 0
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Wrong(f"{shown(value)} is no number that JSON can hold: put it in quotes")
        text = repr(value)
        if "e" in text and "." not in text:
            raise Wrong(f"{text} is a number that YAML reads back as text: put it in quotes")
        return 1, 20, 0
    if not isinstance(value, Mapping | list):
        raise Wrong(not_a("plain data", value))
    if id(value) not in sizes:
        if not left:
            raise Wrong(f"is more than {DEEPEST} levels deep, or holds itself")
        sizes[id(value)] = _of_parts(value, sizes, left - 1)
    return sizes[id(value)]


def _of_parts(value: Mapping[Any, Any] | list[Any], sizes: dict[int, _Size], left: int) -> _Size:
    values, characters, levels = 1, 0, 0
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise Wrong(not_a_key(key))
            _key(key)
            characters += len(key)
    for part in value.values() if isinstance(value, Mapping) else value:
        more, letters, deeper = _measure(part, sizes, left)
        values, characters, levels = values + more, characters + letters, max(levels, deeper)
    return values, characters, levels + 1


def _key(key: str) -> None:
    if found := _NO_KEY.search(key):
        raise Wrong(f"{shown(key)} is no key: it has {shown(found[0])} in it")
    if len(json.dumps(key, ensure_ascii=False)) - 2 > LONGEST_KEY:
        raise Wrong(
            f"{shown(key)} is too long for a key: {LONGEST_KEY} characters are allowed, as JSON writes it"
        )


def _count(number: int) -> str:
    return shown(number, 40)
