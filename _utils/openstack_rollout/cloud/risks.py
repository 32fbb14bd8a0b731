"""What could go wrong with each server when its host is drained, and what the policy will then do.

Pure but for `gather`. A risk that blocks keeps the server from moving while it runs; one that does not is
told and taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from openstack_rollout.cloud import neutron, nova
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.migration import limit_of
from openstack_rollout.cloud.nova import Guest
from openstack_rollout.cloud.placement import Landscape

_TIED_PORTS = ("direct", "direct-physical", "macvtap", "accelerator-direct", "accelerator-direct-physical")
_ASKED_ONE_BY_ONE = 10  # hosts; of more, all servers of the cloud are listed at once
LIVE, COLD, STAYS, SKIPPED, FAILS = "live", "cold", "stays", "node is skipped", "drain fails"
BY_POLICY = {"fail": FAILS, "skip": SKIPPED, "leave": STAYS}


class Choices(Protocol):
    """What an operator chose for servers that leave a compute (openstack:policies:compute)."""

    @property
    def unmovable(self) -> str:
        """What becomes of a server that cannot move while it runs: fail, skip, leave or cold."""

    @property
    def on_timeout(self) -> str:
        """What is done with a migration that takes too long."""

    @property
    def timeout_per_gib(self) -> float:
        """Seconds that a migration may take for each GiB of memory."""

    @property
    def large_memory_gib(self) -> float:
        """From how many GiB on a server's memory counts as large."""


@dataclass(frozen=True)
class Risk:
    """word (str): its kind; text; blocks: it cannot move while running; cold: a cold migration would help."""

    word: str
    text: str
    blocks: bool = False
    cold: bool = False


@dataclass(frozen=True)
class Verdict:
    """A server with its risks, what is done with it (LIVE, COLD, STAYS, SKIPPED or FAILS), why, and to which
    host (None: the scheduler chooses).
    """

    guest: Guest
    risks: tuple[Risk, ...]
    course: str
    why: str = ""
    target: str | None = None


@dataclass
class Surroundings:
    """What the verdict on servers needs beside themselves.

    ports: server id -> kinds of its tied ports. images: image id -> properties. away: hosts that take none.
    """

    landscape: Landscape
    ports: Mapping[str, Sequence[str]] = field(default_factory=dict)
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    away: frozenset[str] = frozenset()

    def knows(self, guests: Iterable[Guest]) -> bool:
        """Whether it was gathered for these servers too."""
        return all(guest.id in self.ports for guest in guests)


def gather(cloud: Cloud, host: str, guests: Iterable[Guest]) -> Surroundings:
    """What the verdict on guests of a host needs: asks Nova, Placement, Neutron and Glance.

    Raises RolloutError API_UNREACHABLE.
    """
    guests = list(guests)
    ports = {
        guest: [port.binding_vnic_type for port in found if port.binding_vnic_type in _TIED_PORTS]
        for guest, found in neutron.ports_of(cloud, [guest.id for guest in guests]).items()
    }
    images = {}
    for image in {guest.image for guest in guests if guest.image}:
        found = cloud.patiently("images", partial(cloud.api.image.find_image, image))
        images[image] = dict(found.to_dict(computed=False), **(found.properties or {})) if found else {}
    return Surroundings(Landscape.of(cloud), ports, images, frozenset((host,)))


def verdicts(guests: Iterable[Guest], around: Surroundings, policy: Choices) -> list[Verdict]:
    """What the policy makes of each server."""
    return [verdict(guest, around, policy) for guest in guests]


def verdict(guest: Guest, around: Surroundings, policy: Choices) -> Verdict:
    """What the policy makes of one server."""
    if guest.at_rest:
        risk = Risk("at_rest", f"is {guest.status}: nothing of it runs there")
        return Verdict(guest, (risk,), STAYS, risk.text)
    suited, placing = _placing(guest, around)
    risks = (*_state(guest), *_hardware(guest, around, policy), *_group(guest, around), *placing)
    blocking = [risk for risk in risks if risk.blocks]
    why = "; ".join(risk.text for risk in blocking)
    if not blocking:
        narrowed = len(suited) < len(around.landscape.spares(around.away))
        return Verdict(guest, risks, LIVE, target=suited[0] if narrowed and suited else None)
    if policy.unmovable == "cold":
        return Verdict(guest, risks, COLD if all(risk.cold for risk in blocking) else FAILS, why)
    return Verdict(guest, risks, BY_POLICY[policy.unmovable], why)


def report(found: Iterable[Verdict], policy: Choices) -> list[dict[str, Any]]:
    """The verdicts as plain data, one entry a server."""
    lines = []
    for one in found:
        limit = f", {policy.on_timeout} after {limit_of(one.guest, policy.timeout_per_gib):.0f} s"
        lines.append(
            {
                "server": one.guest.name,
                "id": one.guest.id,
                "host": one.guest.host,
                "status": one.guest.status,
                "memory_mib": one.guest.memory,
                "risks": {risk.word: risk.text for risk in one.risks},
                "will": f"{one.course} migration{limit}" if one.course in (LIVE, COLD) else one.course,
                "why": one.why,
            }
        )
    return lines


