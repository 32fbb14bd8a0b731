"""The verification of an updated cloud: a server on each updated compute, a router on each updated gateway.

An update can succeed and leave a cloud that does not work. So something real is created and deleted again, in
a project of its own. The project is deleted before and after, also what an interrupted verification left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from openstack_rollout.cloud import faults, neutron, nova, verification_project
from openstack_rollout.cloud.api import Cloud, match_host, status_of
from openstack_rollout.cloud.verification_project import NAME
from openstack_rollout.errors import RolloutError, one_line

_SERVERS_AT_ONCE = 10
_POLL_INTERVAL = 1.0  # seconds
_CIDR = "192.0.2.0/24"  # TEST-NET-1, which nobody uses


class VerificationSettings(Protocol):
    """What is created (openstack:verification)."""

    @property
    def timeout(self) -> float:
        """Seconds that a server or a router may take."""

    @property
    def image(self) -> str | None:
        """Name or id of an image; an image with an empty disk is created without one."""

    @property
    def flavor(self) -> str | None:
        """Name or id of a flavor; a small one is created without one."""

    @property
    def external_network(self) -> str | None:
        """Name or id of a network that routers get as their gateway."""


def verify(
    name: str, settings: VerificationSettings, computes: Sequence[str], gateways: Sequence[str]
) -> str:
    """Verify every node; returns one line on what was created and which nodes were left out.

    name (str): the cloud, as in clouds.yaml. settings: what to create. computes, gateways: minion ids. Raises
    RolloutError CLOUD_CHECK_FAILED with every node that failed, API_UNREACHABLE.
    """
    cloud = Cloud(name)
    cloud.require_reachable()
    verification_project.delete(cloud)
    try:
        verification = Verification(cloud, settings)
        lines = [*verification.boot_servers(computes), *verification.create_routers(gateways)]
        failed = verification.failed
    except RolloutError:
        raise
    except Exception as error:
        if not status_of(error):
            raise
        text = f"cloud {cloud.name}: {one_line(str(error))}"
        raise RolloutError("CLOUD_CHECK_FAILED", text) from error
    finally:
        undeleted = verification_project.delete(cloud)
    if failed:
        text = f"{'; '.join(failed.values())}{faults.remedies(failed.values(), 'CLOUD_CHECK_FAILED')}"
        raise RolloutError("CLOUD_CHECK_FAILED", text, failed)
    if undeleted:
        text = f"could not delete {', '.join(undeleted)} of project {NAME}"
        raise RolloutError("CLOUD_CHECK_FAILED", text)
    return ", ".join(lines) or "nothing to verify"


class Verification:
    """One verification, in a project that it creates with a network.

    failed (dict): minion id -> why it failed, for people. Raises what the API refuses.
    """

    def __init__(self, cloud: Cloud, settings: VerificationSettings):
        self.failed: dict[str, str] = {}
        self._cloud = cloud
        self._settings = settings
        self._api = verification_project.create(cloud)
        network = self._api.network.create_network(name=NAME)
        self._network = network.id
        self._api.network.create_subnet(name=NAME, network_id=network.id, ip_version=4, cidr=_CIDR)

    def boot_servers(self, nodes: Sequence[str]) -> list[str]:
        """Boot a server on each compute, and delete it once it is ACTIVE there.

        nodes: minion ids. Returns lines for people. What fails is added to `failed`.
        """
        services = nova.services(self._cloud)
        hosts = {}
        lines = []
        for node in nodes:
            service = match_host(node, services)
            if service is None:
                self.failed[node] = f"{node}: there is no nova-compute of that host name"
            elif not service.enabled:
                lines.append(f"{node} is disabled ({service.reason or 'no reason given'}) and was not tried")
            else:
                hosts[node] = service.host
        if not hosts:
            return lines
        image, flavor = self._image(), self._flavor()
        names = list(hosts)
        for first in range(0, len(names), _SERVERS_AT_ONCE):
            group = names[first : first + _SERVERS_AT_ONCE]
            self._boot({node: hosts[node] for node in group}, image, flavor)
        return [f"{len(hosts)} servers booted", *lines]

    def create_routers(self, nodes: Sequence[str]) -> list[str]:
        """Create a router on the L3 agent of each gateway, wait until it works there, and delete it.

        nodes: minion ids; one without an L3 agent is left out. Returns lines for people. What fails is added
        to `failed`.
        """
        tried = 0
        lines = []
        for node in nodes:
            agent = neutron.agent_of(self._cloud, node, neutron.L3)
            if agent is None:
                continue
            if not agent.admin_up:
                lines.append(f"the L3 agent of {node} was set down by an operator and was not tried")
                continue
            tried += 1
            why = self._create_router(agent)
            if why:
                self.failed[node] = f"{node}: {why}"
        return [f"{tried} routers worked", *lines] if tried else lines

    def _boot(self, hosts: dict[str, str], image: str, flavor: str) -> None:
        """Boot a server on each host and wait for them. hosts: minion id -> host. image, flavor: ids."""
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
        deadline = time.monotonic() + self._settings.timeout
        while waiting:
            for node, server_id in list(waiting.items()):
                server = self._api.compute.get_server(server_id)
                if server.status == "ACTIVE" and server.compute_host == hosts[node]:
                    self._api.compute.delete_server(server_id)
                    del waiting[node]
                elif server.status == "ERROR":
                    why = (server.fault or {}).get("message") or "Nova gives no reason"
                    self.failed[node] = f"{node}: a server there ended in ERROR: {one_line(why)}"
                    del waiting[node]
                elif time.monotonic() > deadline:
                    text = f"a server there is {server.status} after {self._settings.timeout} s"
                    self.failed[node] = f"{node}: {text}"
                    del waiting[node]
            if waiting:
                time.sleep(_POLL_INTERVAL)

    def _create_router(self, agent: neutron.Agent) -> str:
        """Create a router on an agent and wait for it; returns why it does not work, "" when it does."""
        network = self._api.network
        try:
            router = network.create_router(name=f"{NAME}-{agent.host}", is_ha=False)
            neutron.schedule_router(self._cloud, agent.id, router.id)
            port = network.create_port(name=NAME, network_id=self._network)
            network.add_interface_to_router(router, port_id=port.id)
            if self._settings.external_network:
                external = network.find_network(self._settings.external_network, ignore_missing=False)
                network.update_router(router, external_gateway_info={"network_id": external.id})
        except Exception as error:
            if not status_of(error):
                raise
            return f"no router could be created on its agent: {one_line(str(error))}"
        deadline = time.monotonic() + self._settings.timeout
        while True:
            ports = neutron.ports_of(self._cloud, [router.id])[router.id]
            late = [one for one in ports if one.status != "ACTIVE" or one.binding_host_id != agent.host]
            if ports and not late:
                verification_project.delete_router(self._api, router.id)
                return ""
            if time.monotonic() > deadline:
                where = ", ".join(f"{one.status} on {one.binding_host_id or 'no host'}" for one in late)
                return f"a router's ports are {where or 'missing'} after {self._settings.timeout} s"
            time.sleep(_POLL_INTERVAL)

    def _image(self) -> str:
        """The image's id. A server becomes ACTIVE with an empty disk too."""
        image = self._api.image
        if self._settings.image:
            return str(image.find_image(self._settings.image, ignore_missing=False).id)
        created = image.create_image(
            name=NAME, disk_format="raw", container_format="bare", data=b"\0" * 1048576, visibility="private"
        )
        return str(created.id)

    def _flavor(self) -> str:
        """The flavor's id."""
        compute = self._cloud.api.compute
        if self._settings.flavor:
            return str(compute.find_flavor(self._settings.flavor, ignore_missing=False).id)
        created = compute.create_flavor(name=NAME, ram=64, vcpus=1, disk=1, is_public=False)
        compute.flavor_add_tenant_access(created.id, self._api.current_project_id)
        return str(created.id)
