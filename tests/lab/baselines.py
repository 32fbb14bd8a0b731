"""What is done to a node's network services without us: what this project's stages are held against.

Each does one node and returns when its services are up again; whether traffic flows is for the probe to say.
"""

from __future__ import annotations

from .cloud import Lab
from .network import Overlay

SWITCH = "openvswitch.service"
_CONTAINER = "ovn_controller"


def restart_controller(lab: Lab, node: str) -> None:
    """`systemctl restart` of ovn-controller's container."""
    lab.exec(node, ["systemctl", "restart", f"{_CONTAINER}.service"])


def replace_controller(lab: Lab, node: str) -> None:
    """Stop the container, remove it, run it from the new image."""
    lab.exec(node, ["systemctl", "stop", f"{_CONTAINER}.service"])
    lab.exec(node, ["podman", "rm", "--force", "--ignore", _CONTAINER])
    lab.exec(node, ["systemctl", "start", f"{_CONTAINER}.service"])


def restart_switch(lab: Lab, node: str) -> None:
    """`systemctl restart` of Open vSwitch."""
    lab.exec(node, ["systemctl", "restart", SWITCH])


def move_switch_packages(lab: Lab, node: str, version: str) -> None:
    """Open vSwitch by dnf without scripts; what runs is left as it is until a reboot."""
    wanted = [f"{name}-{number}" for name, number in _switch_packages(lab, version).items()]
    dnf = ["dnf", "--assumeyes", "--quiet", "--releasever=9", "--setopt=tsflags=noscripts"]
    only = ["--disablerepo=*", f"--enablerepo=release-{version}"]
    lab.exec(node, [*dnf, *only, "install", *wanted], timeout=600)


def put_switch_packages_back(lab: Lab, node: str, version: str) -> None:
    """An older release's Open vSwitch in place of a newer one; the switch that runs is not touched."""
    listed = lab.exec(node, ["rpm", "-qa", "--queryformat", "%{NAME}\\n"]).stdout.split()
    installed = sorted({name for name in listed if "openvswitch" in name})
    lab.exec(node, ["rpm", "--erase", "--noscripts", "--nodeps", *installed])
    move_switch_packages(lab, node, version)
    lab.exec(node, ["systemctl", "daemon-reload"])


def _switch_packages(lab: Lab, version: str) -> dict[str, str]:
    packages = lab.releases[version]["packages"]
    return {name: number for name, number in packages.items() if "openvswitch" in name}


def fail_over(overlay: Overlay, away_from: str) -> None:
    """A planned failover: the gateway's priority goes below the others', and BFD's peers move the port."""
    overlay.nb("ha-chassis-group-add-chassis", "gateways", away_from, "1")


def take_back(overlay: Overlay, gateway: str) -> None:
    """The gateway's own priority again, as `Overlay` made it."""
    overlay.nb("ha-chassis-group-add-chassis", "gateways", gateway, str(overlay.priority(gateway)))
