"""Start the packaged cloud for the first time, as an installer does: clusters, then what stands on them."""

from __future__ import annotations

from collections.abc import Iterable

from tests.lab.cloud import Lab
from tests.lab.clusters import pacemaker
from tests.lab.enclosure import LabError, wait_for
from tests.lab.openstack.api import Api

_DATABASE, _BROKER = "mariadb", "rabbitmq-server"
#: by role, in the order in which they are started; a service's units on all nodes of the role at once
UNITS = {
    "controller": (
        *("memcached", "keystone", "placement-api", "glance-api", "neutron-api", "neutron-rpc-server"),
        *("nova-api", "nova-conductor", "nova-scheduler"),
    ),
    "gateway": ("neutron-openvswitch-agent", "neutron-l3-agent", "neutron-dhcp-agent"),
    "compute": ("neutron-openvswitch-agent", "nova-compute"),
}


def build(lab: Lab, timeout: float = 600) -> None:
    """Found the clusters and start every service, enabled, unless they run; wait until the API works.

    Raises:
        LabError: Something did not come up in time.
    """
    pacemaker.build(lab)
    found_database(lab)
    found_broker(lab)
    for role, units in UNITS.items():
        for node in nodes(lab, role):
            # a start may fail while so much starts on two cores: it is repeated by systemd
            lab.exec(node, ["systemctl", "enable", "--now", "--no-block", *units])
    Api(lab).wait_until_ready(timeout)
    if not wait_for(lambda: not stopped(lab), timeout, 2):
        raise LabError(f"these do not run: {stopped(lab)}")


def stopped(lab: Lab) -> set[tuple[str, str]]:
    """(node, unit) of what does not run and should."""
    found = set()
    for role, units in UNITS.items():
        for node in nodes(lab, role):
            states = lab.exec(node, ["systemctl", "is-active", *units], check=False).stdout.split()
            found |= {(node, unit) for unit, state in zip(units, states, strict=True) if state != "active"}
    return found


def nodes(lab: Lab, role: str) -> list[str]:
    """The machines of a role whose services are packages."""
    return [node.name for node in lab.nodes.values() if node.role == role and node.debian]


def found_database(lab: Lab, timeout: float = 180) -> None:
    """Found the Galera cluster on the first controller and have the others join, one after another."""
    first, *others = nodes(lab, "controller")
    if members(lab, first) == 0:
        lab.exec(first, ["galera_new_cluster"], timeout=timeout)
    for number, node in enumerate(others, 2):
        lab.exec(node, ["systemctl", "start", _DATABASE], timeout=timeout)
        if not wait_for(lambda n=number: members(lab, first) >= n, timeout, 1):
            raise LabError(f"{node} did not join the database's cluster")
    _enable(lab, [first, *others], _DATABASE)


def members(lab: Lab, node: str) -> int:
    """How many members the database's cluster has as one sees it; 0 where none runs."""
    ask = ["mariadb", "-BNe", "select variable_value from information_schema.global_status"]
    ask[-1] += " where variable_name = 'wsrep_cluster_size'"
    answer = lab.exec(node, ask, check=False).stdout.strip()
    return int(answer) if answer.isdigit() else 0


def found_broker(lab: Lab, timeout: float = 240) -> None:
    """Start the broker, on the first controller first."""
    first, *others = nodes(lab, "controller")
    lab.exec(first, ["systemctl", "start", _BROKER], timeout=timeout)
    for node in others:
        lab.exec(node, ["systemctl", "start", _BROKER], timeout=timeout)
    running = ["rabbitmqctl", "--quiet", "await_online_nodes", str(len(others) + 1)]
    lab.exec(first, running, timeout=timeout)
    _enable(lab, [first, *others], _BROKER)


def _enable(lab: Lab, places: Iterable[str], unit: str) -> None:
    for node in places:
        lab.exec(node, ["systemctl", "enable", f"{unit}.service"])
