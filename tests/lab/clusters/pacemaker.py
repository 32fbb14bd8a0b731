"""The resources of the lab's Pacemaker: the VIP, and a haproxy on each controller that it stays with."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.lab.cloud import Lab
from tests.lab.enclosure import LabError, wait_for

from . import configuration

VIP, PROXY = "vip", "haproxy"
_PCS = ["pcs", "--force"]


def build(lab: Lab, timeout: float = 90) -> None:
    """Make the resources, unless they are there, and wait until the VIP is on a controller.

    Raises:
        LabError: They did not start in time; with what Pacemaker says.
    """
    online = ["crm_node", "--partition"]
    first = controllers(lab)[0]
    if not wait_for(lambda: len(lab.exec(first, online, check=False).stdout.split()) == 3, timeout, 1):
        raise LabError(f"the cluster is not quorate:\n{status(lab)}")
    if lab.exec(first, ["pcs", "resource", "config", VIP], check=False).returncode:
        for command in (
            ["property", "set", "stonith-enabled=false"],
            ["resource", "defaults", "update", "resource-stickiness=100"],
            ["resource", "create", PROXY, "systemd:haproxy", "op", "monitor", "interval=10s", "clone"],
            [
                *("resource", "create", VIP, "ocf:heartbeat:IPaddr2", f"ip={configuration.VIP}"),
                *("cidr_netmask=24", "op", "monitor", "interval=5s"),
            ],
            ["constraint", "colocation", "add", VIP, "with", f"{PROXY}-clone"],
            ["constraint", "order", f"{PROXY}-clone", "then", VIP],
        ):
            lab.exec(first, [*_PCS, *command])
    if not wait_for(lambda: holder(lab) is not None, timeout, 1):
        raise LabError(f"the VIP is nowhere:\n{status(lab)}")


def controllers(lab: Lab) -> list[str]:
    """Their names."""
    return [node.name for node in lab.nodes.values() if node.role == "controller"]


def holder(lab: Lab) -> str | None:
    """The controller that has the VIP, by its own links; None when none has, or more than one."""
    having = [
        node
        for node in controllers(lab)
        if f" {configuration.VIP}/"
        in lab.exec(node, ["ip", "-oneline", "address", "show"], check=False).stdout
    ]
    return having[0] if len(having) == 1 else None


def bans(lab: Lab) -> list[str]:
    """The constraints that keep a resource off a node."""
    text = lab.exec(controllers(lab)[0], ["pcs", "constraint", "location", "--full"]).stdout
    return [line.strip() for line in text.splitlines() if "cli-ban" in line]


def in_standby(lab: Lab) -> set[str]:
    """The controllers in standby."""
    shown = lab.exec(controllers(lab)[0], ["crm_mon", "-1", "--output-as=xml"]).stdout
    nodes = ElementTree.fromstring(shown).iterfind("nodes/node")
    return {node.get("name", "") for node in nodes if node.get("standby") == "true"}


def status(lab: Lab) -> str:
    """What crm_mon shows on the first controller."""
    return lab.exec(controllers(lab)[0], ["crm_mon", "-1rf"], check=False).stdout
