"""The functions of a node that a release may have called as its checks.

Each says of itself that it is a check and changes nothing: a check is called by whoever only looks, also
while nothing is updated. Its first argument is the container of the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openstack_rollout.declared.problems import Path, not_a, not_a_key, not_a_string, shown, suggestion

Accepts = Callable[[Any], str]


def names(value: Any) -> str:
    """What is wrong with a list of names, "" for nothing."""
    if not isinstance(value, list) or not value:
        return not_a("a list of names", value)
    for one in value:
        if not isinstance(one, str):
            return not_a_string(one)
        if (
            not one.isascii()
            or not one.replace("_", "").replace("-", "").replace(".", "").isalnum()
            or one[0] == "-"
        ):
            return f"{shown(one)} is no name"
    return ""


#: Function → argument → what tells whether a value is right for it.
CHECKS: dict[str, dict[str, Accepts]] = {"rabbitmq_cluster.feature_flags": {"enabled": names}}


def problems(call: Any, arguments: Mapping[Any, Any]) -> list[tuple[Path, str]]:
    """What is wrong with a call and its arguments."""
    if not isinstance(call, str):
        return [(("call",), not_a_string(call))]
    if call not in CHECKS:
        known = ", ".join(CHECKS)
        return [(("call",), f"{shown(call)} is no check, there is {known}{suggestion(call, CHECKS)}")]
    accepted = CHECKS[call]
    lines: list[tuple[Path, str]] = []
    for name, value in arguments.items():
        if not isinstance(name, str):
            lines.append((("arguments", name), not_a_key(name)))
        elif name not in accepted:
            lines.append(
                (
                    ("arguments", name),
                    f"{call} has no such argument, but {', '.join(accepted)}{suggestion(name, accepted)}",
                )
            )
        elif text := accepted[name](value):
            lines.append((("arguments", name), text))
    return lines
