"""One machine on which three deployers' own code ran, and a stranger's: surveyed, taken over, deployed again.

The modules of this package follow one another on it, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.conftest import NAME, Node, booted
from tests.lab.deployers import edpm_stand_in, kolla, release, tripleo, unknown

TRIPLEO = ("memcached", "keystone", "cinder_volume", "logrotate_crond")
KOLLA = ("cron", "neutron_ovn_vpn_agent", "neutron_ovn_metadata_agent")
EDPM = ("nova_compute_init", "nova_compute", "ovn_controller", "node_exporter", "frr")
BY = {tripleo: TRIPLEO, kolla: KOLLA, edpm_stand_in: EDPM}
#: It ends by itself, and leaves a unit and no container.
ONE_SHOT = "nova_compute_init"
CONTAINERS = [name for names in BY.values() for name in names if name != ONE_SHOT]
FOREIGN = "placement_api"
MASKED = "tripleo_nova_compute.service"
SECRET = "correct-horse"


def called(deployer) -> str:
    """The name of a deployer."""
    return deployer.__name__.rpartition(".")[2]


def deploy(node: Node, deployer, version: str, *names: str) -> str:
    """One run of a deployer with that release's images, of all its services by default; what it printed."""
    services = {name: deployer.SERVICES[name] for name in names or BY[deployer]}
    return deployer.deploy(node.lab, NAME, services, release(version))


@pytest.fixture(scope="package")
def deployed() -> Iterator[Node]:
    """The machine, with containers of all deployers, a stranger's, one that nothing starts, a masked unit."""
    with booted() as machine:
        for deployer in BY:
            deploy(machine, deployer, "1.0.0")
        unknown.deploy(machine.lab, NAME, FOREIGN, release("1.0.0")("placement_api_image"))
        machine.exec(["ln", "-sf", "/dev/null", f"/etc/systemd/system/{MASKED}"])
        machine.exec(["systemctl", "daemon-reload"])
        secret = f"OS_PASSWORD={SECRET}"
        image = release("1.0.0")("edpm_node_exporter_image")
        machine.exec(["podman", "create", "--name", "web", "--env", secret, "--label", secret, image, SECRET])
        yield machine
