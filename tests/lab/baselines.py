"""What is done to a node's network services elsewhere: the sequences that this project's are held against.

Each does one node and returns when its services are up again; whether traffic flows is for the probe to say.
"""

from __future__ import annotations

from .cloud import Lab
from .network import Overlay

SWITCH = "openvswitch.service"
_CONTAINER = "ovn_controller"
_STREAMS = ("openvswitch3.4", "openvswitch3.5")


def restart_controller(lab: Lab, node: str) -> None:
    """`systemctl restart` of ovn-controller's container."""
    lab.exec(node, ["systemctl", "restart", f"{_CONTAINER}.service"])


def replace_controller(lab: Lab, node: str) -> None:
    """As EDPM's role does when an image changed: stop the container, remove it, run it from the new image."""
    lab.exec(node, ["systemctl", "stop", f"{_CONTAINER}.service"])
    lab.exec(node, ["podman", "rm", "--force", "--ignore", _CONTAINER])
    lab.exec(node, ["systemctl", "start", f"{_CONTAINER}.service"])


def restart_switch(lab: Lab, node: str) -> None:
    """`systemctl restart` of Open vSwitch."""
    lab.exec(node, ["systemctl", "restart", SWITCH])


def move_switch_packages(lab: Lab, node: str, version: str) -> None:
    """As EDPM does: Open vSwitch by dnf without scripts; what runs is left as it is until a reboot."""
    wanted = [
        f"{name}-{number}"
        for name, number in lab.releases[version]["packages"].items()
        if "openvswitch" in name
    ]
    lab.exec(
        node,
        ["dnf", "--assumeyes", "--quiet", "--releasever=9", "--setopt=tsflags=noscripts", "install", *wanted],
        timeout=600,
    )


def put_switch_packages_back(lab: Lab, node: str, version: str) -> None:
    """An older release's Open vSwitch in place of a newer one; the switch that runs is not touched."""
    names = {n: v for n, v in lab.releases[version]["packages"].items() if "openvswitch" in n}
    listed = lab.exec(node, ["rpm", "-qa", "--queryformat", "%{NAME}\\n"]).stdout.split()
    installed = sorted({name for name in listed if "openvswitch" in name})
    repository = lab.exec(node, ["grep", "-h", "^baseurl=", "/etc/yum.repos.d/openstack.repo"]).stdout
    place = next(line.partition("=")[2] for line in repository.splitlines() if line.endswith(version))
    files = [f"{place}/{name}-{number}.noarch.rpm" for name, number in names.items()]
    lab.exec(node, ["rpm", "--erase", "--noscripts", "--nodeps", *installed])
    lab.exec(node, ["rpm", "--install", "--noscripts", "--nodeps", *files])
    lab.exec(node, ["systemctl", "daemon-reload"])


def fail_over(overlay: Overlay, away_from: str) -> None:
    """A planned failover: the gateway's priority goes below the others', and BFD's peers move the port."""
    overlay.nb("ha-chassis-group-add-chassis", "gateways", away_from, "1")


def take_back(overlay: Overlay, gateway: str) -> None:
    """The gateway's own priority again, as `Overlay` made it."""
    overlay.nb("ha-chassis-group-add-chassis", "gateways", gateway, str(overlay.priority(gateway)))
