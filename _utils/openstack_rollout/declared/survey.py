"""A survey of a cloud: what runs on its nodes, who deployed it, and what a pillar to begin with would say.

Pure: from what nodes told to plain records. Nothing here is a sentence; screens make the tables of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared.deployed import Container, Deployed
from openstack_rollout.declared.found_packages import Packaged, both, pins
from openstack_rollout.declared.installers import OTHER, Installers, Kind, trouble_of
from openstack_rollout.declared.references import digest_of
from openstack_rollout.declared.services import BY_PLANE
from openstack_rollout.vocabulary import ROLES, in_order

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model

Records = dict[str, Any]
_Members = Mapping[str, set[str]]
_COMPUTE, _GATEWAY = "compute", "gateway"
_MOVED = (Kind.SERVICE, Kind.BUNDLE)
_PACKAGES = ""  # in place of the name of a container


def survey(
    model: Model,
    told: Mapping[str, Deployed],
    silent: Mapping[str, tuple[str, str]],
    declared: Mapping[str, Any],
) -> Records:
    """All that a survey says, as plain records.

    told: what each node answered. silent: the reason and message of each node that did not. declared: the
    roles that the pillar gives a node, of those that have any.

    Returns {"survey": names of all nodes, "nodes", "roles", "services", "images", "undigested", "packages",
    "both": of found_packages.both, "unmapped", "silent"}.
    """
    installers, packaged = Installers(model), Packaged(model)
    nodes = {name: _node(installers, packaged, told[name]) for name in in_order(told)}
    for name, node in nodes.items():
        given = tuple(declared.get(name, ()))
        node["roles"] = list(given or guessed(model, _types(node)))
        node["guessed"] = not given
    order = dict.fromkeys([*ROLES, *(role for node in nodes.values() for role in node["roles"])])
    roles = {role: {name for name, node in nodes.items() if role in node["roles"]} for role in order}
    services = _services(model, nodes, roles)
    return {
        "survey": in_order([*told, *silent]),
        "nodes": nodes,
        "roles": {role: in_order(members) for role, members in roles.items() if members},
        "services": services,
        **_images(nodes, services),
        "packages": pins(nodes, _packages_of(nodes, services)),
        "both": both(services, nodes),
        "unmapped": _unmapped(nodes),
        "silent": {
            name: {"reason": silent[name][0], "message": silent[name][1]} for name in in_order(silent)
        },
    }


def guessed(model: Model, types: Iterable[str]) -> list[str]:
    """The roles that a node seems to have by the service types that run on it, in their order.

    A type that only one role has tells it. On a compute, agents of gateways do not make a gateway of it: they
    run on each compute of a cloud with distributed routers. Where no type tells, the role that most have.
    """
    services = model.catalogue.services()
    wanted = [services[one].roles for one in types if one in services]
    found = {roles[0] for roles in wanted if len(roles) == 1}
    if _COMPUTE in found:
        found.discard(_GATEWAY)
    if not found:
        votes = Counter(role for roles in wanted for role in roles if role in ROLES)
        # Of as many, the first that does not move the control plane.
        order = sorted(votes, key=lambda role: (-votes[role], role == ROLES[0], ROLES.index(role)))
        found = set(order[:1])
    return [role for role in ROLES if role in found]


def _types(node: Records) -> list[str]:
    return [*_in_containers(node["containers"]), *node["packaged"]]


def _in_containers(containers: Mapping[str, Records]) -> Iterator[str]:
    return (one["type"] for one in containers.values() if one["running"] and one["kind"] in _MOVED)


def _node(installers: Installers, packaged: Packaged, told: Deployed) -> Records:
    owners = {name: installers.of_container(name, one, told.managed) for name, one in told.containers.items()}
    containers = {
        name: _container(installers, name, one, owners) for name, one in sorted(told.containers.items())
    }
    for one in containers.values():
        if agent := containers.get(one["agent"]):
            one["stale"] = agent["image_id"] != one["image_id"]
    units = [_unit(installers, name, one) for name, one in sorted(told.units.items())]
    return {
        "os_family": told.os_family,
        "engines": dict(told.engines),
        "containers": containers,
        "packaged": packaged.of_node(told, set(_in_containers(containers))),
        "packages": {name: list(one.versions) for name, one in sorted(told.packages.items())},
        "units": [one for one in units if one["deployer"] and one["trouble"]],
        "installers": _counted(containers, units),
        "trouble": list(told.trouble),
    }


def _container(installers: Installers, name: str, one: Container, owners: Mapping[str, str]) -> Records:
    owner = owners[name]
    what = installers.what(name, owner)
    agent = next((other for other in what.agents if other in owners), "")
    if what.kind is Kind.SIDECAR and agent and owner == OTHER:
        owner = owners[agent]
    references = installers.references(one)
    return {
        "deployer": owner,
        "kind": what.kind.value,
        "type": what.type,
        "image_key": what.image_key,
        "agent": agent,
        "bundle": what.bundle,
        "engine": one.engine,
        "carrier": one.carrier,
        "unit": one.unit or "",
        "unit_state": trouble_of(one.unit_state) or one.unit_state.active if one.unit_state else "",
        "running": one.running,
        "created": one.created,
        "image": one.image,
        "image_id": one.image_id,
        "references": references,
        "digest": digest_of(references[0]) if references else "",
        "definition": one.definition,
    }


def _unit(installers: Installers, name: str, one: Any) -> Records:
    deployer, container = installers.of_unit(name)
    return {
        "unit": name,
        "deployer": deployer,
        "container": container,
        "enabled": one.enabled,
        "masked": one.load == "masked",
        "trouble": trouble_of(one),
    }


def _counted(containers: Mapping[str, Records], units: Iterable[Records]) -> dict[str, dict[str, int]]:
    """How many containers and units of each deployer a node has; masked units are none that could start."""
    found: dict[str, dict[str, int]] = {}
    for one in containers.values():
        if one["deployer"] != OTHER:
            found.setdefault(one["deployer"], {"containers": 0, "units": 0})["containers"] += 1
    for one in units:
        if one["deployer"] and not one["masked"]:
            found.setdefault(one["deployer"], {"containers": 0, "units": 0})["units"] += 1
    return dict(sorted(found.items()))


def _services(model: Model, nodes: Mapping[str, Records], roles: _Members) -> dict[str, Records]:
    """The services that were found, by the name that a pillar would give each.

    deploy: container, or package, which has no container; nobody can be seen to have deployed those, vendors
    are who built them.
    roles: those of which every node runs it, and the first role of any other node that does. stage: where
    it has to differ from its type's. nodes: where it runs. missing: nodes that do not, though others of their
    role do. fixed: the images of a bundle that cannot be moved.
    """
    found: dict[tuple[str, str], dict[str, Records]] = {}
    for node, records in nodes.items():
        for container, one in records["containers"].items():
            if one["running"] and one["kind"] in _MOVED:
                # Each replica of a bundle has another name: a pillar names the bundle.
                found.setdefault((one["type"], one["bundle"] or container), {})[node] = one
        for kind, one in records["packaged"].items():
            if not one["beside"]:
                found.setdefault((kind, _PACKAGES), {})[node] = one
    names = _names(model, found)
    services = {}
    for key, on in sorted(found.items(), key=lambda pair: names[pair[0]]):
        has = [role for role, members in roles.items() if members and members <= set(on)]
        # Where a role's nodes differ, it is told of those that have it not, and an update leaves them alone.
        for node in on:
            if node not in _nodes(has, roles):
                has += nodes[node]["roles"][:1]
        services[names[key]] = {
            "type": key[0],
            "deploy": "package" if key[1] == _PACKAGES else "container",
            "container": key[1],
            **(_of_packages(on) if key[1] == _PACKAGES else _of_containers(on)),
            "nodes": list(on),
            **_placed(model, key[0], has, roles),
            "missing": in_order(_nodes(has, roles) - set(on)),
        }
    return services


def _of_containers(on: Mapping[str, Records]) -> Records:
    return {
        "image_key": next(iter(on.values()))["image_key"],
        "fixed": sorted({each["definition"] for each in on.values() if _is_fixed(each)}),
        "deployers": sorted({each["deployer"] for each in on.values()}),
    }


def _of_packages(on: Mapping[str, Records]) -> Records:
    return {
        "image_key": "",
        "fixed": [],
        "deployers": [],
        "vendors": sorted({vendor for each in on.values() for vendor in each["vendors"]}),
    }


def _packages_of(nodes: Mapping[str, Records], services: Mapping[str, Records]) -> set[str]:
    """The packages of the services that were found as such."""
    some = [one for one in services.values() if one["deploy"] == "package"]
    return {
        name
        for one in some
        for node in one["nodes"]
        for name in nodes[node]["packaged"][one["type"]]["packages"]
    }


def _is_fixed(one: Records) -> bool:
    """Whether a container is a replica whose bundle names its image itself, and no tag that each node has."""
    return bool(one["bundle"]) and "@" in one["definition"]


def _placed(model: Model, kind: str, has: list[str], roles: _Members) -> Records:
    """The roles and the stage that a pillar gives a service of a type. has: roles whose nodes run it."""
    stage = model.catalogue.services()[kind].stage
    own = [role for role in model.catalogue.services()[kind].roles if role in has]
    # A node in several roles has a service by any of them: those of its type, where they are enough.
    chosen = own if own and _nodes(own, roles) == _nodes(has, roles) else has
    controls = {model.is_control_plane([role]) for role in chosen}
    if not chosen or stage in ("ovn", BY_PLANE):
        return {"roles": chosen, "stage": ""}
    plane = BY_PLANE if len(controls) > 1 else "control_plane" if True in controls else "services"
    return {"roles": chosen, "stage": plane if plane != stage else ""}


def _nodes(some: Iterable[str], roles: _Members) -> set[str]:
    return {node for role in some for node in roles[role]}


def _names(model: Model, found: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The name of each service: that which the pillar has already, or the type's for its first container."""
    known = {
        (one.type, one.container if one.deploy == "container" else _PACKAGES): name
        for name, one in model.catalogue.services().items()
    }
    names = {key: known[key] for key in found if key in known}
    taken = {*names.values()}
    for kind, container in _by_table(model, found):
        if (kind, container) in names:
            continue
        other = container.replace("_", "-") if container != _PACKAGES else f"{kind}-packages"
        name = kind if kind not in taken else other
        if name != kind and (name in model.service_types or name in taken):
            name = f"{name}-found"
        taken.add(name)
        names[kind, container] = name
    return names


