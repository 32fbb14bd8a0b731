"""The words that every room uses: stages, roles and steps, and the order in which people count nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

Stage = Literal["ovn", "control_plane", "services", "ovs", "system"]
ServiceStage = Literal["ovn", "control_plane", "services"]
OsFamily = Literal["RedHat", "Debian"]
Role = Literal["controller", "gateway", "compute", "storage"]

#: Conditions of a run that an operator may accept; the others are in rollout/conditions.py.
AcceptableCondition = Literal[
    "custom_images",
    "room",
    "clocks",
    "certificates",
    "failed_units",
    "installers",
    "pending_reboots",
    "set_by_hand",
    "readiness",
    "openstack_agents",
    "hypervisors",
    "capacity",
    "server_groups",
    "notifications",
    "audit",
]

STAGES: tuple[str, ...] = get_args(Stage)
#: Stages that move services; the others move packages alone.
SERVICE_STAGES: tuple[str, ...] = get_args(ServiceStage)
OS_FAMILIES: tuple[str, ...] = get_args(OsFamily)
ROLES: tuple[str, ...] = get_args(Role)
#: Roles that a cloud may have, with the operator's own.
MOST_ROLES = 100
#: Of the form of a share: a node reads no other.
SHARE_VERSION = 4
#: The kind of data that a node serves when nobody knows of what kind it is.
UNKNOWN_SERVICE = "unknown_service"
#: The ways in which images of a registry may have to be signed, as the pillar calls them; one at most counts.
SIGNED_BY = ("signed_by", "signed_by_gpg", "signed_by_identity")
#: The phase before the first disruption; it has a stage's name in journal and events.
PREFETCH = "prefetch"


def by_role(roles: Mapping[str, str]) -> list[str]:
    """Node ids in the order of their roles, and inside a role as people count them (roles: id -> role); those
    of the operator's own roles come last.
    """
    return sorted(roles, key=lambda node: place(node, roles[node]))


def in_order(ids: Iterable[str]) -> list[str]:
    """Node ids as people count them: cmp2 before cmp10."""
    return sorted(ids, key=_counted)


def place(node: str, role: str) -> tuple[Any, ...]:
    """What nodes are sorted by that stand in the order of by_role. node (str): its id."""
    known = role in ROLES
    return (ROLES.index(role) if known else len(ROLES), [] if known else _counted(role), _counted(node))


def _counted(name: str) -> list[tuple[bool, str]]:
    return [(part.isdigit(), part.zfill(12)) for part in re.split(r"(\d+)", name)]
