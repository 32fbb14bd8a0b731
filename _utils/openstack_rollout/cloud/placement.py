"""Where servers can go: which hosts are up, which have free capacity, and which can run a given server.

Read from Nova and Placement in a few requests, whatever the size of the cloud. The rest only computes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.nova import Server, Service

_ALLOCATION_CANDIDATES_VERSION = "1.29"
_OLDEST_QEMU = 2005000  # 2.5.0, as Nova writes it
_LIBVIRT_TYPES = ("QEMU", "KVM")


class Incompatibility(NamedTuple):
    """Why a host cannot run a server of another host. kind: `cpu` or `qemu`. text: for people."""

    kind: str
    text: str


@dataclass
class Placement:
    """The compute hosts of a cloud at one moment.

    services: host -> nova-compute. hypervisors: host -> Nova's data on it. free: host -> resource class ->
    free amount (MiB for MEMORY_MB, GiB for DISK_GB). groups: (name, policy, server ids) of each server group.
    """

    services: Mapping[str, Service]
    hypervisors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    free: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    groups: Sequence[tuple[str, str, Sequence[str]]] = ()

    @classmethod
    def read(cls, cloud: Cloud, *, groups: bool = True) -> Placement:
        """Ask Nova and Placement.

        groups (bool): whether for server groups too. Raises RolloutError API_UNREACHABLE.
        """
        hypervisors = nova.hypervisors(cloud)
        return cls(
            services=nova.services(cloud),
            hypervisors=hypervisors,
            free=_free(cloud, {str(data["id"]): host for host, data in hypervisors.items()}),
            groups=nova.server_groups(cloud) if groups else (),
        )

    def spare_hosts(self, excluded: Collection[str]) -> list[str]:
        """The hosts that are enabled and up, without the excluded ones (host names)."""
        return [
            host for host, one in self.services.items() if one.enabled and one.up and host not in excluded
        ]

    def incompatibility(self, source: str, target: str) -> Incompatibility | None:
        """Why servers of a host cannot migrate live to another; None if they can.

        source, target (str): host names.
        """
        here, there = self.hypervisors.get(source) or {}, self.hypervisors.get(target) or {}
        lacking = sorted(_features(here) - _features(there)) if _features(there) else []
        if lacking:
            more = f" and {len(lacking) - 3} more" if lacking[3:] else ""
            return Incompatibility("cpu", f"{target} lacks CPU features {', '.join(lacking[:3])}{more}")
        if here.get("hypervisor_type") not in _LIBVIRT_TYPES or not there:
            return None
        present, other = _qemu(here), _qemu(there)
        if min(present, other) <= _OLDEST_QEMU:
            text = f"QEMU {_version(min(present, other))} is not newer than 2.5 ({source}, {target})"
            return Incompatibility("qemu", text)
        if other < present:
            text = f"{target} has an older QEMU ({_version(other)}) than {source} ({_version(present)})"
            return Incompatibility("qemu", text)
        return None

    def newer_qemu(self, source: str, targets: Iterable[str]) -> list[str]:
        """The targets with a newer QEMU than source: a server can migrate there, but not back.

        source (str), targets: host names.
        """
        present = _qemu(self.hypervisors.get(source) or {})
        return [host for host in targets if present and _qemu(self.hypervisors.get(host) or {}) > present]

    def hosts_for(self, server: Server, hosts: Iterable[str]) -> list[str]:
        """Those of some hosts with enough free capacity for a server, most free memory first."""
        wanted = resources_of(server)
        fitting = [host for host in hosts if _fits(wanted, self.free.get(host) or {})]
        return sorted(fitting, key=lambda host: -self.free[host].get("MEMORY_MB", 0))

    def fits_all(self, servers: Iterable[Server], hosts: Sequence[str]) -> bool:
        """Whether hosts have capacity for all of these servers together (first fit, the largest first)."""
        remaining = {host: dict(self.free.get(host) or {}) for host in hosts}
        for server in sorted(servers, key=lambda one: -one.memory):
            wanted = resources_of(server)
            host = next((name for name in hosts if _fits(wanted, remaining[name])), None)
            if host is None:
                return False
            for name, amount in wanted.items():
                remaining[host][name] = remaining[host].get(name, 0) - amount
        return True

    def group_of(self, server: Server) -> tuple[str, str, Sequence[str]] | None:
        """The server group of a server (name, policy, server ids), None when it is in none."""
        return next((group for group in self.groups if server.id in group[2]), None)


def resources_of(server: Server) -> dict[str, int]:
    """What a server takes of its host, as in Placement.free."""
    cpus = "PCPU" if server.specs.get("hw:cpu_policy") == "dedicated" else "VCPU"
    wanted = {cpus: server.vcpus, "MEMORY_MB": server.memory, "DISK_GB": server.disk if server.image else 0}
    return {name: amount for name, amount in wanted.items() if amount}


def _fits(wanted: Mapping[str, int], free: Mapping[str, int]) -> bool:
    # A class that Placement does not list is not counted there: pinned CPUs may still be VCPU.
    return bool(free) and all(free[name] >= amount for name, amount in wanted.items() if name in free)


def _free(cloud: Cloud, hosts: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Host -> resource class -> free amount, for hosts with free memory.

    hosts: resource provider id -> host.
    """
    answer = cloud.get_json(
        "placement", "/allocation_candidates?resources=MEMORY_MB:1", _ALLOCATION_CANDIDATES_VERSION
    )
    found: dict[str, dict[str, int]] = {}
    for provider, summary in answer["provider_summaries"].items():
        host = hosts.get(summary.get("root_provider_uuid") or provider)
        for name, amount in summary["resources"].items():
            if host is not None:
                free = found.setdefault(host, {})
                free[name] = free.get(name, 0) + amount["capacity"] - amount["used"]
    return found


def _features(hypervisor: Mapping[str, Any]) -> set[str]:
    cpu = hypervisor.get("cpu_info")
    return set(cpu.get("features") or ()) if isinstance(cpu, Mapping) else set()


def _qemu(hypervisor: Mapping[str, Any]) -> int:
    return (
        int(hypervisor.get("hypervisor_version") or 0)
        if hypervisor.get("hypervisor_type") in _LIBVIRT_TYPES
        else 0
    )


def _version(number: int) -> str:
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
