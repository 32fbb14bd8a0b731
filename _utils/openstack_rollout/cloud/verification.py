"""Does the cloud still do what it is for? A server on each updated compute, a router on each updated gateway.

A recorded success has hidden a broken cloud before, so something real is scheduled and deleted again. It all
happens in a project of its own, which is emptied before and after: what a killed verification left goes too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from openstack_rollout.cloud import leftovers, neutron, nova
from openstack_rollout.cloud.api import Cloud, match_host, status_of
from openstack_rollout.cloud.leftovers import NAME
from openstack_rollout.errors import RolloutError, one_line

_TOGETHER = 10
_LOOK = 1.0
_CIDR = "192.0.2.0/24"  # TEST-NET-1: nobody's


class Wanted(Protocol):
    """What to try with (openstack:verification)."""

    @property
    def timeout(self) -> float:
        """Seconds that a server or a router may take."""

    @property
    def image(self) -> str | None:
        """Name or id of an image; an empty disk is made without one."""

    @property
    def flavor(self) -> str | None:
        """Name or id of a flavor; a small one is made without one."""

    @property
    def external_network(self) -> str | None:
        """Name or id of a network that routers get as their gateway."""


def verify(name: str, wanted: Wanted, computes: Sequence[str], gateways: Sequence[str]) -> str:
    """Try every node; returns one line on what was tried.

    name (str): the cloud, as clouds.yaml has it. wanted: what to try with. computes, gateways: node ids.
    Raises RolloutError CLOUD_CHECK_FAILED with every node that did not do it, API_UNREACHABLE.
    """
    cloud = Cloud(name)
    cloud.reach()
    leftovers.sweep(cloud)
    try:
        trial = Trial(cloud, wanted)
        told = [*trial.servers(computes), *trial.routers(gateways)]
        failed = trial.failed
    except RolloutError:
        raise
    except Exception as error:
        if not status_of(error):
            raise
        text = f"cloud {cloud.name}: {one_line(str(error))}"
        raise RolloutError("CLOUD_CHECK_FAILED", text) from error
    finally:
        left = leftovers.sweep(cloud)
    if failed:
        raise RolloutError("CLOUD_CHECK_FAILED", "; ".join(failed.values()), failed)
    if left:
        raise RolloutError("CLOUD_CHECK_FAILED", f"could not delete {', '.join(left)} of project {NAME}")
    return ", ".join(told) or "nothing to try"


class Trial:
    """One verification. failed (dict): node -> why."""

    def __init__(self, cloud: Cloud, wanted: Wanted):
        self.failed: dict[str, str] = {}
        self._cloud = cloud
        self._wanted = wanted
        self._api = leftovers.project(cloud)
        network = self._api.network.create_network(name=NAME)
        self._network = network.id
        self._subnet = self._api.network.create_subnet(
            name=NAME, network_id=network.id, ip_version=4, cidr=_CIDR
        ).id

    def servers(self, nodes: Sequence[str]) -> list[str]:
        """Boot a server on each compute, and delete it as soon as it is ACTIVE there."""
        services = nova.services(self._cloud)
        hosts = {}
        told = []
        for node in nodes:
            found = match_host(node, services)
            if found is None:
                self.failed[node] = f"{node}: there is no nova-compute of that host name"
            elif not found.enabled:
                told.append(f"{node} is disabled ({found.reason or 'no reason given'}) and was not tried")
            else:
                hosts[node] = found.host
        if not hosts:
            return told
        image, flavor = self._image(), self._flavor()
        names = list(hosts)
        for first in range(0, len(names), _TOGETHER):
            self._boot({node: hosts[node] for node in names[first : first + _TOGETHER]}, image, flavor)
        return [f"{len(hosts)} servers booted", *told]

    def routers(self, nodes: Sequence[str]) -> list[str]:
        """Make a router on the L3 agent of each gateway, wait until it works there, and delete it."""
        tried = 0
        told = []
        for node in nodes:
            agent = neutron.agent_of(self._cloud, node, neutron.L3)
            if agent is None:
                continue
            if not agent.admin_up:
                told.append(f"the L3 agent of {node} is down by its operator and was not tried")
                continue
            tried += 1
            why = self._route(agent)
            if why:
                self.failed[node] = f"{node}: {why}"
        return [f"{tried} routers worked", *told] if tried else told

    def _boot(self, hosts: dict[str, str], image: str, flavor: str) -> None:
        waiting: dict[str, str] = {}
        for node, host in hosts.items():
            try:
                waiting[node] = nova.boot_on(
                    self._api,
                    host,
                    name=f"{NAME}-{host}",
                    imageRef=image,
                    flavorRef=flavor,
                    networks=[{"uuid": self._network}],
                )
            except Exception as error:
                if not status_of(error):
                    raise
                self.failed[node] = f"{node}: no server could be booted: {one_line(str(error))}"
        until = time.monotonic() + self._wanted.timeout
        while waiting:
            for node, server in list(waiting.items()):
                found = self._api.compute.get_server(server)
                if found.status == "ACTIVE" and found.compute_host == hosts[node]:
                    self._api.compute.delete_server(server)
                    del waiting[node]
                elif found.status == "ERROR":
                    why = (found.fault or {}).get("message") or "it gives no reason"
                    self.failed[node] = f"{node}: a server there ended in ERROR: {one_line(why)}"
                    del waiting[node]
                elif time.monotonic() > until:
                    text = f"a server there is {found.status} after {self._wanted.timeout} s"
                    self.failed[node] = f"{node}: {text}"
                    del waiting[node]
            if waiting:
                time.sleep(_LOOK)

    def _route(self, agent: neutron.Agent) -> str:
        """Why a router does not work on an agent, "" when it does."""
        network = self._api.network
        try:
            router = network.create_router(name=f"{NAME}-{agent.host}", is_ha=False)
            neutron.schedule_router(self._cloud, agent.id, router.id)
            port = network.create_port(name=NAME, network_id=self._network)
            network.add_interface_to_router(router, port_id=port.id)
            if self._wanted.external_network:
                outside = network.find_network(self._wanted.external_network, ignore_missing=False)
                network.update_router(router, external_gateway_info={"network_id": outside.id})
        except Exception as error:
            if not status_of(error):
                raise
            return f"no router could be made on its agent: {one_line(str(error))}"
        until = time.monotonic() + self._wanted.timeout
        while True:
            ports = neutron.ports_of(self._cloud, [router.id])[router.id]
            late = [one for one in ports if one.status != "ACTIVE" or one.binding_host_id != agent.host]
            if ports and not late:
                leftovers.delete_router(self._api, router.id)
                return ""
            if time.monotonic() > until:
                where = ", ".join(f"{one.status} on {one.binding_host_id or 'no host'}" for one in late)
                return f"a router's ports are {where or 'missing'} after {self._wanted.timeout} s"
            time.sleep(_LOOK)

    def _image(self) -> str:
        """The image's id; an empty disk is enough for a server to become ACTIVE."""
        image = self._api.image
        if self._wanted.image:
            return str(image.find_image(self._wanted.image, ignore_missing=False).id)
        made = image.create_image(
            name=NAME, disk_format="raw", container_format="bare", data=b"\0" * 1048576, visibility="private"
        )
        return str(made.id)

    def _flavor(self) -> str:
        compute = self._cloud.api.compute
        if self._wanted.flavor:
            return str(compute.find_flavor(self._wanted.flavor, ignore_missing=False).id)
        made = compute.create_flavor(name=NAME, ram=64, vcpus=1, disk=1, is_public=False)
        compute.flavor_add_tenant_access(made.id, self._api.current_project_id)
        return str(made.id)
