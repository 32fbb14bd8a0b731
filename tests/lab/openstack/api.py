"""The API of the profile `openstack`, as tests use it: openstacksdk, and waits for what calls start."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import openstack.connection
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from openstack.exceptions import SDKException

from tests.lab import settings
from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError, wait_for
from tests.lab.packaged import configuration as packaged

from . import configuration, inside

#: of nova; live migrations are asynchronous from 2.34 on
MICROVERSION = "2.90"
NETWORK, SUBNETS, IMAGE, FLAVOR = "lab", "10.60.{}.0/24", "tiny", "small"
#: whose ports are a router's interfaces, without HA and with it
_INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")
# What it writes of each request and answer would drown a failed test's report.
logging.getLogger("keystoneauth").setLevel(logging.WARNING)
#: while a service restarts the API answers by a refusal, an error or not at all
UNREACHABLE = (SDKException, ClientException, OSError)
_PATIENCE = 60.0  # seconds for an answer


class Api:
    """The cloud of a lab that is up, seen by its administrator.

    `sdk` is openstacksdk's connection, for what has no word here.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        user = Password(
            auth_url=packaged.KEYSTONE if lab.profile in settings.PACKAGED else configuration.KEYSTONE,
            username="admin",
            password=configuration.PASSWORD,
            project_name="admin",
            user_domain_name="Default",
            project_domain_name="Default",
        )
        # where the VIP moved meanwhile, nobody answers any more on a connection to where it was
        session = Session(auth=user, session=inside.session(lab.network_namespace), timeout=_PATIENCE)
        self.sdk = openstack.connection.Connection(
            session=session, region_name=configuration.REGION, compute_default_microversion=MICROVERSION
        )

    # -- as a whole

    def wait_until_ready(self, timeout: float = 300) -> None:
        """Wait until every nova-compute is up and every agent of neutron's alive.

        Raises:
            LabError: Some are not; the message has what the API says.
        """
        # beside packaged controllers a compute's container is a stand-in, which no API knows
        computes = {
            node.name
            for node in self.lab.nodes.values()
            if node.role == "compute" and self.lab.profile != settings.BOTH
        }
        gateways = {node.name for node in self.lab.nodes.values() if node.role == "gateway"}
        wanted = {("nova-compute", host) for host in computes} | {
            *(("neutron-openvswitch-agent", host) for host in computes | gateways),
            *((agent, host) for agent in ("neutron-l3-agent", "neutron-dhcp-agent") for host in gateways),
        }
        seen: list[Any] = []

        def ready() -> bool:
            try:
                seen[:] = [self.alive()]
            except UNREACHABLE as error:
                seen[:] = [error]
                return False
            return wanted <= seen[0]

        if not wait_for(ready, timeout, 1):
            raise LabError(f"the API is not ready: wanted {sorted(wanted)}, seen {seen}")

    def alive(self) -> set[tuple[str, str]]:
        """(program, host) of the compute services that are up and the agents that are alive."""
        services = {(s.binary, s.host) for s in self.sdk.compute.services() if s.state == "up"}
        return services | {(a.binary, a.host) for a in self.sdk.network.agents() if a.is_alive}

    def prepare(self) -> None:
        """Make the image, the flavour and the network that servers of tests use, unless they are there."""
        sdk = self.sdk
        sdk.set_compute_quotas(sdk.current_project_id, cores=-1, instances=-1, ram=-1)
        if not sdk.image.find_image(IMAGE):
            sdk.image.create_image(name=IMAGE, disk_format="raw", container_format="bare", data=b"x" * 1024)
        if not sdk.compute.find_flavor(FLAVOR):
            sdk.compute.create_flavor(name=FLAVOR, ram=64, vcpus=1, disk=1)
        if not sdk.network.find_network(NETWORK):
            network = sdk.network.create_network(name=NETWORK)
            sdk.network.create_subnet(
                name=NETWORK, network_id=network.id, ip_version=4, cidr=SUBNETS.format(0)
            )

    def remove_all(self) -> None:
        """Delete every server, router and network, whatever project has it."""
        for server in self.sdk.compute.servers(all_projects=True):
            self.sdk.compute.delete_server(server, force=True)
        self._until("the servers are gone", lambda: not self.servers())
        for router in self.sdk.network.routers():
            self.remove_router(router.id)
        for network in self.sdk.network.networks():
            for port in self.sdk.network.ports(network_id=network.id):
                self.sdk.network.delete_port(port)
            self.sdk.network.delete_network(network)

    # -- servers

    def boot(
        self, hosts: dict[str, str], flavor: str = FLAVOR, *, zone: str | None = "nova", **more: Any
    ) -> dict[str, str]:
        """Boot servers and wait until they are ACTIVE.

        Args:
            hosts: name → compute host.
            flavor: Name of a flavour.
            zone: The availability zone that Nova pins them to; None for none.
            more: Further properties of the servers.

        Returns:
            name → id.

        Raises:
            LabError: One is in ERROR or not ACTIVE in time.
        """
        self.prepare()
        image, found = self.sdk.image.find_image(IMAGE), self.sdk.compute.find_flavor(flavor)
        network = self.sdk.network.find_network(NETWORK)
        made = {
            name: self.sdk.compute.create_server(
                name=name,
                image_id=image.id,
                flavor_id=found.id,
                networks=[{"uuid": network.id}],
                **({"availability_zone": f"{zone}:{host}"} if zone else {"host": host}),
                **more,
            ).id
            for name, host in hosts.items()
        }
        self.wait_until_active(made)
        return made

    def servers(self) -> dict[str, tuple[str, str]]:
        """Each server: name → (status, host)."""
        found = self.sdk.compute.servers(all_projects=True)
        return {server.name: (server.status, server.compute_host) for server in found}

    def wait_until_active(self, names: Iterable[str], timeout: float = 180) -> None:
        """Wait until these servers are ACTIVE.

        Raises:
            LabError: One is in ERROR, or it took too long.
        """
        wanted = set(names)

        def active() -> bool:
            states = {name: status for name, (status, _) in self.servers().items() if name in wanted}
            if "ERROR" in states.values():
                raise LabError(f"a server is in ERROR: {states}")
            return set(states) == wanted and set(states.values()) == {"ACTIVE"}

        self._until(f"{sorted(wanted)} are ACTIVE", active, timeout)

    def migrate(self, server: str, host: str | None = None) -> None:
        """Ask for the live migration of a server by its id; the answer comes before it begins."""
        body = {"os-migrateLive": {"host": host, "block_migration": "auto"}}
        answer = self.sdk.compute.post(f"/servers/{server}/action", json=body, microversion=MICROVERSION)
        if not answer.ok:
            raise LabError(f"live migration of {server}: {answer.status_code} {answer.text}")

    def add_aggregate(self, name: str, hosts: Iterable[str], zone: str | None = None) -> Any:
        """Make a host aggregate, and an availability zone of it if one is named: its hosts must be empty."""
        made = self.sdk.compute.create_aggregate(name=name, availability_zone=zone)
        for host in hosts:
            self.sdk.compute.add_host_to_aggregate(made, host)
        return made

    def send_home(self, homes: dict[str, str]) -> None:
        """Have servers migrate to hosts, name → host; asked for again while Nova finds one of them closed.

        Raises:
            LabError: Some are not there in time.
        """

        def at_home() -> bool:
            found = [one for one in self.sdk.compute.servers(all_projects=True) if one.name in homes]
            for server in found:
                if server.status == "ACTIVE" and server.compute_host != homes[server.name]:
                    self.migrate(server.id, homes[server.name])
            return all((one.status, one.compute_host) == ("ACTIVE", homes[one.name]) for one in found)

        if not wait_for(at_home, 300, 5):
            raise LabError(f"not at home: {self.servers()}")

    def migrations(self, server: str) -> list[dict[str, Any]]:
        """Nova's records of a server's migrations, by its id; the newest first."""
        answer = self.sdk.compute.get(f"/os-migrations?instance_uuid={server}", microversion=MICROVERSION)
        return sorted(answer.json()["migrations"], key=lambda one: one["id"], reverse=True)

    def compute_service(self, host: str) -> Any:
        """The nova-compute of a host, with `status`, `state`, `disabled_reason`, `is_forced_down`."""
        return next(s for s in self.sdk.compute.services(binary="nova-compute") if s.host == host)

    # -- routers

    def add_routers(self, hosts: dict[str, str], *, ha: bool = False) -> dict[str, str]:
        """Make routers, each with a network of its own, and wait until its interface is ACTIVE on its agent.

        Args:
            hosts: name → gateway.
            ha: Whether they are HA routers; these go to every gateway.

        Returns:
            name → id.
        """
        agents = {a.host: a for a in self.sdk.network.agents(binary="neutron-l3-agent")}
        network = self.sdk.network
        made = {}
        first = len(list(network.networks())) + 1
        for number, (name, host) in enumerate(hosts.items(), first):
            own = network.create_network(name=name)
            # without DHCP: one network with it shows what becomes of them, and each costs an agent seconds
            subnet = network.create_subnet(
                name=name,
                network_id=own.id,
                ip_version=4,
                cidr=SUBNETS.format(number),
                is_dhcp_enabled=False,
            )
            router = network.create_router(name=name, is_ha=ha)
            if not ha:
                network.add_router_to_agent(agents[host], router)
            network.add_interface_to_router(router, subnet_id=subnet.id)
            made[name] = router.id
        expected = None if ha else hosts
        self._until(f"routers {sorted(made)} are up", lambda: self._routers_are_up(made, expected), 300)
        return made

    def remove_router(self, router: str) -> None:
        """Delete a router, by its id, with its interfaces; its network stays."""
        for owner in _INTERFACES:
            for port in self.sdk.network.ports(device_id=router, device_owner=owner):
                self.sdk.network.remove_interface_from_router(router, port_id=port.id)
        self.sdk.network.delete_router(router)

    def routers(self) -> dict[str, list[str]]:
        """Each router: name → the hosts of the agents that have it."""
        network = self.sdk.network
        return {r.name: [a.host for a in network.routers_hosting_l3_agents(r)] for r in network.routers()}

    def interfaces(self, router: str) -> set[str]:
        """The states of a router's interfaces, by its id."""
        return {port.status for port in self.sdk.network.ports(device_id=router)}

    def l3_agent(self, host: str) -> Any:
        """The L3 agent of a gateway, with `is_alive` and `is_admin_state_up`."""
        return next(iter(self.sdk.network.agents(binary="neutron-l3-agent", host=host)))

    def _routers_are_up(self, made: dict[str, str], hosts: dict[str, str] | None) -> bool:
        placed = self.routers()
        return all(
            self.interfaces(identity) == {"ACTIVE"} and (hosts is None or placed[name] == [hosts[name]])
            for name, identity in made.items()
        )

    def _until(self, what: str, condition: Callable[[], bool], timeout: float = 120) -> float:
        began = time.monotonic()
        if not wait_for(condition, timeout, 0.3):
            seen = f"servers {self.servers()}, routers {self.routers()}"
            raise LabError(f"not within {timeout:.0f} s: {what}; {seen}")
        return time.monotonic() - began
