"""What could go wrong with each server when its host is drained, and what the policy will then do.

A blocking risk prevents a live migration. The others are only reported. `gather`, `unmovable_servers` and
`assess_host` ask the cloud's APIs; the rest only computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from openstack_rollout.cloud import neutron, nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.nova import Server
from openstack_rollout.cloud.placement import Placement
from openstack_rollout.cloud.server_migration import COLD, LIVE, timeout_of

_PASSTHROUGH_PORTS = (
    "direct",
    "direct-physical",
    "macvtap",
    "accelerator-direct",
    "accelerator-direct-physical",
)
_HOSTS_ASKED_SINGLY = 10  # for more hosts, all servers of the cloud are listed at once
STAYS, SKIPPED, FAILS = "stays", "node is skipped", "drain fails"
ACTION_OF_POLICY = {"fail": FAILS, "skip": SKIPPED, "leave": STAYS}


class MigrationPolicy(Protocol):
    """What an operator chose for servers that leave a compute (openstack:policies:compute)."""

    @property
    def unmovable(self) -> str:
        """What becomes of a server that cannot migrate live: fail, skip, leave or cold."""

    @property
    def on_timeout(self) -> str:
        """What is done with a migration that takes too long: abort or force_complete."""

    @property
    def timeout_per_gib(self) -> float:
        """Seconds that a migration may take for each GiB of memory."""

    @property
    def large_memory_gib(self) -> float:
        """From how many GiB on a server's memory counts as large."""


@dataclass(frozen=True)
class Risk:
    """Something that may go wrong with a server's migration.

    kind: a fixed word, e.g. `locked`. text: for people, to be read after the server's name. blocks: whether
    it prevents a live migration. cold: whether a cold migration is possible all the same.
    """

    kind: str
    text: str
    blocks: bool = False
    cold: bool = False


@dataclass(frozen=True)
class Assessment:
    """What a drain does with a server.

    action: LIVE, COLD, STAYS, SKIPPED or FAILS. why: for people, to be read after the server's name; "" for
    LIVE. target: the host it is to go to, or None to let the scheduler choose.
    """

    server: Server
    risks: tuple[Risk, ...]
    action: str
    why: str = ""
    target: str | None = None


@dataclass
class Conditions:
    """What the risks of servers depend on, beside the servers themselves.

    placement: where servers can go. ports: server id -> VNIC types of its passthrough ports; has every server
    that this was gathered for. images: image id -> properties. excluded: hosts that take no servers.
    """

    placement: Placement
    ports: Mapping[str, Sequence[str]] = field(default_factory=dict)
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()

    def covers(self, servers: Iterable[Server]) -> bool:
        """Whether it was gathered for all of these servers."""
        return all(server.id in self.ports for server in servers)


def gather(cloud: Cloud, host: str, servers: Iterable[Server]) -> Conditions:
    """What the risks of servers depend on, asked of Nova, Placement, Neutron and Glance.

    host (str): the host that is drained, which takes no servers; "" for none. Raises RolloutError
    API_UNREACHABLE.
    """
    servers = list(servers)
    ports = {
        server_id: [port.binding_vnic_type for port in found if port.binding_vnic_type in _PASSTHROUGH_PORTS]
        for server_id, found in neutron.ports_of(cloud, [server.id for server in servers]).items()
    }
    images = {}
    for image in {server.image for server in servers if server.image}:
        found = cloud.retry("images", partial(cloud.api.image.find_image, image))
        images[image] = dict(found.to_dict(computed=False), **(found.properties or {})) if found else {}
    return Conditions(Placement.read(cloud), ports, images, frozenset((host,)))


def assess_all(
    servers: Iterable[Server], conditions: Conditions, policy: MigrationPolicy
) -> list[Assessment]:
    """The assessment of each server, in their order. Arguments as of `assess`."""
    return [assess(server, conditions, policy) for server in servers]


