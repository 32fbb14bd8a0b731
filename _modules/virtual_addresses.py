"""The virtual addresses that this node shares with others: which of them it holds."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from openstack_rollout.node import keepalived


def found() -> dict:
    """The addresses that keepalived may hold on this node, and whether it holds them.

    Returns {"addresses": {address: held}, "running": whether a keepalived runs that may, "unknown": why that
    cannot be told, "" where it can}.

    An address counts as held where an interface has it other than `lo`: there, servers behind a balancer
    may have it all at once. Pacemaker's addresses are not among them: it keeps each on one node itself.

    CLI Example:

    .. code-block:: bash

        salt 'ctl*' virtual_addresses.found
    """
    shared = keepalived.found()
    held = set(_held()) if shared.addresses else set()
    addresses = {address: address in held for address in sorted(shared.addresses)}
    return {"addresses": addresses, "running": shared.running, "unknown": shared.unknown}


def _held() -> Iterator[str]:
    for name, interface in __salt__["network.interfaces"]().items():
        if name != "lo":
            listed = (interface.get(key, ()) for key in ("inet", "inet6", "secondary"))
            yield from (str(ipaddress.ip_address(one["address"])) for some in listed for one in some)
