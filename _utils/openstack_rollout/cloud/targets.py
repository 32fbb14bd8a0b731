"""Which hosts may take a server, and why the others may not: what Nova's scheduler and Placement will say.

Nova decides. This tells beforehand that it will find none, and which host it would take, so that no other is
ever named to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from openstack_rollout.cloud import aggregate_rules
from openstack_rollout.cloud.nova import Server, ServerGroup
from openstack_rollout.cloud.placement import Placement, Wanted, fits

_GRANULAR = re.compile(r"(resources|trait)[^:]+:")
_RESOURCES, _TRAIT = "resources:", "trait:"
_LAW = ("zone", "aggregate", "traits", "group")
_MIB_OF_GIB = 1024
_EMPTIEST, _FIRST, _FULLEST = -1, 0, 1


class Obstacle(NamedTuple):
    """Why a host may not take a server. kind: a fixed word, e.g. `zone`. text: read after the host's name."""

    kind: str
    text: str


@dataclass(frozen=True)
class Targets:
    """The hosts that a server could go to.

    wanted: what it wants of a host. lawful: those that may take it, were there room. roomy: those of lawful
    with room, most free memory first. suiting: those of roomy that it can migrate to live. obstacles: of the
    hosts that may not take it. unfit: of lawful, those that it cannot migrate to live, and why (for people).
    certain: those of suiting that may be named to Nova, since nothing that it alone knows speaks of them.
    """

    wanted: Wanted
    lawful: tuple[str, ...] = ()
    roomy: tuple[str, ...] = ()
    suiting: tuple[str, ...] = ()
    obstacles: Mapping[str, Obstacle] = field(default_factory=dict)
    unfit: Mapping[str, Obstacle] = field(default_factory=dict)
    certain: tuple[str, ...] = ()

    def without(self, hosts: Collection[str]) -> Targets:
        """The same without some hosts."""
        return replace(
            self,
            lawful=_without(self.lawful, hosts),
            roomy=_without(self.roomy, hosts),
            suiting=_without(self.suiting, hosts),
            certain=_without(self.certain, hosts),
        )


def of(
    server: Server,
    image: Mapping[str, object] | None,
    placement: Placement,
    excluded: Collection[str],
    *,
    leaves_zone: bool = False,
) -> Targets:
    """The hosts that a server could go to.

    image: properties of its image, {} where it has none, None where they are not known. excluded: hosts that
    take no servers. leaves_zone: as of zone_of.
    """
    wanted = wanted_of(server, image, placement)
    zone = zone_of(server, placement, leaves_zone=leaves_zone)
    groups = placement.groups_of(server)
    rules: dict[int, Obstacle | None] = {}  # what hosts of one kind have in common
    obstacles = {}
    lawful = []
    for host in placement.spare_hosts(excluded):
        kind = placement.kinds[host]
        if kind not in rules:
            rules[kind] = _obstacle(server, image or {}, placement, host, wanted=wanted, zone=zone)
        obstacle = (
            rules[kind] or (groups and _obstacle_of_groups(server, groups, placement.located, host)) or None
        )
        if obstacle is None:
            lawful.append(host)
        else:
            obstacles[host] = obstacle
    roomy = sorted(
        (host for host in lawful if placement.offers(wanted, host)),
        key=lambda host: -placement.free.get(host, {}).get("MEMORY_MB", 0),
    )
    unfit = {
        host: Obstacle(*found)
        for host in lawful
        if (found := placement.incompatibility(server.host, host)) is not None
    }
    suiting = [host for host in roomy if host not in unfit]
    # Nova's alone: what an image wanted that is gone, its owner's hints, and groups of resources.
    known = image is not None and not server.hints and not any(map(_GRANULAR.match, server.specs))
    sure = {
        kind: _is_certain(server, placement, host)
        for kind, host in {placement.kinds[host]: host for host in suiting}.items()
    }
    certain = [host for host in suiting if known and sure[placement.kinds[host]]]
    return Targets(wanted, tuple(lawful), tuple(roomy), tuple(suiting), obstacles, unfit, tuple(certain))


