"""Virtual addresses: each is on exactly one node, before a node that shares it is touched, and at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout.fleet import Fleet, Halted
from openstack_rollout.rollout.membership import Measured
from openstack_rollout.rollout.ports import Addresses

PATIENCE = 60.0  # seconds in which addresses may come to rest


def sharing(measured: Mapping[str, Compared]) -> list[frozenset[str]]:
    """The sets of nodes that may hold the same address, of those that are more than one node."""
    nodes: dict[str, set[str]] = {}
    for node, one in measured.items():
        for address in one.virtual_addresses:
            nodes.setdefault(address, set()).add(node)
    return list(dict.fromkeys(frozenset(some) for some in nodes.values() if len(some) > 1))


def at_risk(told: Mapping[str, Mapping[str, bool]], silent: Collection[str]) -> RolloutError | None:
    """VIRTUAL_ADDRESS_AT_RISK with the addresses that are not on exactly one node, None when all are.

    told: node → address → whether it holds it. silent: nodes that did not tell: one of them may hold what
    no other does. An address that one node alone may hold is its own affair.
    """
    of: dict[str, dict[str, bool]] = {}
    for node, addresses in told.items():
        for address, held in addresses.items():
            of.setdefault(address, {})[node] = held
    lines: list[str] = []
    nodes: set[str] = set()
    for address, those in sorted(of.items()):
        holders = sorted(node for node, held in those.items() if held)
        if len(holders) > 1:
            lines.append(f"{address} is on {' and '.join(holders)} at once")
        elif not holders and not silent and len(those) > 1:
            lines.append(f"{address} is on none of {', '.join(sorted(those))}")
        else:
            continue
        nodes |= those.keys()
    return RolloutError("VIRTUAL_ADDRESS_AT_RISK", "; ".join(lines), sorted(nodes)) if lines else None


def ask(addresses: Addresses, nodes: Iterable[str], silent: Collection[str]) -> RolloutError | None:
    """What at_risk says of nodes now. silent: further nodes, which were not measured."""
    asked = sorted(nodes)
    told = addresses(asked)
    return at_risk(told, {*silent, *asked} - told.keys())


def require(
    measured: Measured, touched: Collection[str], addresses: Addresses, fleet: Fleet, halted: Halted
) -> None:
    """Raise VIRTUAL_ADDRESS_AT_RISK while an address that nodes share is not on exactly one.

    touched: nodes that are, or were, changed: addresses that none of them may hold do not count. They may
    come to rest for PATIENCE seconds. halted: asked meanwhile; what it returns is raised.
    """
    for some in sharing(measured.nodes):
        if some.isdisjoint(touched):
            continue
        told = {node: measured.nodes[node].virtual_addresses for node in some}
        error = at_risk(told, measured.failures)
        for _ in range(int(PATIENCE)):
            if error is None:
                break
            if halt := halted():
                raise halt
            fleet.poll(1.0)
            error = ask(addresses, some, measured.failures)
        if error:
            raise error