def assess(server: Server, conditions: Conditions, policy: MigrationPolicy) -> Assessment:
    """What a drain does with one server under a policy.

    conditions: gathered for this server. policy: the operator's choices.
    """
    if server.at_rest:
        risk = Risk("at_rest", f"is {server.status}: nothing of it runs there")
        return Assessment(server, (risk,), STAYS, risk.text)
    targets, of_targets = _targets(server, conditions)
    risks = (
        *_state(server),
        *_hardware(server, conditions, policy),
        *_group(server, conditions),
        *of_targets,
    )
    blocking = [risk for risk in risks if risk.blocks]
    why = "; ".join(risk.text for risk in blocking)
    if not blocking:
        some_unfit = len(targets) < len(conditions.placement.spare_hosts(conditions.excluded))
        return Assessment(server, risks, LIVE, target=targets[0] if some_unfit and targets else None)
    if policy.unmovable == "cold":
        return Assessment(server, risks, COLD if all(risk.cold for risk in blocking) else FAILS, why)
    return Assessment(server, risks, ACTION_OF_POLICY[policy.unmovable], why)


def report(assessments: Iterable[Assessment], policy: MigrationPolicy) -> list[dict[str, Any]]:
    """Assessments as plain data, for `workload.risks`: one dict a server, with what will be done and why."""
    lines = []
    for one in assessments:
        timeout = timeout_of(one.server, policy.timeout_per_gib)
        migration = f"{one.action} migration, {policy.on_timeout} after {timeout:.0f} s"
        lines.append(
            {
                "server": one.server.name,
                "id": one.server.id,
                "host": one.server.host,
                "status": one.server.status,
                "memory_mib": one.server.memory,
                "risks": {risk.kind: risk.text for risk in one.risks},
                "will": migration if one.action in (LIVE, COLD) else one.action,
                "why": one.why,
            }
        )
    return lines


def unmovable_servers(
    cloud: Cloud, hosts: Iterable[str], policy: MigrationPolicy
) -> dict[str, list[Assessment]]:
    """The servers because of which a drain of their host would fail or be skipped: host -> their assessments.

    hosts: host names; one without such a server is not in what is returned. Takes a few requests, whatever
    the number of hosts. Raises RolloutError API_UNREACHABLE.
    """
    by_host: dict[str, list[Server]] = {host: [] for host in hosts}
    if len(by_host) > _HOSTS_ASKED_SINGLY:
        for server in nova.servers_on(cloud, None):
            by_host.get(server.host, []).append(server)
    else:
        by_host = {host: nova.servers_on(cloud, host) for host in by_host}
    conditions = gather(cloud, "", [server for servers in by_host.values() for server in servers])
    found = {}
    for host, servers in by_host.items():
        conditions.excluded = frozenset((host,))
        assessed = assess_all(servers, conditions, policy)
        unmovable = [one for one in assessed if one.action in (FAILS, SKIPPED)]
        if unmovable:
            found[host] = unmovable
    return found


def assess_host(cloud: Cloud, host: str, policy: MigrationPolicy) -> list[Assessment]:
    """The assessment of every server that is on a host now. Raises RolloutError API_UNREACHABLE."""
    servers = nova.servers_on(cloud, host)
    return assess_all(servers, gather(cloud, host, servers), policy)


def _state(server: Server) -> list[Risk]:
    found = []
    if server.status == "ERROR":
        found.append(Risk("error", "is in ERROR: what of it runs is unknown", blocks=True))
    elif not server.live_migratable and not server.task:
        text = f"is {server.status}: only ACTIVE and PAUSED servers can move"
        found.append(Risk("status", text, blocks=True))
    if server.locked:
        found.append(Risk("locked", "is locked by its owner", blocks=True))
    if server.task:
        found.append(Risk("task", f"is in a task ({server.task}): the drain waits for its end"))
    return found


