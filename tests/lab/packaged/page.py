"""What the operator's page of the profile `packages` says of the catalogue: what runs: packages.

Of the profile `both`: packages on the controllers, containers on the computes.
"""

from __future__ import annotations

#: neutron with the Open vSwitch agents: no OVN, no metadata; nor what takes memory and adds nothing
_OFF = ("ovn", "neutron-ovn", "neutron-metadata", "nova-novnc", "ceilometer-compute", "node-exporter")
#: in the order of the catalogue
CONTROL_PLANE = (
    *("rabbitmq", "mariadb", "memcached", "keystone", "placement", "glance", "neutron"),
    *("nova-api", "nova-conductor", "nova-scheduler"),
)
#: what the computes run as containers beside packaged controllers, and how
_CONTAINERS = ("nova", "ceilometer-compute", "node-exporter")
_OWN_IMAGE = {"definition": "declared", "start": "image"}
_DATA_PLANE = ("neutron-openvswitch", "neutron-l3", "neutron-dhcp", "nova")
#: a Python service reads its code and waits for others, on two cores that all of them share
_PATIENCE = 240


def services(both: bool = False) -> dict[str, dict]:
    """The page's `services`: the packages' names and units are those that are shipped.

    Args:
        both: Whether the computes run containers, and no gateway is there.
    """
    packaged = {"deploy": "package", "enabled": True, "health": {"timeout": _PATIENCE}}
    found: dict[str, dict] = {name: {"enabled": False} for name in _OFF}
    found |= {name: dict(packaged) for name in CONTROL_PLANE}
    if both:
        found |= {name: {"enabled": False} for name in _DATA_PLANE}
        return found | {name: {**_OWN_IMAGE, "enabled": True} for name in _CONTAINERS}
    found |= {name: dict(packaged) for name in _DATA_PLANE}
    found["neutron-dhcp"]["roles"] = ["gateway"]
    return found
