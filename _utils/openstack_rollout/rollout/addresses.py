"""Virtual addresses: each is on exactly one node, before a node that shares it is touched, and at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.facts import VirtualAddresses
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.fleet import Halted
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Ports

PATIENCE = 60.0  # seconds in which addresses may come to rest
_TAKERS = 2  # nodes that may hold an address and run: the one that goes, and one that takes it

#: Address → the nodes that may hold it.
Known = Mapping[str, Collection[str]]


def known(before: Known, measured: Mapping[str, Compared], ignored: Collection[str]) -> dict[str, list[str]]:
    """The addresses that nodes share, with those nodes.

    before: what was known already: a node whose keepalived has died since does not tell any more. ignored:
    addresses that do not count.
    """
    found = {address: set(nodes) for address, nodes in before.items()}
    for node, one in measured.items():
        for address in one.virtual_addresses.get("addresses", ()):
            found.setdefault(address, set()).add(node)
    return {address: sorted(nodes) for address, nodes in sorted(found.items()) if address not in ignored}


def sharing(shared: Known) -> list[frozenset[str]]:
    """The sets of nodes that may hold the same address, of those that are more than one node."""
    return list(dict.fromkeys(frozenset(nodes) for nodes in shared.values() if len(nodes) > 1))


def unknown(measured: Mapping[str, Compared]) -> frozenset[str]:
    """The nodes of which nobody can tell which addresses they share."""
    return frozenset(node for node, one in measured.items() if one.virtual_addresses.get("unknown"))


def at_risk(
    some: Collection[str], shared: Known, told: Mapping[str, VirtualAddresses], silent: Collection[str]
) -> RolloutError | None:
    """VIRTUAL_ADDRESS_AT_RISK with the addresses of some nodes that are not on exactly one of them, or could
    go nowhere; None when there is none.

    told: what the nodes tell that answered. silent: nodes that did not tell, of which one may hold what no
    other does.
    """
    lines = []
    for address, nodes in sorted(shared.items()):
        if frozenset(nodes) != frozenset(some):
            continue
        answered = [node for node in sorted(nodes) if node in told]
        holders = [node for node in answered if told[node].addresses.get(address)]
        dead = [node for node in sorted(nodes) if node not in told or not told[node].running]
        if len(holders) > 1:
            lines.append(f"{address} is on {' and '.join(holders)} at once")
        elif not holders and not silent and len(answered) == len(nodes):
            lines.append(f"{address} is on none of {', '.join(sorted(nodes))}")
        elif len(nodes) - len(dead) < _TAKERS:
            lines.append(f"{address} could go nowhere: keepalived does not run on {', '.join(dead)}")
    return RolloutError("VIRTUAL_ADDRESS_AT_RISK", "; ".join(lines), sorted(some)) if lines else None


def ask(ports: Ports, some: Collection[str], shared: Known, silent: Collection[str]) -> RolloutError | None:
    """What at_risk says of nodes now. silent: others, which were not measured."""
    return at_risk(some, shared, ports.addresses(sorted(some)), silent)


def peers(members: Membership, some: Iterable[str], silent: Collection[str]) -> set[str]:
    """Those of the silent nodes that have a role of one of these nodes: they may share its addresses."""
    roles = {role for node in some for role in members.roles_of(node)}
    return {node for node in silent if not roles.isdisjoint(members.roles_of(node))}


def require(  # noqa: PLR0917
    members: Membership,
    measured: Measured,
    touched: Collection[str],
    shared: Known,
    ports: Ports,
    halted: Halted,
) -> None:
    """Raise VIRTUAL_ADDRESS_AT_RISK while an address that nodes share is not on exactly one.

    touched: nodes that are, or were, changed: addresses that none of them may hold do not count. They may
    come to rest for PATIENCE seconds. halted: asked meanwhile; what it returns is raised.
    """
    for some in sharing(shared):
        if some.isdisjoint(touched):
            continue
        silent = peers(members, some, measured.failures)
        told = {
            node: VirtualAddresses(**one.virtual_addresses)
            for node, one in measured.nodes.items()
            if node in some
        }
        error = at_risk(some, shared, told, silent)
        for _ in range(int(PATIENCE)):
            if error is None:
                break
            if halt := halted():
                raise halt
            ports.fleet.poll(1.0)
            error = ask(ports, some, shared, silent)
        if error:
            raise error
