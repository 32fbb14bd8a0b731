"""The compute hosts of a cloud: which are up, what they have free, what they can do, how they are grouped.

Read from Nova and Placement in a few requests, whatever the size of the cloud, and one for each kind of
servers: whether a host can take one is Placement's answer. The rest only computes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud, status_of
from openstack_rollout.cloud.nova import Aggregate, Server, ServerGroup, Service

_ALLOCATION_CANDIDATES_VERSION = "1.29"
_OLDEST_QEMU = 2005000  # 2.5.0, as Nova writes it
_LIBVIRT_TYPES = ("QEMU", "KVM")
_BAD_REQUEST = 400


class Incompatibility(NamedTuple):
    """Why a server cannot migrate live to a host. kind: `hypervisor`, `cpu` or `qemu`. text: for people."""

    kind: str
    text: str


class Wanted(NamedTuple):
    """What a server wants of its host, as Nova asks Placement for it.

    resources: (class, amount). required, forbidden: traits. aggregates: the host has to be in one of these,
    by UUID; () for any.
    """

    resources: tuple[tuple[str, int], ...]
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    aggregates: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        """The query of GET /allocation_candidates for it."""
        traits = [*self.required, *(f"!{trait}" for trait in self.forbidden)]
        words = {
            "resources": ",".join(f"{name}:{amount}" for name, amount in self.resources),
            **({"required": ",".join(traits)} if traits else {}),
            **({"member_of": f"in:{','.join(self.aggregates)}"} if self.aggregates else {}),
        }
        return urlencode(words, safe=":,!")


@dataclass
class Placement:
    """The compute hosts of a cloud at one moment.

    services: host -> nova-compute. hypervisors: host -> Nova's data on it. free: host -> resource class ->
    free amount (MiB for MEMORY_MB, GiB for DISK_GB). groups: the server groups. aggregates: the host
    aggregates. traits: host -> those that Placement has of it; a host without free memory is not in it.
    candidates: what servers want -> the hosts that Placement offers for it; has what `ask` was called for.
    located: server id -> host, of members of groups; has what `locate` was called for.
    """

    services: Mapping[str, Service]
    hypervisors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    free: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    groups: Sequence[ServerGroup] = ()
    aggregates: Sequence[Aggregate] = ()
    traits: Mapping[str, Collection[str]] = field(default_factory=dict)
    candidates: dict[Wanted, frozenset[str]] = field(default_factory=dict)
    located: dict[str, str] = field(default_factory=dict)
    _obstacles: dict[tuple[str, str], Incompatibility | None] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, cloud: Cloud) -> Placement:
        """Ask Nova and Placement. Raises RolloutError API_UNREACHABLE."""
        hypervisors = nova.hypervisors(cloud)
        free, traits = _summaries(cloud, _hosts_of_providers(hypervisors))
        return cls(
            services=nova.services(cloud),
            hypervisors=hypervisors,
            free=free,
            groups=nova.server_groups(cloud),
            aggregates=nova.aggregates(cloud),
            traits=traits,
        )

    def ask(self, cloud: Cloud, wanted: Iterable[Wanted]) -> None:
        """Ask Placement which hosts it offers for what servers want; one request for each kind of servers.

        Raises RolloutError API_UNREACHABLE.
        """
        hosts = _hosts_of_providers(self.hypervisors)
        for one in set(wanted) - set(self.candidates):
            self.candidates[one] = _candidates(cloud, one, hosts)

    def locate(self, cloud: Cloud, servers: Iterable[Server]) -> None:
        """Find the hosts of all members of the groups that servers are in.

        Raises RolloutError API_UNREACHABLE.
        """
        servers = list(servers)
        self.located.update({one.id: one.host for one in servers})
        members = {member for one in servers for group in self.groups_of(one) for member in group.members}
        for member in sorted(members - set(self.located)):
            found = nova.find_server(cloud, member)
            self.located[member] = found.host if found else ""

    def spare_hosts(self, excluded: Collection[str]) -> list[str]:
        """The hosts that are enabled and up, without the excluded ones (host names)."""
        return [
            host for host, one in self.services.items() if one.enabled and one.up and host not in excluded
        ]

    def incompatibility(self, source: str, target: str) -> Incompatibility | None:
        """Why servers of a host cannot migrate live to another; None if they can.

        source, target (str): host names.
        """
        if (source, target) not in self._obstacles:
            self._obstacles[source, target] = self._incompatibility(source, target)
        return self._obstacles[source, target]

    def _incompatibility(self, source: str, target: str) -> Incompatibility | None:
        here, there = self.hypervisors.get(source) or {}, self.hypervisors.get(target) or {}
        kinds = here.get("hypervisor_type"), there.get("hypervisor_type")
        if all(kinds) and kinds[0] != kinds[1]:
            return Incompatibility(
                "hypervisor", f"{target} has another hypervisor ({kinds[1]}, not {kinds[0]})"
            )
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

    def aggregates_of(self, host: str) -> list[Aggregate]:
        """The host aggregates that a host (name) is in."""
        return self._aggregates_by_host.get(host, [])

    @cached_property
    def kinds(self) -> dict[str, int]:
        """Host -> a number that is equal for hosts of one zone, the same aggregates and the same traits."""
        numbers: dict[tuple[object, ...], int] = {}
        return {
            host: numbers.setdefault(
                (
                    service.zone,
                    tuple(id(one) for one in self.aggregates_of(host)),
                    frozenset(self.traits[host]) if host in self.traits else None,
                ),
                len(numbers),
            )
            for host, service in self.services.items()
        }

    def offers(self, wanted: Wanted, host: str) -> bool:
        """Whether a host (name) has room for what a server wants, beside all that it has already."""
        if not wanted.resources:
            return True
        offered = self.candidates.get(wanted)
        return (offered is None or host in offered) and fits(wanted, self.free.get(host) or {})

    def groups_of(self, server: Server) -> list[ServerGroup]:
        """The server groups of a server that have other members too."""
        return self._groups_by_server.get(server.id, [])

    @cached_property
    def _aggregates_by_host(self) -> dict[str, list[Aggregate]]:
        found: dict[str, list[Aggregate]] = {}
        for one in self.aggregates:
            for host in one.hosts:
                found.setdefault(host, []).append(one)
        return found

    @cached_property
    def _groups_by_server(self) -> dict[str, list[ServerGroup]]:
        found: dict[str, list[ServerGroup]] = {}
        for group in self.groups:
            for member in group.members if len(group.members) > 1 else ():
                found.setdefault(member, []).append(group)
        return found


def fits(wanted: Wanted, free: Mapping[str, int]) -> bool:
    """Whether what a host has free, as in Placement.free, is enough for what a server wants."""
    # A class that Placement does not list is not counted there: pinned CPUs may still be VCPU.
    return bool(free) and all(free[name] >= amount for name, amount in wanted.resources if name in free)


def _hosts_of_providers(hypervisors: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Root resource provider -> host: a hypervisor's id is its provider's."""
    return {str(data["id"]): host for host, data in hypervisors.items()}


