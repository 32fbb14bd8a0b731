"""What happens to a node, and in which order roles and stages go: tables, no logic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from openstack_rollout.vocabulary import PREFETCH, SERVICE_STAGES

STAGE = "stage"
DRAINED = "drained"  # in a stage, for nodes whose policy drains them before it
RENEWED = "renewed"  # in a stage that moves Salt's own packages
TELLING = "telling"  # in a stage, for nodes whose agents restart and OpenStack is asked about
REBOOTED = "rebooted"  # in a stage that may want a reboot, where the policy allows one


class Step(NamedTuple):
    """A step: name (str), and the phase of a run in which it happens (PREFETCH, STAGE, DRAINED, RENEWED,
    …).
    """

    name: str
    phase: str


PROCEDURE = (
    Step("prefetch", PREFETCH),
    Step("drain", DRAINED),
    Step("apply", STAGE),
    Step("minion", RENEWED),
    Step("reboot", REBOOTED),
    Step("heartbeat", TELLING),
    Step("verify", STAGE),
    Step("restore", DRAINED),
)

ROLE_ORDER = {
    "ovn": ("controller", "gateway", "compute", "storage"),
    "control_plane": ("controller",),
    "services": ("gateway", "compute", "storage"),
    "ovs": ("controller", "gateway", "compute", "storage"),
    "system": ("controller", "gateway", "compute", "storage"),
}

# The system stage is independent of the others: security updates must not wait for a new OpenStack release.
MUST_BE_DONE = {
    "ovn": (),
    "control_plane": ("ovn",),
    "services": ("ovn", "control_plane"),
    "ovs": ("ovn", "control_plane", "services"),
    "system": (),
}

# What a run with a limit may not overtake elsewhere: the control plane follows every chassis, services follow
# the whole control plane. The other stages follow what their own node has done.
DONE_ELSEWHERE = {
    "ovn": (),
    "control_plane": ("ovn",),
    "services": ("ovn", "control_plane"),
    "ovs": ("ovn", "control_plane"),
    "system": (),
}
# The known role that goes through a stage before any other one, wherever its nodes are.
FIRST_ROLES = {"ovn": "controller", "services": "gateway"}


def before(stage: str, *, back: bool = False) -> tuple[str, ...]:
    """The stages that must be done before one, on all nodes; back: where nodes go back, those that came after
    it.

    Open vSwitch is each node's own affair: there is none that another node's services would need.
    """
    if not back:
        return MUST_BE_DONE[stage]
    return tuple(one for one in reversed(SERVICE_STAGES) if stage in MUST_BE_DONE[one])


def role_order(stage: str, roles: Iterable[str], base: Callable[[str], str]) -> list[str]:
    """The roles of a stage in their order, of those that a cloud has.

    roles: its roles in their order. base: the known role as which one goes.
    """
    return [role for known in ROLE_ORDER[stage] for role in roles if base(role) == known]


def steps(*phases: str) -> tuple[str, ...]:
    """The names of the steps of phases, in their order."""
    return tuple(step.name for step in PROCEDURE if step.phase in phases)
