"""The hosts of a cloud as a drain needs them: who is up, who has room, who can run what.

Gathered in a handful of calls, whatever the size of the cloud; the questions asked of it are pure.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.nova import Guest, Service

_CAPACITY = "1.29"
_OLDEST_QEMU = 2005000  # Nova writes 2.5.0 like that
_LIBVIRT_TYPES = ("QEMU", "KVM")


class Unsuited(NamedTuple):
    """Why a host cannot run a server: kind (cpu, qemu), and text for people."""

    kind: str
    text: str


@dataclass
class Landscape:
    """services, hypervisors (Nova's facts) and free ({resource class: amount}), each by host. groups: (name,
    policy, server ids).
    """

    services: Mapping[str, Service]
    hypervisors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    free: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    groups: Sequence[tuple[str, str, Sequence[str]]] = ()
    taken: float = 0.0

    @classmethod
    def of(cls, cloud: Cloud, *, groups: bool = True) -> Landscape:
        """Ask Nova and Placement. Raises RolloutError API_UNREACHABLE."""
        hypervisors = nova.hypervisors(cloud)
        return cls(
            services=nova.services(cloud),
            hypervisors=hypervisors,
            free=_free(cloud, {str(facts["id"]): host for host, facts in hypervisors.items()}),
            groups=nova.groups(cloud) if groups else (),
            taken=time.monotonic(),
        )

    def spares(self, away: Collection[str]) -> list[str]:
        """The hosts that can take servers while `away` cannot."""
        return [host for host, one in self.services.items() if one.enabled and one.up and host not in away]

    def unsuited(self, source: str, target: str) -> Unsuited | None:
        """Why a server of source could not run on target as it is, None when nothing speaks against it."""
        here, there = self.hypervisors.get(source) or {}, self.hypervisors.get(target) or {}
        lacking = sorted(_features(here) - _features(there)) if _features(there) else []
        if lacking:
            more = f" and {len(lacking) - 3} more" if lacking[3:] else ""
            return Unsuited("cpu", f"{target} lacks CPU features {', '.join(lacking[:3])}{more}")
        if here.get("hypervisor_type") not in _LIBVIRT_TYPES or not there:
            return None
        ours, theirs = _qemu(here), _qemu(there)
        if min(ours, theirs) <= _OLDEST_QEMU:
            text = f"QEMU {_version(min(ours, theirs))} is not newer than 2.5 ({source}, {target})"
            return Unsuited("qemu", text)
        if theirs < ours:
            text = f"{target} has an older QEMU ({_version(theirs)}) than {source} ({_version(ours)})"
            return Unsuited("qemu", text)
        return None

    def newer_qemu(self, source: str, targets: Iterable[str]) -> list[str]:
        """The targets with another, newer QEMU: the way there is open, the way back is not."""
        ours = _qemu(self.hypervisors.get(source) or {})
        return [host for host in targets if ours and _qemu(self.hypervisors.get(host) or {}) > ours]

    def room_for(self, guest: Guest, hosts: Iterable[str]) -> list[str]:
        """The hosts with enough free for a server, most memory first."""
        wanted = demand(guest)
        fitting = [host for host in hosts if _fits(wanted, self.free.get(host) or {})]
        return sorted(fitting, key=lambda host: -self.free[host].get("MEMORY_MB", 0))

    def holds(self, guests: Iterable[Guest], hosts: Sequence[str]) -> bool:
        """Whether hosts have room for all of these servers together (first fit, the largest first)."""
        left = {host: dict(self.free.get(host) or {}) for host in hosts}
        for guest in sorted(guests, key=lambda one: -one.memory):
            wanted = demand(guest)
            host = next((name for name in hosts if _fits(wanted, left[name])), None)
            if host is None:
                return False
            for name, amount in wanted.items():
                left[host][name] = left[host].get(name, 0) - amount
        return True

    def group_of(self, guest: Guest) -> tuple[str, str, Sequence[str]] | None:
        """The server group a server is in."""
        return next((group for group in self.groups if guest.id in group[2]), None)


def demand(guest: Guest) -> dict[str, int]:
    """What a server takes of its host, by resource class."""
    cpus = "PCPU" if guest.specs.get("hw:cpu_policy") == "dedicated" else "VCPU"
    wanted = {cpus: guest.vcpus, "MEMORY_MB": guest.memory, "DISK_GB": guest.disk if guest.image else 0}
    return {name: amount for name, amount in wanted.items() if amount}


def _fits(wanted: Mapping[str, int], free: Mapping[str, int]) -> bool:
    # A class that Placement does not tell of is not counted there: pinned CPUs may still be VCPU.
    return bool(free) and all(free[name] >= amount for name, amount in wanted.items() if name in free)


def _free(cloud: Cloud, hosts: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """What is free on each host that has anything free. hosts: resource provider -> host."""
    answer = cloud.ask("placement", "/allocation_candidates?resources=MEMORY_MB:1", _CAPACITY)
    found: dict[str, dict[str, int]] = {}
    for provider, told in answer["provider_summaries"].items():
        host = hosts.get(told.get("root_provider_uuid") or provider)
        for name, amount in told["resources"].items():
            if host is not None:
                free = found.setdefault(host, {})
                free[name] = free.get(name, 0) + amount["capacity"] - amount["used"]
    return found


def _features(facts: Mapping[str, Any]) -> set[str]:
    cpu = facts.get("cpu_info")
    return set(cpu.get("features") or ()) if isinstance(cpu, Mapping) else set()


def _qemu(facts: Mapping[str, Any]) -> int:
    return int(facts.get("hypervisor_version") or 0) if facts.get("hypervisor_type") in _LIBVIRT_TYPES else 0


def _version(number: int) -> str:
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
