"""Where the lab keeps things, its addresses and its node profiles: data that every other room of it reads."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
#: where a node sees the checkout
CHECKOUT_IN_NODE = "/srv/openstack-rollout"
#: where a node sees the image store that machines share; files/openstack/node names it too
IMAGE_STORE_IN_NODE = "/srv/image-store"

HOME = Path(os.environ.get("OPENSTACK_ROLLOUT_LAB_HOME", "/var/lib/openstack-rollout-lab"))
CACHE = Path(os.environ.get("OPENSTACK_ROLLOUT_LAB_CACHE", "/var/cache/openstack-rollout-lab"))

#: The lab lives in a network namespace of its own, so fixed addresses collide with nothing. The files of
#: files/node name them too.
MANAGEMENT_BRIDGE = "br-mgmt"
UNDERLAY_BRIDGE = "br-under"
EXTERNAL_BRIDGE = "br-extern"
HOST_ADDRESS = "10.88.0.1"
#: the lab's "outside": a host on the external network, which the gateways are attached to
OUTSIDE_ADDRESS = "10.90.0.1"
REGISTRY_PORT = 5000
REPOSITORY_PORT = 8080
MASTER_PORT = 4506
REGISTRY = f"{HOST_ADDRESS}:{REGISTRY_PORT}"

RELEASES = ("1.0.0", "1.0.1")

ROLES = {"controller": "ctl", "gateway": "gtw", "compute": "cmp", "storage": "sto"}
_FIRST_ADDRESS = {"controller": 11, "gateway": 21, "compute": 31, "storage": 51}


@dataclass(frozen=True)
class Node:
    """One machine of the lab."""

    name: str
    role: str
    number: int
    zone: str | None = None
    #: plain Debian, its packages by apt; else of the RHEL flavour, by dnf
    debian: bool = False

    @property
    def _last_octet(self) -> int:
        return _FIRST_ADDRESS[self.role] + self.number - 1

    @property
    def address(self) -> str:
        """The address on the management network."""
        return f"10.88.0.{self._last_octet}"

    @property
    def underlay(self) -> str:
        """The tunnel endpoint's address, on the second NIC."""
        return f"10.89.0.{self._last_octet}"


def _nodes(
    controllers: int, gateways: int, computes: int, debian: tuple[str, ...] = (), storage: int = 0
) -> tuple[Node, ...]:
    counts = {"controller": controllers, "gateway": gateways, "compute": computes, "storage": storage}
    zones = ("az1", "az2")
    return tuple(
        Node(
            name := f"{ROLES[role]}{n}",
            role,
            n,
            zones[(n - 1) % 2] if role == "compute" else None,
            name in debian,
        )
        for role, count in counts.items()
        for n in range(1, count + 1)
    )


def salt_tool(name: str) -> Path:
    """A program of the master's Salt: of the running Python's environment, else of the checkout's."""
    beside = Path(sys.executable).parent / name
    return beside if beside.exists() else CHECKOUT / ".venv/bin" / name


#: the profile with a real OpenStack API; the others run stand-ins of its services
OPENSTACK = "openstack"
#: the profile of three controllers with real clusters
CONTROLLERS = "controllers"
#: the profile of one machine that is plain Debian
DEBIAN = "debian"
#: the profile with nodes of both flavours, and packages that no release names
SYSTEM = "system"
#: the profile whose services are Debian packages under their own units
PACKAGES = "packages"
#: the profile whose controllers are of such packages, and whose computes run containers
BOTH = "both"
#: the profiles with services that are packages: those of their Debian machines
PACKAGED = (PACKAGES, BOTH)
#: the profile of three storage nodes with a real Ceph, and a compute that is its client
CEPH = "ceph"
PROFILES = {
    "one": _nodes(0, 0, 1),
    DEBIAN: _nodes(0, 0, 1, debian=("cmp1",)),
    "small": _nodes(1, 1, 2),
    "gateways": _nodes(1, 2, 1),
    "network": _nodes(1, 2, 2),
    SYSTEM: _nodes(1, 2, 2, debian=("gtw2", "cmp2")),
    "full": _nodes(3, 2, 4),
    OPENSTACK: _nodes(1, 2, 3),
    CONTROLLERS: _nodes(3, 0, 0),
    CEPH: _nodes(0, 0, 1, storage=3),
    PACKAGES: _nodes(3, 2, 3, debian=("ctl1", "ctl2", "ctl3", "gtw1", "gtw2", "cmp1", "cmp2", "cmp3")),
    BOTH: _nodes(3, 0, 2, debian=("ctl1", "ctl2", "ctl3")),
}
