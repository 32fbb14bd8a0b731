"""Whom an update is felt by: servers and addresses that are probed while it runs."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator, WithJsonSchema, model_validator

from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import Address, Line, Text, WholeNumber
from openstack_rollout.declared.problems import Path, Wrong, finite, not_a, raise_all, shown

#: Servers and addresses that may be chosen, and probes in a second in all.
MOST, MOST_PER_SECOND = 200, 500
_SHORTEST, _LONGEST = 0.1, 60.0


def _seconds(value: Any) -> float:
    if (number := finite(value)) is None:
        raise Wrong(not_a("a number of seconds", value))
    if not _SHORTEST <= number <= _LONGEST:
        raise Wrong(f"{shown(value)} is not allowed: give seconds from {_SHORTEST:g} to {_LONGEST:g}")
    return number


def _of_one_machine(value: str) -> str:
    address = ipaddress.ip_address(value)
    if address.is_multicast or address.is_unspecified or address == ipaddress.ip_address("255.255.255.255"):
        raise Wrong(f"{shown(value)} is no address of one machine")
    if address.version == 6 and address.is_link_local:
        raise Wrong(f"{shown(value)} is a link-local address, which the master cannot tell the link of")
    return value


Interval = Annotated[
    float,
    PlainValidator(_seconds),
    WithJsonSchema({"type": "number", "minimum": _SHORTEST, "maximum": _LONGEST}),
]
OfOneMachine = Annotated[Address, AfterValidator(_of_one_machine)]
Minion = Annotated[
    str,
    Text(r"[A-Za-z0-9][A-Za-z0-9_.@-]*", "has to be the id of one minion, no target", 255),
]


class Audit(Strict):
    """What guests feel of an update: servers and addresses that are probed while it runs."""

    servers: list[Line] = []
    """Servers, by Nova's names or ids: probed at their floating addresses, or at their first fixed one where
    they have none."""
    addresses: list[OfOneMachine] = []
    """Further addresses, such as floating ones."""
    tcp_port: Annotated[int, WholeNumber(1, 65_535)] | None = None
    """A TCP port that has to take a connection; a ping (ICMP) by default."""
    node: Minion | None = None
    """The minion that probes, such as one that is outside of the cloud; the master by default."""
    interval: Interval = 1.0
    """Seconds from one probe of an address to the next: how exactly gaps are told."""
    per_second: Annotated[int, WholeNumber(1, MOST_PER_SECOND)] = 50
    """Probes in a second in all, at most. Where that is less than interval asks for, each address is probed
    less often, and the report says how often."""

    @model_validator(mode="after")
    def _of_somebody(self) -> Audit:
        chosen = len(self.servers) + len(self.addresses)
        if not chosen:
            raise Wrong("chooses nobody: give servers or addresses, or leave it out")
        if chosen > MOST:
            raise Wrong(f"has {chosen} servers and addresses, {MOST} are allowed")
        raise_all([*_twice("servers", self.servers), *_twice("addresses", self.addresses)])
        return self

    def apart(self, addresses: int) -> float:
        """Seconds from one probe of an address to the next, where there are so many."""
        return max(self.interval, addresses / self.per_second)


def _twice(key: str, names: Sequence[str]) -> Iterator[tuple[Path, str]]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield (key, number), f"{shown(name)} is there twice"
