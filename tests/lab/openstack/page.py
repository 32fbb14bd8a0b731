"""What the operator's page of the profile `openstack` says of the catalogue: what runs, and how."""

from . import configuration

#: neutron with the Open vSwitch agents: no OVN, no metadata
_OFF = (
    *("ovn", "ovn-nb", "ovn-sb", "ovn-northd", "neutron-ovn", "neutron-metadata"),
    *("memcached", "nova-novnc", "ceilometer-compute"),
)
#: a Python service reads its code and waits for others, on two cores that all of them share
_PATIENCE = 240


def services() -> dict[str, dict]:
    """The page's `services`."""
    options = {
        section: {key: str(value) for key, value in values.items()}
        for section, values in configuration.NOVA.items()
    }
    agent = {
        "enabled": True,
        **_container(
            ["/run/openvswitch", "/var/lib/neutron"],
            # namespaces of routers outlive the agent, and are seen by the machine
            ["/etc/lab:/etc/lab:ro", "/run/netns:/run/netns:rshared"],
            "/run/netns",
            privileged=True,
        ),
    }
    return {
        **{name: {"enabled": False} for name in _OFF},
        **{name: _container([], []) for name in ("keystone", "placement", "neutron")},
        **{
            name: _container(["/var/lib/nova"], [])
            for name in ("nova-api", "nova-conductor", "nova-scheduler")
        },
        "mariadb": _container(["/var/lib/mysql"], []) | {"guard": "none"},
        "rabbitmq": _container(["/var/lib/rabbitmq"], []) | {"guard": "none"},
        "glance": _container(["/var/lib/glance"], []),
        "nova": _container(["/var/lib/nova"], ["/etc/openstack/nova:/etc/nova:ro", "/etc/lab:/etc/lab:ro"])
        | {"options": options},
        "neutron-openvswitch": agent,
        "neutron-l3": agent,
        "neutron-dhcp": agent | {"roles": ["gateway"]},
    }


def _container(kept: list[str], more: list[str], *made: str, privileged: bool = False) -> dict:
    """A service's entry.

    Args:
        kept: Directories of the machine, the same inside; made when they are missing.
        more: Other volumes.
        made: Directories that these need.
        privileged: Whether it makes network namespaces and reaches the switch.
    """
    container: dict[str, object] = {"Volume": [*(f"{place}:{place}" for place in kept), *more]}
    if privileged:
        container["PodmanArgs"] = "--privileged"
    service: dict[str, object] = {"RestartSec": 2}
    if kept or made:
        service["ExecStartPre"] = f"/usr/bin/mkdir -p {' '.join((*kept, *made))}"
    return {"quadlet": {"Container": container, "Service": service}, "health": {"timeout": _PATIENCE}}
