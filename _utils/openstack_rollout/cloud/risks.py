"""What could go wrong with each server when its host is drained, and what the policy will then do.

A blocking risk prevents a live migration. The others are only reported. `gather`, `unmovable_servers` and
`assess_host` ask the cloud's APIs; the rest only computes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

from openstack_rollout.cloud import neutron, nova, targets
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.nova import Server
from openstack_rollout.cloud.placement import Placement
from openstack_rollout.cloud.server_migration import COLD, LIVE, timeout_of
from openstack_rollout.cloud.targets import Targets

_PASSTHROUGH_PORTS = (
    "direct",
    "direct-physical",
    "macvtap",
    "accelerator-direct",
    "accelerator-direct-physical",
)
#: what hosts that a server cannot go to say of its kind; whether one has room may change while others wait
_OF_ROOM = ("no_room", "hypervisor", "cpu", "qemu")
STAYS, SKIPPED, FAILS = "stays", "node is skipped", "drain fails"
ACTION_OF_POLICY = {"fail": FAILS, "skip": SKIPPED, "leave": STAYS}


class Hardware(NamedTuple):
    """Hardware that an extra spec gives a server.

    spec: the whole name of the extra spec. kind, text, blocks, cold: of its Risk; text takes {spec}, {value}.
    """

    spec: re.Pattern[str]
    kind: str
    text: str
    blocks: bool = True
    cold: bool = False


_CUSTOM_DEVICE = r"CUSTOM(?:_\w+)?_(?:V?GPU|MDEV|FPGA|PCI|NIC)\d*(?:_\w+)?"
_DEVICES = rf"resources[\w-]*:(?:PGPU|FPGA|PCI_DEVICE|SRIOV_NET_VF|{_CUSTOM_DEVICE})"
HARDWARE = (
    Hardware(
        re.compile("pci_passthrough:alias"), "passthrough", "has a passthrough device ({value})", cold=True
    ),
    Hardware(re.compile(r"resources[\w-]*:VGPU"), "vgpu", "has a virtual GPU", cold=True),
    Hardware(re.compile(_DEVICES), "device", "has a device of its host's ({spec})", cold=True),
    # It may be a device, or a licence that is counted: only the operator knows.
    Hardware(
        re.compile(rf"resources[\w-]*:(?!{_CUSTOM_DEVICE}$)CUSTOM_\w+"),
        "custom_resource",
        "wants {spec}: whether that can move live, Nova does not tell",
        blocks=False,
    ),
    Hardware(re.compile("hw:mem_encryption"), "encrypted", "has encrypted memory (SEV)", cold=True),
    # Nova refuses a cold migration too.
    Hardware(re.compile("accel:device_profile"), "accelerator", "has an accelerator of Cyborg's ({value})"),
    # What is in it would be lost.
    Hardware(re.compile("hw:pmem"), "pmem", "has persistent memory ({value})"),
    # Only its owner can unlock the TPM's secret: a cold migration is not possible either.
    Hardware(re.compile("hw:tpm_version"), "vtpm", "has a virtual TPM {value}"),
)
_NONE = ("", "0", "false", "no", "off")  # values with which an extra spec asks for nothing


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

    @property
    def leave_zone(self) -> bool:
        """Whether a server may leave its availability zone where Nova does not tell whether it is pinned."""


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
    LIVE. target: the host it is to go to, or None to let the scheduler choose. targets: the hosts that it
    could go to, None where that was not asked. groups: the server groups that it is in with others.
    """

    server: Server
    risks: tuple[Risk, ...]
    action: str
    why: str = ""
    target: str | None = None
    targets: Targets | None = None
    groups: frozenset[str] = frozenset()

    @property
    def moves(self) -> bool:
        """Whether a drain moves it."""
        return self.action in (LIVE, COLD)

    @property
    def waits_for_room(self) -> bool:
        """Whether all that keeps it is that no host which may take it has room."""
        blocking = {risk.kind for risk in self.risks if risk.blocks}
        return "no_room" in blocking and blocking.issubset(_OF_ROOM)


@dataclass
class Conditions:
    """What the risks of servers depend on, beside the servers themselves.

    placement: where servers can go. ports: server id -> VNIC types of its passthrough ports; has every server
    that this was gathered for. images: image id -> properties, of those that Glance still has. excluded:
    hosts that take no servers.
    """

    placement: Placement
    ports: Mapping[str, Sequence[str]] = field(default_factory=dict)
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()

    def covers(self, servers: Iterable[Server]) -> bool:
        """Whether it was gathered for all of these servers."""
        return all(server.id in self.ports for server in servers)

    def image_of(self, server: Server) -> Mapping[str, Any] | None:
        """The properties of a server's image, {} where it has none, None where they are not known."""
        return self.images.get(server.image) if server.image else {}

    def targets_of(self, server: Server, policy: MigrationPolicy) -> Targets:
        """The hosts that a server could go to."""
        leaves = policy.leave_zone
        return targets.of(server, self.image_of(server), self.placement, self.excluded, leaves_zone=leaves)


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
        if found:
            images[image] = dict(found.to_dict(computed=False), **(found.properties or {}))
    conditions = Conditions(Placement.read(cloud), ports, images, frozenset((host,)))
    placement = conditions.placement
    running = [server for server in servers if not server.at_rest]
    placement.locate(cloud, running)
    placement.ask(cloud, (targets.wanted_of(one, conditions.image_of(one), placement) for one in running))
    return conditions


