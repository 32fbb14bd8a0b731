"""What is done to a node's network services without us: what this project's stages are held against.

Each does one node and returns when its services are up again; whether traffic flows is for the probe to say.
"""

from __future__ import annotations

import re
import time

from .cloud import Lab
from .enclosure import LabError, wait_for
from .network import Overlay

SWITCH = "openvswitch.service"
_CONTAINER = "ovn_controller"
#: What EDPM's role sets on a chassis beside where it is.
EDPM = {"ovn-ofctrl-wait-before-clear": "8000", "ovn-monitor-all": "true"}


def restart_controller(lab: Lab, node: str) -> None:
    """`systemctl restart` of ovn-controller's container."""
    lab.exec(node, ["systemctl", "restart", f"{_CONTAINER}.service"])


def replace_controller(lab: Lab, node: str) -> None:
    """Stop the container, remove it, run it from the new image."""
    lab.exec(node, ["systemctl", "stop", f"{_CONTAINER}.service"])
    lab.exec(node, ["podman", "rm", "--force", "--ignore", _CONTAINER])
    lab.exec(node, ["systemctl", "start", f"{_CONTAINER}.service"])


def crash_controller(lab: Lab, node: str) -> None:
    """ovn-controller dies outside of any update (kill -9); its unit starts it again."""
    before = _process(lab, node)
    lab.exec(node, ["kill", "-KILL", before])
    if not wait_for(lambda: _process(lab, node) not in ("", "0", before), 60):
        raise LabError(f"{node}: {_CONTAINER} was not started again")


def set_as_edpm(lab: Lab, node: str) -> None:
    """The settings that EDPM's role makes."""
    pairs = [f"external_ids:{key}={value}" for key, value in EDPM.items()]
    lab.exec(node, ["ovs-vsctl", "set", "Open_vSwitch", ".", *pairs])


def unset_as_edpm(lab: Lab, node: str) -> None:
    """The settings of a new lab, which has none of EDPM's."""
    for key in EDPM:
        lab.exec(node, ["ovs-vsctl", "--if-exists", "remove", "Open_vSwitch", ".", "external_ids", key])


def wait_for_new_flows(lab: Lab, node: str, since: float, timeout: float = 600) -> None:
    """Until all flows of a chassis are younger than that: until then its old ones stand in.

    Args:
        lab: The lab.
        node: The chassis.
        since: When its controller was about to start, in seconds since the epoch.
        timeout: Seconds.

    Raises:
        LabError: It has older ones still, or none.
    """
    dump = ["ovs-ofctl", "dump-flows", "br-int", "table=0"]

    def are_new() -> bool:
        ages = [float(age) for age in re.findall(r"duration=([0-9.]+)s", lab.exec(node, dump).stdout)]
        return bool(ages) and max(ages) < time.time() - since

    if not wait_for(are_new, timeout, interval=0.5):
        raise LabError(
            f"{node}: flows of the previous {_CONTAINER} are there, or none, after {timeout:.0f} s"
        )


def flow_count(lab: Lab, node: str) -> int:
    """The number of flows of a chassis."""
    said = lab.exec(node, ["ovs-ofctl", "dump-aggregate", "br-int"]).stdout
    return int(said.partition("flow_count=")[2].split()[0])


def longest_computation(lab: Lab, node: str) -> int | None:
    """The longest computation of flows of a chassis' controller, in ms; None before the first one."""
    ask = ["ovn-appctl", "-t", "ovn-controller", "stopwatch/show", "flow-generation"]
    said = lab.exec(node, ["podman", "exec", _CONTAINER, *ask]).stdout
    match = re.search(r"Maximum: (\d+)", said)
    return int(match[1]) if match else None


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


def _process(lab: Lab, node: str) -> str:
    show = ["podman", "inspect", "--format", "{{.State.Pid}}", _CONTAINER]
    return lab.exec(node, show, check=False).stdout.strip()


def _switch_packages(lab: Lab, version: str) -> dict[str, str]:
    packages = lab.releases[version]["packages"]
    return {name: number for name, number in packages.items() if "openvswitch" in name}


def fail_over(overlay: Overlay, away_from: str) -> None:
    """A planned failover: the gateway's priority goes below the others', and BFD's peers move the port."""
    overlay.nb("ha-chassis-group-add-chassis", "gateways", away_from, "1")


def take_back(overlay: Overlay, gateway: str) -> None:
    """The gateway's own priority again, as `Overlay` made it."""
    overlay.nb("ha-chassis-group-add-chassis", "gateways", gateway, str(overlay.priority(gateway)))
