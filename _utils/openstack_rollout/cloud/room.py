"""How many hosts can be drained together: their servers compete for the room on the hosts that are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from openstack_rollout.cloud import risks, targets
from openstack_rollout.cloud.nova import Server
from openstack_rollout.cloud.risks import Assessment, Conditions, MigrationPolicy
from openstack_rollout.cloud.targets import Targets


def count(
    hosts: Sequence[str],
    servers: Mapping[str, Sequence[Server]],
    conditions: Conditions,
    policy: MigrationPolicy,
) -> int:
    """How many of some hosts, counted from the first, the others have room for the servers of.

    servers: host -> those that are still to leave it. conditions: gathered for all of them. policy: the
    operator's choices. A server that stays whatever becomes of the other hosts needs no room, and neither do
    those on a host whose drain will be refused because of one.
    """
    now = conditions.placement
    services = {**now.services}
    for host in hosts:
        services[host] = replace(services[host], enabled=True, up=True)
    back = replace(conditions, placement=replace(now, services=services))
    leaving: list[list[tuple[Server, Targets]]] = []
    for host in hosts:
        found = _leaving(servers[host], replace(back, excluded=frozenset((host,))), policy)
        here = replace(conditions, excluded=frozenset((host,)))
        none_away = services == now.services
        leaving.append(
            [
                (
                    one.server,
                    _by_its_way(
                        one, one.targets if none_away and one.targets else here.targets_of(one.server, policy)
                    ),
                )
                for one in found
            ]
        )

    def have_room(number: int) -> bool:
        away = frozenset(hosts[:number])
        wishes = [(server, found.without(away)) for some in leaving[:number] for server, found in some]
        return bool(now.spare_hosts(away)) and len(targets.together(wishes, now, spread=False)) == len(wishes)

    fewest, most = 0, len(hosts)
    while fewest < most:
        middle = (fewest + most + 1) // 2
        if have_room(middle):
            fewest = middle
        else:
            most = middle - 1
    return fewest


def _by_its_way(one: Assessment, found: Targets) -> Targets:
    """The hosts for a server as it moves: live it cannot go to just any host with room."""
    return replace(found, roomy=found.suiting) if one.action == risks.LIVE else found


def _leaving(servers: Sequence[Server], conditions: Conditions, policy: MigrationPolicy) -> list[Assessment]:
    """The servers that a drain of their host will move, if none of the other hosts were away."""
    assessed = risks.assess_all(servers, conditions, policy)
    refused = (risks.FAILS, risks.SKIPPED)
    if any(one.action in refused and not one.waits_for_room for one in assessed):
        return []
    return [one for one in assessed if one.moves or one.waits_for_room]
