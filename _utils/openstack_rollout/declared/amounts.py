"""Numbers of nodes, and times, as the pillar says them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from openstack_rollout.declared.names import WholeNumber
from openstack_rollout.declared.problems import Wrong, shown

#: More nodes than any cloud has in one role, and more seconds than any step of a run may take.
NODES = 10_000
HOUR = 3_600
DAY = 24 * HOUR
MONTH = 30 * DAY
_PERCENTAGE = re.compile(r"([1-9][0-9]?|100)%")
_BATCH = "give a number of nodes from 1, or a percentage from 1% to 100%"
_FAILURES = "give a number of nodes from 0 to 10000, or a percentage from 0% to 100%"


def part_of(value: int | str, count: int) -> int:
    """A number of nodes: that of the pillar, or its percentage of count nodes, rounded down.

    value (int or str): of Batch or Failures. count (int): nodes.
    """
    return value if isinstance(value, int) else count * int(value[:-1]) // 100


def batch_size(batch: int | str, count: int, least: int = 1) -> int:
    """How many of count nodes may be in flight: a percentage is rounded down, and is never less than least.

    batch (int or str): 2 or "10%". least (int): nodes. Raises ValueError for a batch that is neither.
    """
    allowed = _batch(batch)
    return allowed if isinstance(allowed, int) else max(least, part_of(allowed, count))


def _batch(value: Any) -> int | str:
    if isinstance(value, str) and _PERCENTAGE.fullmatch(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= NODES:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value > NODES:
        raise Wrong(f"{shown(value)} is not allowed: {_BATCH}; {NODES} nodes at most")
    raise Wrong(f"{shown(value)} is not allowed: {_BATCH}")


def _failures(value: Any) -> int | str:
    if isinstance(value, str) and (value == "0%" or _PERCENTAGE.fullmatch(value)):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= NODES:
        return value
    raise Wrong(f"{shown(value)} is not allowed: {_FAILURES}")


def _batch_of_controllers(value: Any) -> int:
    if _batch(value) != 1:
        raise Wrong(f"{shown(value)} is not allowed: controllers go one at a time, set 1")
    return 1


def _number_or_share(least: int, share: str) -> dict[str, Any]:
    """The JSON schema of a number of nodes, or a percentage of them by its pattern."""
    return {
        "anyOf": [
            {"type": "integer", "minimum": least, "maximum": NODES},
            {"type": "string", "pattern": f"^(?:{share})$"},
        ]
    }


Batch = Annotated[
    int | str,
    PlainValidator(_batch),
    WithJsonSchema(_number_or_share(1, _PERCENTAGE.pattern)),
]
Failures = Annotated[
    int | str,
    PlainValidator(_failures),
    WithJsonSchema(_number_or_share(0, f"0%|{_PERCENTAGE.pattern}")),
]
Count = Annotated[int, WholeNumber(1, NODES)]
Retries = Annotated[int, WholeNumber(0, 20)]
Pause = Annotated[int, WholeNumber(0, MONTH)]
Seconds = Annotated[int, WholeNumber(1, MONTH)]
Gib = Annotated[int, WholeNumber(1, 1_000_000)]
One = Annotated[int, PlainValidator(_batch_of_controllers), WithJsonSchema({"type": "integer", "const": 1})]
Nodes = Annotated[int, WholeNumber(0, NODES)]