def zone_of(server: Server, placement: Placement, *, leaves_zone: bool = False) -> str:
    """The availability zone that a server has to stay in, "" for any.

    leaves_zone: whether it may leave its zone where Nova does not tell whether it is pinned to it.
    """
    if server.pinned is not None:
        # A zone that no aggregate makes, as the default one, binds nothing in a Nova that tells of pins.
        made = any(one.zone == server.pinned for one in placement.aggregates)
        return server.pinned if made else ""
    return "" if leaves_zone else server.zone


def wanted_of(server: Server, image: Mapping[str, object] | None, placement: Placement) -> Wanted:
    """What a server wants of its host, as Nova derives it of flavor, image and zone.

    image: properties of its image.
    """
    specs = server.specs
    dedicated = specs.get("hw:cpu_policy") or (image or {}).get("hw_cpu_policy")
    # Of a server that boots from a volume only what its flavor adds to the root disk is local.
    disk = (server.disk if server.image else server.ephemeral) - (-server.swap // _MIB_OF_GIB)
    amounts = {
        "PCPU" if dedicated == "dedicated" else "VCPU": server.vcpus,
        "MEMORY_MB": server.memory,
        "DISK_GB": disk,
    }
    for key, value in specs.items():
        if key.startswith(_RESOURCES) and value.isdecimal():
            amounts[key.removeprefix(_RESOURCES)] = int(value)
    traits = {
        key.removeprefix(_TRAIT): str(value)
        for key, value in {**(image or {}), **specs}.items()
        if key.startswith(_TRAIT)
    }
    zone = server.pinned
    return Wanted(
        tuple(sorted((name, amount) for name, amount in amounts.items() if amount > 0)),
        tuple(sorted(trait for trait, word in traits.items() if word == "required")),
        tuple(sorted(trait for trait, word in traits.items() if word == "forbidden")),
        tuple(sorted(one.id for one in placement.aggregates if zone and one.zone == zone and one.id)),
    )


def describe(targets: Targets) -> list[Obstacle]:
    """Why no host may take a server, or none has room: one obstacle a kind, for people after its name."""
    if not targets.lawful:
        found = []
        for kind in _LAW:
            texts = [f"{host} {one.text}" for host, one in targets.obstacles.items() if one.kind == kind]
            if texts:
                found.append(Obstacle(kind, f"may not go to any other host: {_some(texts)}"))
        return found
    if not targets.roomy:
        amounts = ", ".join(f"{amount} {name}" for name, amount in targets.wanted.resources)
        others = [f"{host} {one.text}" for host, one in targets.obstacles.items()]
        also = f" (the others may not take it: {_some(others)})" if others else ""
        return [Obstacle("no_room", f"has no room ({amounts}) on {_some(targets.lawful, ', ')}{also}")]
    return []


def together(
    wishes: Sequence[tuple[Server, Targets]], placement: Placement, *, spread: bool = True
) -> dict[str, str]:
    """A host for each of some servers that leave their hosts together: server id -> host.

    wishes: servers, and the hosts that they could go to; `suiting` of a server that migrates live, else
    `roomy`. spread: whether on the emptiest hosts, rather than on any with room, which is found faster. One
    that finds no room beside the others is not in what is returned.
    """
    best: dict[str, str] = {}
    # Those with the fewest hosts and the largest first.
    in_order = sorted(wishes, key=lambda one: (len(_hosts(one[1])), -one[0].memory, one[0].id))
    for order in (_EMPTIEST if spread else _FIRST, _FULLEST):
        found = _fill(in_order, placement, order)
        if len(found) == len(wishes):
            return found
        best = max(best, found, key=len)
    return best


def _fill(wishes: Sequence[tuple[Server, Targets]], placement: Placement, order: int) -> dict[str, str]:
    """Place servers one by one, as far as there is room.

    order: which of the hosts with room: _EMPTIEST, _FULLEST, or the _FIRST of its targets.
    """
    remaining = {host: dict(free) for host, free in placement.free.items()}
    located = dict(placement.located)
    placed: dict[str, str] = {}
    for server, targets in wishes:
        groups = placement.groups_of(server)
        allowed = (
            host
            for host in _hosts(targets)
            if (not targets.wanted.resources or fits(targets.wanted, remaining.get(host, {})))
            and not (groups and _obstacle_of_groups(server, groups, located, host))
        )
        if order == _FIRST:
            host = next(allowed, None)
        else:
            host = min(
                allowed, key=lambda name: order * remaining.get(name, {}).get("MEMORY_MB", 0), default=None
            )
        if host is None:
            continue
        placed[server.id] = located[server.id] = host
        free = remaining.setdefault(host, {})
        for name, amount in targets.wanted.resources:
            if name in free:
                free[name] -= amount
    return placed


def is_scarce(wishes: Sequence[tuple[Server, Targets]], placement: Placement) -> bool:
    """Whether servers that leave their hosts could take the room of each other. wishes: as of `together`.

    It is, where one of them would find no host, were each in its turn given the emptiest, as Nova does.
    """
    return len(_fill(wishes, placement, _EMPTIEST)) < len(wishes)


def _without(names: Iterable[str], left_out: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in left_out)


def _hosts(targets: Targets) -> tuple[str, ...]:
    return targets.suiting or targets.roomy


def _obstacle(
    server: Server,
    image: Mapping[str, object],
    placement: Placement,
    host: str,
    *,
    wanted: Wanted,
    zone: str,
) -> Obstacle | None:
    """Why a host, and any of its kind, may not take a server; None when it may."""
    there = placement.services[host].zone
    if zone and there != zone:
        bound = "is pinned to" if server.pinned else "is in, and may be pinned to"
        return Obstacle("zone", f"is in zone {there}, it {bound} {zone}")
    aggregates = placement.aggregates_of
    why = aggregate_rules.objection(server, image, aggregates(server.host), aggregates(host))
    if why:
        return Obstacle("aggregate", why)
    traits = placement.traits.get(host)
    if traits is not None:
        lacking = [trait for trait in wanted.required if trait not in traits]
        refused = [trait for trait in wanted.forbidden if trait in traits]
        if lacking or refused:
            lacks = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(refused)}"
            return Obstacle("traits", lacks)
    return None


