"""The functions of a node that a release may have called as its checks.

Each says of itself that it is a check and changes nothing: a check is called by whoever only looks, also
while nothing is updated. Its first argument is the container of the service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from openstack_rollout.declared.names import NAME
from openstack_rollout.declared.problems import Path, not_a, not_a_key, not_a_string, shown, suggestion

Accepts = Callable[[Any], str]
_STATUS = re.compile(r"[a-z]+-status")
_MOST = 100  # names of a list


class Check(NamedTuple):
    """A function.

    services: the service types whose containers it asks. arguments: argument → what tells whether a value is
    right for it; each is needed.
    """

    services: tuple[str, ...]
    arguments: dict[str, Accepts]


def names(value: Any) -> str:
    """What is wrong with a list of names, "" for nothing."""
    if not isinstance(value, list) or not value:
        return not_a("a list of names", value)
    if len(value) > _MOST:
        return f"has {len(value)} names, {_MOST} are allowed"
    texts = (NAME.problem(one) if isinstance(one, str) else not_a_string(one) for one in value)
    return next(filter(None, texts), "")


def status_program(value: Any) -> str:
    """What is wrong with the name of a project's own program, "" for nothing."""
    if not isinstance(value, str):
        return not_a_string(value)
    return "" if _STATUS.fullmatch(value) else f"{shown(value)} is no program such as nova-status"


CHECKS: dict[str, Check] = {
    "rabbitmq_cluster.feature_flags": Check(("rabbitmq",), {"enabled": names}),
    "rabbitmq_cluster.stable_flags": Check(("rabbitmq",), {}),
    "openstack_status.upgrade_check": Check(
        (
            *("nova-conductor", "nova-api", "placement", "cinder-api", "cinder-scheduler", "neutron"),
            *("keystone", "glance", "heat-api", "heat-engine", "ironic-api", "ironic-conductor"),
            *("manila-api", "octavia-api", "designate-central", "barbican-api", "watcher-api"),
        ),
        {"program": status_program},
    ),
}


def problems(
    call: Any, arguments: Mapping[Any, Any], service: Any = None, types: Collection[str] = ()
) -> list[tuple[Path, str]]:
    """What is wrong with a call, its arguments and its service.

    types: the catalogue's service types; one that names its own otherwise says itself which a check is for.
    """
    if not isinstance(call, str):
        return [(("call",), not_a_string(call))]
    if call not in CHECKS:
        return [(("call",), f"{shown(call)} is no check, there is {_listed(call, CHECKS)}")]
    check = CHECKS[call]
    lines: list[tuple[Path, str]] = []
    if service in types and service not in check.services and not set(check.services).isdisjoint(types):
        lines.append((("service",), f"{call} is for {', '.join(check.services)}, not for {shown(service)}"))
    for name, value in arguments.items():
        text = ""
        if not isinstance(name, str):
            text = not_a_key(name)
        elif name not in check.arguments:
            text = f"{call} has no such argument, but {_listed(name, check.arguments)}"
        elif value is not None:
            text = check.arguments[name](value)
        if text:
            lines.append((("arguments", name), text))
    if not lines and (not types or service in types):
        missing = [name for name in check.arguments if arguments.get(name) is None]
        lines = [(("arguments", name), f"is missing, {call} needs it") for name in missing]
    return lines


def _listed(word: str, known: Collection[str]) -> str:
    """What there is; and what was meant, where there is more than one."""
    return ", ".join(known) + (suggestion(word, known) if len(known) > 1 else "")
