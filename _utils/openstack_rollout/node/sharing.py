"""Services that are packages and share a unit: they move together, and the unit restarts once.

RDO's Keystone and Placement are both of httpd.service, as are most APIs of a cloud that TripleO's Puppet
deployed as packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.node.guards import NONE, may_share


def together(services: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The services of a node, of which the first of those that share a unit moves for all of them.

    services (list): as a share has them. Only those of one stage go together, whose guards `may_share`.

    Returns them in their order, each with `shares`: the names of those that it moves as well, and
    `moved_with`: the name of the one that moves it, "" for none.
    """
    found: list[dict[str, Any]] = []
    for one in sorted(services, key=lambda one: (one["order"], one["name"])):
        first = next((other for other in found if _go_together(other, one)), None)
        if first:
            _join(first, one)
        found.append({**one, "shares": [], "moved_with": first["name"] if first else ""})
    names = [one["name"] for one in services]
    return sorted(found, key=lambda one: names.index(one["name"]))


def _go_together(first: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    alike = first["stage"] == one["stage"] and may_share(first["guard"], one["guard"])
    return alike and not first["moved_with"] and not set(first["units"]).isdisjoint(one["units"])


def _join(first: dict[str, Any], one: Mapping[str, Any]) -> None:
    first["shares"] = [*first["shares"], one["name"]]
    first["packages"] = {**first["packages"], **one["packages"]}
    for key in ("own", "libraries", "units"):
        first[key] = _union(first[key], one[key])
    first["guard"] = one["guard"] if first["guard"] == NONE else first["guard"]
    first["newest"] = first["newest"] or one["newest"]
    first["http"] = first["http"] or one["http"]
    first["listens"] = first["listens"] and one["listens"]
    first["timeout"] = max(first["timeout"], one["timeout"])


def _union(*some: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for names in some for name in names))