def _is_certain(server: Server, placement: Placement, host: str) -> bool:
    """Whether no setting of the cloud that is not known can keep a host from taking a server."""
    here, there = placement.aggregates_of(server.host), placement.aggregates_of(host)
    stays = server.pinned is not None or server.zone in ("", placement.services[host].zone)
    return stays and not aggregate_rules.is_doubtful(server, here, there, placement.aggregates)


def _obstacle_of_groups(
    server: Server, groups: Iterable[ServerGroup], located: Mapping[str, str], host: str
) -> Obstacle | None:
    """Why a host may not take a server because of its groups, None when it may."""
    texts = (_group_obstacle(server, group, located, host) for group in groups)
    return next((Obstacle("group", text) for text in texts if text), None)


def _group_obstacle(server: Server, group: ServerGroup, located: Mapping[str, str], host: str) -> str:
    """Why a host may not take a member of a server group, "" if it may. located: server id -> host."""
    others = [member for member in group.members if member != server.id]
    if group.policy == "anti-affinity":
        count = sum(located.get(member) == host for member in others)
        if count >= group.most:
            return f"has {count} of its server group {group.name} (anti-affinity)"
    if group.policy == "affinity":
        # A member whose host is not known counts as one that is with it.
        hosts = {located.get(member, server.host) for member in others} - {""}
        if hosts and host not in hosts:
            return f"has none of its server group {group.name} (affinity)"
    return ""


def _some(texts: Iterable[str], separator: str = "; ", limit: int = 4) -> str:
    found = list(texts)
    more = f" and {len(found) - limit} more" if found[limit:] else ""
    return separator.join(found[:limit]) + more