def _state(guest: Guest) -> list[Risk]:
    found = []
    if guest.status == "ERROR":
        found.append(Risk("error", "is in ERROR: nobody can tell what runs", blocks=True))
    elif not guest.running and not guest.task:
        found.append(Risk("status", f"is {guest.status}: only ACTIVE and PAUSED servers move", blocks=True))
    if guest.locked:
        found.append(Risk("locked", "is locked: its owner wants nothing done to it", blocks=True))
    if guest.task:
        found.append(Risk("task", f"is in a task ({guest.task}), which is waited for"))
    return found


def _hardware(guest: Guest, around: Surroundings, policy: Choices) -> list[Risk]:
    specs = {**_image_specs(around.images.get(guest.image) or {}), **guest.specs}
    found = []
    if guest.memory >= policy.large_memory_gib * 1024:
        found.append(
            Risk("memory", f"has {guest.memory // 1024} GiB of memory: its migration may never converge")
        )
    if guest.image and guest.disk:
        found.append(
            Risk("local_disk", f"has up to {guest.disk} GiB on local disk, copied unless storage is shared")
        )
    if specs.get("hw:cpu_policy") in ("dedicated", "mixed") or specs.get("hw:numa_nodes"):
        found.append(Risk("pinned", "has pinned CPUs or NUMA nodes: needs a target with the same ones free"))
    if specs.get("pci_passthrough:alias"):
        text = f"has a passthrough device ({specs['pci_passthrough:alias']})"
        found.append(Risk("passthrough", text, blocks=True, cold=True))
    if specs.get("resources:VGPU"):
        found.append(Risk("vgpu", "has a virtual GPU", blocks=True, cold=True))
    if specs.get("hw:tpm_version"):
        # Its secret is its owner's: not even a cold migration is for us to do.
        found.append(Risk("vtpm", f"has a virtual TPM {specs['hw:tpm_version']}", blocks=True))
    kinds = around.ports.get(guest.id)
    if kinds:
        text = f"has SR-IOV ports ({', '.join(sorted(set(kinds)))})"
        found.append(Risk("sriov", text, blocks=True, cold=True))
    return found


def _group(guest: Guest, around: Surroundings) -> list[Risk]:
    group = around.landscape.group_of(guest)
    if group is None or len(group[2]) < 2:
        return []
    name, policy, members = group
    if policy == "affinity":
        text = f"is in server group {name} (affinity) with {len(members) - 1} more: none can leave alone"
        return [Risk("group", text, blocks=True)]
    if policy == "anti-affinity":
        text = f"is in server group {name} (anti-affinity): needs a host without the other {len(members) - 1}"
        return [Risk("group", text)]
    return []


def _placing(guest: Guest, around: Surroundings) -> tuple[list[str], list[Risk]]:
    """The hosts it could go to, the roomiest first, and what speaks against the others."""
    landscape = around.landscape
    spares = landscape.spares(around.away)
    if not spares:
        return [], [Risk("no_spare", "no other compute is up and enabled", blocks=True)]
    against = {host: landscape.unsuited(guest.host, host) for host in spares}
    able = [host for host in spares if not against[host]]
    found = []
    for kind in ("cpu", "qemu"):
        texts = list(dict.fromkeys(one.text for one in against.values() if one and one.kind == kind))
        if texts:
            found.append(Risk(kind, "; ".join(texts[:3]), blocks=not able, cold=True))
    newer = landscape.newer_qemu(guest.host, able)
    if newer:
        found.append(Risk("qemu_newer", f"could not come back from {', '.join(newer)}: newer QEMU there"))
    fitting = landscape.room_for(guest, able)
    if able and not fitting:
        text = f"no host has {guest.vcpus} CPUs, {guest.memory} MiB and {guest.disk} GiB free for it"
        found.append(Risk("no_room", text, blocks=True))
    if guest.zone and fitting and not any(landscape.services[host].zone == guest.zone for host in fitting):
        found.append(Risk("zone", f"no host of its availability zone {guest.zone} can take it"))
    return fitting, found


def _image_specs(properties: Mapping[str, Any]) -> dict[str, str]:
    names = ("hw_cpu_policy", "hw_numa_nodes", "hw_tpm_version")
    return {name.replace("hw_", "hw:", 1): str(properties[name]) for name in names if properties.get(name)}


def blocked(cloud: Cloud, hosts: Iterable[str], policy: Choices) -> dict[str, list[Verdict]]:
    """The servers with which a drain of their host would fail or be skipped, by host; a handful of calls."""
    by_host: dict[str, list[Guest]] = {host: [] for host in hosts}
    if len(by_host) > _ASKED_ONE_BY_ONE:
        for guest in nova.servers_on(cloud, None):
            by_host.get(guest.host, []).append(guest)
    else:
        by_host = {host: nova.servers_on(cloud, host) for host in by_host}
    around = gather(cloud, "", [guest for guests in by_host.values() for guest in guests])
    found = {}
    for host, guests in by_host.items():
        around.away = frozenset((host,))
        judged = [one for one in verdicts(guests, around, policy) if one.course in (FAILS, SKIPPED)]
        if judged:
            found[host] = judged
    return found


def servers_at_risk(cloud: Cloud, host: str, policy: Choices) -> list[Verdict]:
    """The verdicts on every server of a host, as things are now."""
    guests = nova.servers_on(cloud, host)
    return verdicts(guests, gather(cloud, host, guests), policy)
