"""What the operator's page of the profile `controllers` says of the catalogue: what runs, and how."""

#: what takes memory and adds no cluster
_OFF = ("neutron", "nova-api", "nova-conductor", "nova-scheduler", "nova-novnc")
#: who a member is, and who the others are
_WHO = "/etc/ovn:/etc/ovn:ro"
#: three of each start and answer on two cores
_PATIENCE = 120


def services() -> dict[str, dict]:
    """The page's `services`."""
    return {
        **{name: {"enabled": False} for name in _OFF},
        **{name: {"enabled": True} for name in ("ovn-nb", "ovn-sb", "ovn-northd")},
        **{name: _container() for name in ("keystone", "placement", "memcached")},
        "glance": _container("/var/lib/glance"),
        "mariadb": _container("/var/lib/mysql"),
        "rabbitmq": _container("/var/lib/rabbitmq"),
    }


def _container(*kept: str) -> dict:
    """A service's entry; kept: directories of the machine, the same inside, made when they are missing."""
    container = {"Volume": [*(f"{place}:{place}" for place in kept), _WHO]}
    service = {"RestartSec": 2}
    if kept:
        service["ExecStartPre"] = f"/usr/bin/mkdir -p {' '.join(kept)}"
    return {"quadlet": {"Container": container, "Service": service}, "health": {"timeout": _PATIENCE}}
