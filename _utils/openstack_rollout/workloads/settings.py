"""What the policies of computes and gateways say about their workloads: keys, defaults, checks.

Pure: it is read wherever the pillar is validated, also where openstacksdk is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from openstack_rollout.catalog import STAGES
from openstack_rollout.schema import Problems

CLOUD = "openstack"
UNMOVABLE = ("fail", "skip", "cold", "leave")
ON_TIMEOUT = ("abort", "force_complete")
VERIFICATION_KEYS = ("enabled", "image", "flavor", "external_network", "timeout")
DRAINS = ("live_migrate", "require_empty", "move_routers")  # those that speak to OpenStack
_VERIFICATION_TIMEOUT = 180
# A stage that leaves the node's data path and its guests alone needs nothing moved.
_DISTURBING = ("services", "ovs", "system")


@dataclass(frozen=True)
class Compute:
    """How servers leave computes.

    unmovable (str): what becomes of a node with a server that cannot move: `fail`, `skip` the node, `cold`
    migrate the server, `leave` it there. migrate_back (bool). on_timeout (str): `abort` or `force_complete`.
    timeout_per_gib (seconds a migration may take for each GiB of memory). large_memory_gib (GiB from which
    on a server is reported). migrations_per_host, migrations_per_cloud (int): at a time. return_timeout
    (seconds for nova-compute to be up again). drain_before (list of stages, None: those that disturb).
    """

    unmovable: str = "fail"
    migrate_back: bool = False
    on_timeout: str = "abort"
    timeout_per_gib: int = 120
    large_memory_gib: int = 64
    migrations_per_host: int = 2
    migrations_per_cloud: int = 4
    return_timeout: int = 300
    drain_before: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Gateway:
    """How routers and DHCP networks leave gateways.

    router_timeout (seconds until a moved router is active). routers_at_once (int): moved together.
    return_timeout (seconds for the agents to be alive again). drain_before: as for computes.
    """

    router_timeout: int = 60
    routers_at_once: int = 2  # an agent builds one after the other; more at once only keep Neutron waiting
    return_timeout: int = 300
    drain_before: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Verification:
    """What is tried at the end of an update.

    enabled (bool). image, flavor (str): names, else small ones are made. external_network (str): the name of
    one to which routers are connected, else to none. timeout (seconds) for a server or router to be ACTIVE.
    """

    enabled: bool
    image: str | None = None
    flavor: str | None = None
    external_network: str | None = None
    timeout: int = _VERIFICATION_TIMEOUT


_OF_ROLE: dict[str, type] = {"compute": Compute, "gateway": Gateway}


def keys(role: str) -> tuple[str, ...]:
    """The policy keys of a role that are about workloads."""
    return tuple(field.name for field in fields(_OF_ROLE[role])) if role in _OF_ROLE else ()


def of_role(openstack: Mapping[str, Any], role: str) -> Any:
    """Compute or Gateway as the pillar says, over the defaults."""
    said = (openstack.get("policies") or {}).get(role) or {}
    found = {key: said[key] for key in keys(role) if said.get(key) is not None}
    if "drain_before" in found:
        found["drain_before"] = tuple(found["drain_before"])
    return _OF_ROLE[role](**found)


def stages(openstack: Mapping[str, Any], role: str) -> frozenset[str]:
    """The stages before which nodes of a role are drained; Open vSwitch's only when it is reloaded there."""
    wanted = of_role(openstack, role).drain_before
    if wanted is not None:
        return frozenset(wanted)
    reload = bool((openstack.get("ovs") or {}).get("reload"))
    return frozenset(stage for stage in _DISTURBING if stage != "ovs" or reload)


def verification(openstack: Mapping[str, Any]) -> Verification:
    """What the pillar says of the verification: it is on where a drain speaks to OpenStack anyway."""
    policies = (openstack.get("policies") or {}).values()
    known = any((policy or {}).get("drain") in DRAINS for policy in policies)
    return Verification(**{"enabled": known, **(openstack.get("verification") or {})})


def check(found: Problems, path: str, key: str, value: Any) -> None:
    """Note what is wrong with one workload key of a role's policy."""
    if key == "unmovable":
        found.choice(path, value, UNMOVABLE)
    elif key == "on_timeout":
        found.choice(path, value, ON_TIMEOUT)
    elif key == "migrate_back":
        found.flag(path, value)
    elif key == "drain_before":
        for stage in found.strings(path, value):
            found.known(path, stage, STAGES, "stage")
    else:
        found.number(path, value, 1)


def check_cloud(found: Problems, openstack: Mapping[str, Any]) -> None:
    """Note what is wrong with the keys that are of no role: cloud, opencontrail, verification."""
    if openstack.get("cloud") is not None:
        found.string("openstack:cloud", openstack["cloud"])
    found.flag("openstack:opencontrail", openstack.get("opencontrail", False))
    path = "openstack:verification"
    verification = found.mapping(path, openstack.get("verification"))
    for key in found.keys(path, verification, VERIFICATION_KEYS):
        if key == "enabled":
            found.flag(f"{path}:{key}", verification[key])
        elif key == "timeout":
            found.number(f"{path}:{key}", verification[key], 1)
        else:
            found.string(f"{path}:{key}", verification[key])
