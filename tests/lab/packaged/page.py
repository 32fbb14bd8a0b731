"""What the operator's page of the profile `packages` says of the catalogue: what runs, all of it packages."""

from __future__ import annotations

#: neutron with the Open vSwitch agents: no OVN, no metadata; nor what takes memory and adds nothing
_OFF = ("ovn", "neutron-ovn", "neutron-metadata", "nova-novnc", "ceilometer-compute", "node-exporter")
#: in the order of the catalogue
CONTROL_PLANE = (
    *("rabbitmq", "mariadb", "memcached", "keystone", "placement", "glance", "neutron"),
    *("nova-api", "nova-conductor", "nova-scheduler"),
)
_DATA_PLANE = ("neutron-openvswitch", "neutron-l3", "neutron-dhcp", "nova")
#: a Python service reads its code and waits for others, on two cores that all of them share
_PATIENCE = 240


def services() -> dict[str, dict]:
    """The page's `services`: their packages and units are those that are shipped."""
    packaged = {"deploy": "package", "enabled": True, "health": {"timeout": _PATIENCE}}
    found: dict[str, dict] = {name: {"enabled": False} for name in _OFF}
    found |= {name: dict(packaged) for name in (*CONTROL_PLANE, *_DATA_PLANE)}
    found["neutron-dhcp"]["roles"] = ["gateway"]
    return found