def assess_all(
    servers: Iterable[Server], conditions: Conditions, policy: MigrationPolicy
) -> list[Assessment]:
    """The assessment of each server of one host, in their order: they compete for the same room.

    Arguments as of `assess`.
    """
    assessed = [assess(server, conditions, policy) for server in servers]
    wishes = [(one.server, one.targets) for one in assessed if one.moves and one.targets]
    placement = conditions.placement
    places = targets.together(wishes, placement)
    scarce = targets.is_scarce(wishes, placement)
    return [
        one
        if not one.moves or one.targets is None
        else _placed(one, places.get(one.server.id), scarce, policy)
        for one in assessed
    ]


def _placed(one: Assessment, place: str | None, scarce: bool, policy: MigrationPolicy) -> Assessment:
    """An assessment of a server that leaves its host with others.

    place: the host that has room for it beside them, None where none has. scarce: whether servers could take
    the room of each other.
    """
    if place is None:
        text = f"has no room beside the others that leave {one.server.host}"
        risks = (*one.risks, Risk("no_room", text, blocks=True))
        return replace(_decided(one.server, risks, one.targets, policy), groups=one.groups)
    certain = one.targets.certain if one.targets else ()
    return replace(one, target=place) if scarce and place in certain else one


def assess(server: Server, conditions: Conditions, policy: MigrationPolicy) -> Assessment:
    """What a drain does with one server under a policy.

    conditions: gathered for this server. policy: the operator's choices.
    """
    if server.at_rest:
        risk = Risk("at_rest", f"is {server.status}: nothing of it runs there")
        return Assessment(server, (risk,), STAYS, risk.text)
    found = conditions.targets_of(server, policy)
    risks = (
        *_state(server),
        *_hardware(server, conditions, policy),
        *_group(server, conditions),
        *_of_targets(server, conditions, found),
    )
    groups = frozenset(group.id or group.name for group in conditions.placement.groups_of(server))
    return replace(_decided(server, risks, found, policy), groups=groups)


def _decided(
    server: Server, risks: tuple[Risk, ...], found: Targets | None, policy: MigrationPolicy
) -> Assessment:
    """What a drain does with a server that has these risks. found: the hosts that it could go to."""
    blocking = [risk for risk in risks if risk.blocks]
    why = "; ".join(risk.text for risk in blocking)
    if not blocking:
        # Nova's scheduler knows nothing of these: it would try one after the other.
        unfit = found is not None and bool(found.unfit) and bool(found.certain)
        target = found.certain[0] if found and unfit else None
        return Assessment(server, risks, LIVE, target=target, targets=found)
    if policy.unmovable == "cold":
        action = COLD if all(risk.cold for risk in blocking) else FAILS
        return Assessment(server, risks, action, why, targets=found)
    return Assessment(server, risks, ACTION_OF_POLICY[policy.unmovable], why, targets=found)


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
    by_host = nova.servers_of(cloud, hosts)
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
    specs = {**_image_specs(conditions.image_of(server) or {}), **server.specs}
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
    found += [
        Risk(one.kind, one.text.format(spec=spec, value=value), one.blocks, one.cold)
        for one in HARDWARE
        for spec, value in specs.items()
        if one.spec.fullmatch(spec) and str(value).lower() not in _NONE
    ]
    vnic_types = conditions.ports.get(server.id)
    if vnic_types:
        text = f"has SR-IOV ports ({', '.join(sorted(set(vnic_types)))})"
        found.append(Risk("sriov", text, blocks=True, cold=True))
    return found


def _group(server: Server, conditions: Conditions) -> list[Risk]:
    return [
        Risk(
            "group",
            f"is in server group {group.name} (anti-affinity): needs a host without the other"
            f" {len(group.members) - 1}",
        )
        for group in conditions.placement.groups_of(server)
        if group.policy == "anti-affinity"
    ]


def _of_targets(server: Server, conditions: Conditions, found: Targets) -> list[Risk]:
    """The risks that come from the hosts that a server could go to."""
    placement = conditions.placement
    if not placement.spare_hosts(conditions.excluded):
        return [Risk("no_spare", "no other compute is up and enabled", blocks=True)]
    risks = [Risk(one.kind, one.text, blocks=True) for one in targets.describe(found)]
    apt = [host for host in found.lawful if host not in found.unfit]
    if found.roomy and not found.suiting and apt:
        # It can be shut off and go to one with room; or wait for one that it can go to as it runs.
        risks.append(Risk("no_room", f"has no room on {', '.join(apt[:3])}", blocks=True, cold=True))
    for kind in ("hypervisor", "cpu", "qemu"):
        texts = list(dict.fromkeys(one.text for one in found.unfit.values() if one.kind == kind))
        if texts:
            blocks = not apt or (bool(found.roomy) and not found.suiting)
            risks.append(Risk(kind, "; ".join(texts[:3]), blocks=blocks, cold=True))
    newer = placement.newer_qemu(server.host, apt)
    if newer:
        risks.append(Risk("qemu_newer", f"could not come back from {', '.join(newer)}: newer QEMU there"))
    zones = {placement.services[host].zone for host in found.roomy}
    if server.zone and zones and server.zone not in zones:
        risks.append(Risk("zone", f"no host of its availability zone {server.zone} can take it"))
    return risks


def _image_specs(properties: Mapping[str, Any]) -> dict[str, str]:
    """The properties of an image that count like a flavor's extra specs, under the names of these."""
    names = ("hw_cpu_policy", "hw_numa_nodes", "hw_tpm_version", "hw_mem_encryption")
    return {name.replace("hw_", "hw:", 1): str(properties[name]) for name in names if properties.get(name)}