def _by_table(model: Model, found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that run their type's own image first, in the order of the tables of deployers."""
    own: dict[tuple[str, str], tuple[bool, int]] = {}
    for table in model.deployers.values():
        for number, (container, runs) in enumerate(table.containers.items()):
            own.setdefault((runs.type, container), (bool(runs.image), number))
    return sorted(found, key=lambda key: (own.get(key, (False, 0)), key))


def _images(nodes: Mapping[str, Records], services: Mapping[str, Records]) -> Records:
    """The image that most nodes run, of each image key; and what runs an image that no registry has."""
    runs: dict[str, dict[str, list[Records]]] = {}
    undigested: dict[str, dict[str, list[str]]] = {}
    for node, records in nodes.items():
        for container, one in records["containers"].items():
            if not one["running"] or one["kind"] not in _MOVED or not one["image_key"]:
                continue
            if one["references"]:
                runs.setdefault(one["image_key"], {}).setdefault(node, []).append(one)
            else:
                named = undigested.setdefault(container, {})
                named.setdefault(one["image"] or one["image_id"], []).append(node)
    return {
        "images": {key: _image(on) for key, on in sorted(runs.items())},
        "undigested": dict(sorted(undigested.items())),
    }


def _image(on: Mapping[str, list[Records]]) -> Records:
    """One image key: the reference for a release, and the nodes that run another image than that.

    An image may have several digests, its own and that of a list for several machines: of those that as many
    containers have, one under which a container was started.
    """
    containers = [one for some in on.values() for one in some]
    counts = Counter(digest for one in containers for digest in _digests(one))
    most = max(counts.values())
    best = {digest for digest, count in counts.items() if count == most}
    # The first of a container's references is of the repository that it was started from.
    firsts = [one["references"][0] for one in containers if one["digest"] in best]
    digest = min((one["digest"] for one in containers if one["digest"] in best), default=min(best))
    names = Counter(one for one in firsts if digest_of(one) == digest) or Counter(
        one for some in containers for one in some["references"] if digest_of(one) == digest
    )
    others: dict[str, list[str]] = {}
    for node, some in on.items():
        for one in some:
            if digest not in _digests(one):
                others.setdefault(one["digest"], []).append(node)
    differ = {node for some in others.values() for node in some}
    return {
        "reference": min(names, key=lambda one: (-names[one], one)),
        "digest": digest,
        "nodes": [node for node in on if node not in differ],
        "others": dict(sorted(others.items())),
    }


def _digests(one: Records) -> set[str]:
    return {reference.rpartition("@")[2] for reference in one["references"]}


def _unmapped(nodes: Mapping[str, Records]) -> dict[str, list[Records]]:
    """Containers that no service is made of: by name, one record for each deployer and kind."""
    found: dict[str, dict[tuple[str, str], Records]] = {}
    for node, records in nodes.items():
        for container, one in records["containers"].items():
            if one["kind"] not in (Kind.UNKNOWN, Kind.FOREIGN):
                continue
            by_owner = found.setdefault(container, {})
            record = by_owner.setdefault(
                (one["deployer"], one["kind"]),
                {"deployer": one["deployer"], "kind": one["kind"], "image": one["image"], "nodes": []},
            )
            record["nodes"].append(node)
    return {container: list(some.values()) for container, some in sorted(found.items())}
