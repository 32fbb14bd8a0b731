"""What Pacemaker says of its cluster (`crm_mon --output-as=xml`), as data and as lines for an operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any
from xml.etree import ElementTree

_ADDRESS_AGENTS = ("IPaddr", "IPaddr2", "IPv6addr")
_CONTAINERS = ("group", "clone", "bundle", "replica")
_ENGINES = ("podman", "docker", "rkt")
#: Classes of resources that are units (or scripts) of the node, by their own name.
_UNIT_CLASSES = ("systemd", "service", "lsb", "upstart")
#: Agents that start by themselves what a unit would: the units (globs), without .service.
_IN_PLACE_OF = {
    "galera": ("mariadb", "mysql", "mysqld"),
    "mariadb": ("mariadb", "mysql", "mysqld"),
    "mysql": ("mariadb", "mysql", "mysqld"),
    "rabbitmq-cluster": ("rabbitmq-server",),
    "rabbitmq-server": ("rabbitmq-server",),
    "rabbitmq-server-ha": ("rabbitmq-server",),
    "redis": ("redis", "redis-server"),
    "apache": ("apache2", "httpd"),
    "ovndb-servers": ("ovn-ovsdb-server-*", "ovn-northd", "ovn-central"),
}


def read(text: str) -> dict[str, Any]:
    """The cluster, as crm_mon shows it.

    text (str): what `crm_mon --one-shot --inactive --output-as=xml` prints.

    Returns {"quorum": bool, "maintenance": bool, "nodes": {name: {"online", "standby", "maintenance",
    "pending", "unclean", "guest": whether it is a container of a bundle}}, "resources": [{"id", "part_of":
    its group or bundle or itself, "agent", "nodes", "failed", "blocked", "managed", "active"}], "bundles":
    {id: {"engine": podman or docker, "image", "managed", "replicas": [{"container": its name, "nodes",
    "active", "managed"}]}}, "failures": [lines], "bans": {id: (resource, node)}}. Raises ValueError for a
    text that is no XML.
    """
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - of a program of this machine
    except ElementTree.ParseError as error:
        raise ValueError(f"crm_mon: {error}") from error
    quorum = root.find("summary/current_dc")
    options = root.find("summary/cluster_options")
    return {
        "quorum": quorum is not None and quorum.get("with_quorum") == "true",
        "maintenance": options is not None and options.get("maintenance-mode") == "true",
        "nodes": {node.get("name"): _node(node) for node in root.iterfind("nodes/node")},
        "resources": list(_resources(root.find("resources"))),
        "bundles": {one.get("id"): _bundle(one) for one in root.iterfind("resources//bundle")},
        "failures": [_failure(entry) for entry in root.iterfind("failures/failure")],
        "bans": {ban.get("id"): (ban.get("resource"), ban.get("node")) for ban in root.iterfind("bans/ban")},
    }


def broken(found: Mapping[str, Any]) -> list[str]:
    """What failed in a cluster, one line each.

    found (dict): what `read` returned. A failed resource that Pacemaker does not manage does not count: an
    operator set it so. A blocked one counts: Pacemaker itself stopped managing it after it failed to stop.
    """
    lines = [
        f"resource {one['id']} {'is blocked' if one['blocked'] else 'failed'}"
        f" on {', '.join(one['nodes']) or 'no node'}"
        for one in found["resources"]
        if one["blocked"] or (one["failed"] and one["managed"])
    ]
    return [*lines, *(found["failures"] if lines else ())]


def lacks(found: Mapping[str, Any], away: Iterable[str] = ()) -> list[str]:
    """What a cluster lacks to be whole, one line each.

    found (dict): what `read` returned. away (list): nodes that may be missing.
    """
    lines = [] if found["quorum"] else ["the cluster has no quorum"]
    for name, node in sorted(found["nodes"].items()):
        states = [word for word in ("unclean", "pending") if node[word]]
        if not node["online"]:
            states.insert(0, "offline")
        if states and name not in away:
            lines.append(f"node {name} is {' and '.join(states)}")
    return [*lines, *broken(found)]


def takers(found: Mapping[str, Any], node: str) -> list[str]:
    """The other nodes that may take resources of a node (sorted names).

    found (dict): what `read` returned. node (str): its name.
    """
    return sorted(
        name
        for name, one in found["nodes"].items()
        if name != node
        and one["online"]
        and not (one["standby"] or one["maintenance"] or one["unclean"] or one["guest"])
    )


def on(found: Mapping[str, Any], node: str) -> list[dict[str, Any]]:
    """The resources that are active on a node, or stuck there.

    found (dict): what `read` returned. node (str): its name.
    """
    return [one for one in found["resources"] if node in one["nodes"]]


def free_for(found: Mapping[str, Any], bundle: str, node: str) -> list[str]:
    """The other nodes to which Pacemaker may move a replica of a bundle (sorted names).

    found (dict): what `read` returned. bundle (str): its id. node (str): the one that the replica leaves. A
    node that has a replica, or from which the bundle is banned, takes none.
    """
    taken = {name for one in found["bundles"][bundle]["replicas"] for name in one["nodes"]}
    banned = {name for resource, name in found["bans"].values() if resource == bundle}
    return [name for name in takers(found, node) if name not in taken | banned]


def addresses(found: Mapping[str, Any], node: str) -> list[dict[str, Any]]:
    """The virtual addresses (VIPs) among the managed resources on a node.

    found (dict): what `read` returned. node (str): its name.
    """
    return [one for one in on(found, node) if _is_address(one)]


def addresses_elsewhere(found: Mapping[str, Any], node: str) -> list[str]:
    """The ids of managed virtual addresses that are not on a node.

    found (dict): what `read` returned. node (str): its name.
    """
    return [one["id"] for one in found["resources"] if _is_address(one) and node not in one["nodes"]]


def running_units(found: Mapping[str, Any], units: Iterable[str]) -> list[str]:
    """The units that are Pacemaker's to start, on whichever node: a line each, with the resource.

    found (dict): what `read` returned. units (list): their names, with `.service`.
    """
    lines = []
    for unit in units:
        name = unit.removesuffix(".service")
        for one in found["resources"]:
            kind, _, agent = one["agent"].rpartition(":")
            globs = (agent,) if kind in _UNIT_CLASSES else _IN_PLACE_OF.get(agent, ())
            if any(fnmatchcase(name, glob) for glob in globs):
                lines.append(f"{unit} is run by Pacemaker (resource {one['part_of']}, {one['agent']})")
                break
    return lines


def _is_address(resource: Mapping[str, Any]) -> bool:
    return resource["managed"] and resource["agent"].rpartition(":")[2] in _ADDRESS_AGENTS


_NODE = ("online", "standby", "maintenance", "pending", "unclean")
_RESOURCE = ("failed", "blocked", "managed", "active")


def _resources(parent: ElementTree.Element | None, part_of: str = ""):
    for element in parent if parent is not None else ():
        if element.tag == "resource":
            yield {
                "id": element.get("id"),
                "part_of": part_of or element.get("id"),
                "agent": element.get("resource_agent", ""),
                "nodes": sorted({node.get("name") for node in element.iterfind("node")}),
                **_flags(element, _RESOURCE),
            }
        elif element.tag in _CONTAINERS:
            yield from _resources(element, part_of or element.get("id", ""))


def _node(element: ElementTree.Element) -> dict[str, bool]:
    return {**_flags(element, _NODE), "guest": element.get("id_as_resource") is not None}


def _bundle(element: ElementTree.Element) -> dict[str, Any]:
    return {
        "engine": element.get("type", ""),
        "image": element.get("image", ""),
        "managed": element.get("managed") == "true" and element.get("maintenance") != "true",
        "replicas": [_replica(one) for one in element.iterfind("replica")],
    }


def _replica(element: ElementTree.Element) -> dict[str, Any]:
    """One container, and what Pacemaker runs inside it (the bundle's primitive, and the way to reach it)."""
    parts = list(_resources(element))
    (container,) = (one for one in parts if one["agent"].rpartition(":")[2] in _ENGINES)
    return {
        "container": container["id"],
        "nodes": container["nodes"],
        "active": all(one["active"] and not one["failed"] for one in parts),
        "managed": all(one["managed"] for one in parts),
    }


def _flags(element: ElementTree.Element, names: Iterable[str]) -> dict[str, bool]:
    return {name: element.get(name) == "true" for name in names}


def _failure(entry: ElementTree.Element) -> str:
    what = entry.get("op_key") or entry.get("id")
    reason = entry.get("exitreason") or entry.get("exitstatus") or ""
    return f"{entry.get('task', 'an action')} of {what} on {entry.get('node')}: {reason}".rstrip(": ")
