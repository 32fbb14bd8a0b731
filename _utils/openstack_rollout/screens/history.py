"""What rollout.history and rollout.compare look like in a terminal. Only layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openstack_rollout.screens import tables, times


def text(data: Mapping[str, Any]) -> str:
    """The text of a history, or of two runs compared, told apart by what they hold."""
    return _compared(data) if "compared" in data else _history(data)


def _history(data: Mapping[str, Any]) -> str:
    rows = [
        (
            one["id"],
            tables.title_of(one) if "orchestration" in one else None,
            " ".join(filter(None, (one["state"], one["reason"], one.get("approved") and "(accepted)"))),
            _length(one.get("seconds")),
            _first(one.get("begun")),
            ", ".join(one.get("accepted", ())),
        )
        for one in data["history"]
    ]
    if not rows:
        return "no run is kept"
    shown = tables.table(("RUN", "WHAT", "RESULT", "TIME", "BEGUN BY", "ACCEPTED"), rows)
    return f"{shown}\n\n{len(rows)} of {data['kept']} runs"


def _compared(data: Mapping[str, Any]) -> str:
    first, second = data["compared"]
    heads = [
        f"{one['id']}: {tables.title_of(one)}, {one['state']} {one['reason']}".rstrip()
        for one in (first, second)
    ]
    stages = [
        (name, *one["state"], *map(_length, one["seconds"]), _change(one["seconds"]))
        for name, one in data["stages"].items()
    ]
    nodes = [
        (name, one["role"], *one["state"], *map(_length, one["seconds"]), _change(one["seconds"]))
        for name, one in data["nodes"].items()
    ]
    parts = ["\n".join(heads), tables.table(("STAGE", "FIRST", "SECOND", "TIME", "TIME", "CHANGE"), stages)]
    if nodes:
        parts.append(tables.table(("NODE", "ROLE", "FIRST", "SECOND", "TIME", "TIME", "CHANGE"), nodes))
    failed = [
        f"{name}: {which}: {said}"
        for name, one in data["nodes"].items()
        for which, said in zip(("first", "second"), one["failed"], strict=True)
        if said
    ]
    return "\n\n".join([*parts, *(["\n".join(failed)] if failed else [])])


def _first(begun: Sequence[Mapping[str, Any]] | None) -> str:
    if not begun:
        return ""
    more = f" and {len(begun) - 1} more" if begun[1:] else ""
    return tables.who(begun[0]) + more


def _length(seconds: float | None) -> str:
    return "" if seconds is None else times.took(seconds)


def _change(pair: Sequence[float | None]) -> str:
    first, second = pair
    if first is None or second is None or not first:
        return ""
    return f"{(second - first) / first:+.0%}"
