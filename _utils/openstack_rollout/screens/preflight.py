"""What rollout.preflight looks like in a terminal. Only layout: every fact comes with the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.screens import tables

_ENDS = {
    "ok": "a run may begin",
    "accepted": "a run may begin, with what was accepted",
    "warn": "a run may begin; read the warnings",
    "refuse": "a run would be refused",
}


def text(data: Mapping[str, Any]) -> str:
    """The table of the conditions, below it what was seen of each and what to do, the verdict last."""
    of, conditions = data["preflight"], data["conditions"]
    rows = [(name, one["verdict"], one["asks"]) for name, one in conditions.items()]
    parts = [
        f"{of['name']}: preflight of {tables.title_of(of)}",
        tables.table(("CONDITION", "VERDICT", "WHAT HAS TO BE SO"), rows),
        *(_seen(name, one) for name, one in conditions.items() if one["seen"]),
    ]
    may = [name for name, one in conditions.items() if one["verdict"] == "refuse" and one["acceptable"]]
    if may:
        parts.append(f"may be accepted for one run: accept={','.join(may)}")
    return "\n\n".join([*parts, f"{of['verdict']}: {_ENDS[of['verdict']]}"])


def _seen(name: str, one: Mapping[str, Any]) -> str:
    lines = [f"{name}: {one['verdict']}", *(f"  {line}" for line in one["seen"])]
    return "\n".join([*lines, f"  -> {one['remedy']}"] if one["remedy"] else lines)
