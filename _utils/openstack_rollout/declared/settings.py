"""What the operator's page says of the system stage, the switch, packages and the final verification."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from openstack_rollout.declared.amounts import Count, Seconds
from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import Line, PackageGlob, PathGlob, ReleaseName, WholeNumber
from openstack_rollout.declared.problems import Wrong, shown
from openstack_rollout.node import ovn_wait
from openstack_rollout.vocabulary import AcceptableCondition

Days = Annotated[int, WholeNumber(0, 3650)]
Mebibytes = Annotated[int, WholeNumber(0, 100_000_000)]


def _wait(value: Any) -> int | str:
    if value in (ovn_wait.AUTO, ovn_wait.KEEP):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= ovn_wait.MOST:
        return value
    raise Wrong(
        f"{shown(value)} is not allowed: give {ovn_wait.AUTO}, {ovn_wait.KEEP}, or a number of milliseconds"
        f" from 0 to {ovn_wait.MOST}"
    )


Wait = Annotated[
    int | str,
    PlainValidator(_wait),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": ovn_wait.MOST},
                {"enum": [ovn_wait.AUTO, ovn_wait.KEEP]},
            ]
        }
    ),
]


class System(Strict):
    """The system stage: all packages but those of the services and of Open vSwitch, kernels, reboots."""

    exclude: list[PackageGlob] = []
    """Packages (globs) that the stage leaves alone."""
    packages: Literal["all", "release"] = "all"
    """all: what no release names moves too, to the newest of the repositories; release: it stays."""
    depth: Literal["upgrade", "dist_upgrade", "security"] = "upgrade"
    """upgrade: what is installed, no kernels; dist_upgrade: kernels and new packages too; security: of what
    upgrade moves, what mends something of security, as the repositories say."""
    kpatch: bool = False
    """Live patches of the running kernel instead of new kernels."""
    disruptive: list[PackageGlob] = ["qemu*", "libvirt*"]
    """Packages (globs) that move only while no workload is on the node."""
    reboot: Literal["never", "when_required", "always"] = "never"
    """Whether nodes are rebooted between their update and its proof."""
    reboot_timeout: Seconds = 900
    """Seconds until a rebooted node has to be back."""


class Ovs(Strict):
    """Open vSwitch."""

    reload: bool = False
    """Whether the installed switch takes over from the running one, with the flows; it is never restarted."""
    userspace: Literal["refuse", "accept"] = "refuse"
    """A reload interrupts a userspace (DPDK) data path: refuse it under workloads, or accept it."""


class Ovn(Strict):
    """OVN's controllers."""

    wait_before_clear: Wait = "keep"
    """What ovn-ofctrl-wait-before-clear of each chassis is, also between updates. auto: what its flows take;
    milliseconds; keep: what is set there. What somebody else has set is never shortened."""


class Packages(Strict):
    """Packages that move with the services."""

    essential: list[PackageGlob] = ["openstack-selinux"]
    """Packages (globs) that move together with the services."""
    exclude: list[PackageGlob] = []
    """Packages (globs) that never move with the services; kernels and Open vSwitch's never do."""
    lock_timeout: Seconds | None = None
    """Seconds to wait for the package manager's lock."""


class Pulls(Strict):
    """Images that nodes pull."""

    stall_timeout: Seconds = 120
    """Seconds without progress after which a pull is ended; one that gets on may take as long as it takes."""


class Preflight(Strict):
    """What is looked at before a run begins (`rollout.preflight`)."""

    refuse: list[AcceptableCondition] = []
    """Conditions of which a warning, too, stops a run, unless it is accepted."""
    clock_offset: Seconds = 30
    """Seconds by which the clocks of two nodes may differ; more refuse a run."""
    clock_warning: Seconds = 2
    """Seconds from which on a difference of clocks is warned of."""
    certificate_days: Days = 30
    """Days within which a certificate that ends is warned of."""
    certificates: list[PathGlob] = []
    """Further files (globs, absolute) with certificates of services; those of the known deployers are looked
    at anyway."""
    room_left: Mebibytes = 1024
    """MiB that should be left on a file system once images and packages are there; less is warned of."""


class History(Strict):
    """What is kept of runs that ended (`rollout.history`)."""

    runs: Count = 50
    """Runs that are kept, the newest; older ones are forgotten when a run begins."""
    days: Days = 0
    """Days after which a run is forgotten although fewer are kept; 0: never."""


class Prune(Strict):
    """What nodes keep of releases that nobody needs any more (`rollout.prune`)."""

    keep: list[ReleaseName] = []
    """Releases whose images and packages stay, beside the deployed one, the one before it and the target."""
    after_accept: bool = False
    """Whether `rollout.accept` removes the rest from nodes by itself."""


class Verification(Strict):
    """What is tried at the end of an update."""

    enabled: bool | None = None
    """Whether the cloud is tried; by default where a drain speaks to OpenStack anyway."""
    image: Line | None = None
    """Name of the image of the server that is made; by default a small one is made too."""
    flavor: Line | None = None
    """Name of its flavor; by default a small one is made too."""
    external_network: Line | None = None
    """Name of the network to which routers are connected; by default to none."""
    timeout: Seconds = 180
    """Seconds for a server or router to be ACTIVE."""