def _hardware(server: Server, conditions: Conditions, policy: MigrationPolicy) -> list[Risk]:
    specs = {**_image_specs(conditions.images.get(server.image) or {}), **server.specs}
    found = []
    if server.memory >= policy.large_memory_gib * 1024:
        text = f"has {server.memory // 1024} GiB of memory: its migration may never converge"
        found.append(Risk("memory", text))
    if server.image and server.disk:
        text = f"has up to {server.disk} GiB on local disk, copied unless storage is shared"
        found.append(Risk("local_disk", text))
    if specs.get("hw:cpu_policy") in ("dedicated", "mixed") or specs.get("hw:numa_nodes"):
        text = "has pinned CPUs or NUMA nodes: needs a host where the same ones are free"
        found.append(Risk("pinned", text))
    if specs.get("pci_passthrough:alias"):
        text = f"has a passthrough device ({specs['pci_passthrough:alias']})"
        found.append(Risk("passthrough", text, blocks=True, cold=True))
    if specs.get("resources:VGPU"):
        found.append(Risk("vgpu", "has a virtual GPU", blocks=True, cold=True))
    if specs.get("hw:tpm_version"):
        # Only its owner can unlock the TPM's secret: a cold migration is not possible either.
        found.append(Risk("vtpm", f"has a virtual TPM {specs['hw:tpm_version']}", blocks=True))
    vnic_types = conditions.ports.get(server.id)
    if vnic_types:
        text = f"has SR-IOV ports ({', '.join(sorted(set(vnic_types)))})"
        found.append(Risk("sriov", text, blocks=True, cold=True))
    return found


def _group(server: Server, conditions: Conditions) -> list[Risk]:
    group = conditions.placement.group_of(server)
    if group is None or len(group[2]) < 2:
        return []
    name, policy, members = group
    others = len(members) - 1
    if policy == "affinity":
        text = f"is in server group {name} (affinity) with {others} more: none can move alone"
        return [Risk("group", text, blocks=True)]
    if policy == "anti-affinity":
        text = f"is in server group {name} (anti-affinity): needs a host without the other {others}"
        return [Risk("group", text)]
    return []


def _targets(server: Server, conditions: Conditions) -> tuple[list[str], list[Risk]]:
    """The hosts that a server can go to, most free memory first, and the risks that come from the hosts."""
    placement = conditions.placement
    spares = placement.spare_hosts(conditions.excluded)
    if not spares:
        return [], [Risk("no_spare", "no other compute is up and enabled", blocks=True)]
    obstacles = {host: placement.incompatibility(server.host, host) for host in spares}
    compatible = [host for host in spares if not obstacles[host]]
    found = []
    for kind in ("cpu", "qemu"):
        texts = list(dict.fromkeys(one.text for one in obstacles.values() if one and one.kind == kind))
        if texts:
            found.append(Risk(kind, "; ".join(texts[:3]), blocks=not compatible, cold=True))
    newer = placement.newer_qemu(server.host, compatible)
    if newer:
        found.append(Risk("qemu_newer", f"could not come back from {', '.join(newer)}: newer QEMU there"))
    fitting = placement.hosts_for(server, compatible)
    if compatible and not fitting:
        text = f"no host has {server.vcpus} CPUs, {server.memory} MiB and {server.disk} GiB free for it"
        found.append(Risk("no_room", text, blocks=True))
    if server.zone and fitting and not any(placement.services[host].zone == server.zone for host in fitting):
        found.append(Risk("zone", f"no host of its availability zone {server.zone} can take it"))
    return fitting, found


def _image_specs(properties: Mapping[str, Any]) -> dict[str, str]:
    """The properties of an image that count like a flavor's extra specs, under the names of these."""
    names = ("hw_cpu_policy", "hw_numa_nodes", "hw_tpm_version")
    return {name.replace("hw_", "hw:", 1): str(properties[name]) for name in names if properties.get(name)}
