"""Make somebody else's of the containers that the lab itself started: the same, under EDPM's names.

What a cluster or a network stands on is set up by the lab's own services. Here their quadlets lose our
header, our label and our names: from then on the product may only replace their images.
"""

import re
from collections.abc import Iterable

from tests.lab.cloud import Lab
from tests.lab.enclosure import wait_for

_FOLDER = "/etc/containers/systemd"
_OURS = re.compile(r"^(?:# Managed by openstack-rollout.*|Label=openstack-rollout\..*)\n", re.M)


def unit(container: str) -> str:
    """The unit that runs a container from then on."""
    return f"edpm_{container}.service"


def hand_over(lab: Lab, node: str, containers: Iterable[str]) -> None:
    """Hand containers of a node over, one after the other; each one is healthy before the next one goes.

    Args:
        lab: A lab that is up.
        node: The machine.
        containers: Their names.

    Raises:
        LabError: A unit did not start.
    """
    for container in containers:
        ours = f"{_FOLDER}/{container}.container"
        text = _OURS.sub("", lab.exec(node, ["cat", ours]).stdout)
        lab.exec(node, ["systemctl", "stop", f"{container}.service"])
        lab.exec(node, ["rm", ours])
        lab.exec(node, ["tee", f"{_FOLDER}/edpm_{container}.container"], stdin=text)
        lab.exec(node, ["systemctl", "daemon-reload"])
        lab.exec(node, ["systemctl", "start", unit(container)])
        check = ["podman", "healthcheck", "run", container]
        wait_for(lambda check=check: lab.exec(node, check, check=False).returncode == 0, 300)