def _summaries(
    cloud: Cloud, hosts: Mapping[str, str]
) -> tuple[dict[str, dict[str, int]], dict[str, frozenset[str]]]:
    """Of hosts with free memory: host -> resource class -> free amount, and host -> traits.

    hosts: resource provider id -> host.
    """
    answer = _allocation_candidates(cloud, "resources=MEMORY_MB:1")
    free: dict[str, dict[str, int]] = {}
    traits: dict[str, frozenset[str]] = {}
    for provider, summary in answer["provider_summaries"].items():
        host = hosts.get(summary.get("root_provider_uuid") or provider)
        if host is None:
            continue
        traits[host] = traits.get(host, frozenset()) | frozenset(summary["traits"])
        for name, amount in summary["resources"].items():
            there = free.setdefault(host, {})
            there[name] = there.get(name, 0) + amount["capacity"] - amount["used"]
    return free, traits


def _candidates(cloud: Cloud, wanted: Wanted, hosts: Mapping[str, str]) -> frozenset[str]:
    """The hosts that Placement offers. hosts: resource provider id -> host."""
    asked = [wanted]
    if dict(wanted.resources).get("PCPU"):
        # Nova takes hosts that still count pinned CPUs as VCPU as well.
        resources = tuple(("VCPU" if name == "PCPU" else name, amount) for name, amount in wanted.resources)
        asked.append(wanted._replace(resources=resources))
    return frozenset(host for one in asked for host in _offered(cloud, one, hosts))


def _offered(cloud: Cloud, wanted: Wanted, hosts: Mapping[str, str]) -> set[str]:
    try:
        answer = _allocation_candidates(cloud, wanted.query)
    except Exception as error:
        if status_of(error) != _BAD_REQUEST:
            raise
        return set()  # a trait or class that Placement does not know: Nova finds no host for it either
    roots = {
        provider: summary.get("root_provider_uuid") or provider
        for provider, summary in answer["provider_summaries"].items()
    }
    used = {roots[provider] for one in answer["allocation_requests"] for provider in one["allocations"]}
    return {hosts[root] for root in used if root in hosts}


def _allocation_candidates(cloud: Cloud, query: str) -> Any:
    return cloud.get_json("placement", f"/allocation_candidates?{query}", _ALLOCATION_CANDIDATES_VERSION)


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
