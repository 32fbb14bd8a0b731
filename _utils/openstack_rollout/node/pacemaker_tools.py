"""Pacemaker's own programs, for the modules that ask and steer it: crm_mon, crm_node, crm_resource.

What they do is the cluster's business: each of these functions may be called on any of its nodes. What is
read is read as data (node/pacemaker.py); a program's words only get into messages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from openstack_rollout.node import commands, pacemaker
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Steps

BAN_MINUTES = 30  # after which Pacemaker itself lifts a ban, for a run that died
POLL = 0.5  # seconds between two looks at a cluster


def cluster(salt: Mapping[str, Any], minion: str) -> dict[str, Any] | None:
    """What crm_mon shows, with "node": this node's name; None where no Pacemaker is to run.

    salt (dict): the caller's `__salt__`. minion (str): its id, for the message. Raises NodeError
    QUORUM_AT_RISK when Pacemaker is enabled and does not answer.
    """
    if not salt["cmd.has_exec"]("crm_mon"):
        return None
    result = commands.run(salt, ["crm_mon", "--one-shot", "--inactive", "--output-as=xml"])
    try:
        found = pacemaker.read(result.stdout) if not result.retcode else None
    except ValueError:
        found = None
    if found is not None:
        return {**found, "node": own_name(salt)}
    if commands.run(salt, ["systemctl", "is-enabled", "pacemaker.service"]).stdout.strip() != "enabled":
        return None
    raise NodeError("QUORUM_AT_RISK", f"Pacemaker of {minion} does not answer: {result.complaint()}")


def own_name(salt: Mapping[str, Any]) -> str:
    """The name that this node has in its cluster.

    salt (dict): the caller's `__salt__`.
    """
    return commands.run(salt, ["crm_node", "--name"]).stdout.strip()


def ban(salt: Mapping[str, Any], resource: str, node: str) -> None:
    """Have Pacemaker keep a resource off a node, for a while. Raises NodeError RESOURCE_STUCK.

    salt (dict): the caller's `__salt__`. resource, node (str): their names.
    """
    _crm_resource(salt, "--ban", resource, node, f"--lifetime=PT{BAN_MINUTES}M")


def lift(salt: Mapping[str, Any], resource: str, node: str) -> None:
    """Lift the ban of a resource from a node; without one, nothing happens. As `ban`."""
    _crm_resource(salt, "--clear", resource, node)


def forget_failures(salt: Mapping[str, Any], resource: str, node: str) -> None:
    """Have Pacemaker forget that a resource failed on a node, so that it tries again. As `ban`."""
    _crm_resource(salt, "--cleanup", resource, node)


def wait_until_gone(
    look: Callable[[], dict[str, Any] | None],
    steps: Steps,
    node: str,
    resources: Collection[str],
    timeout: float,
) -> None:
    """Wait until none of the resources is on a node. Raises NodeError RESOURCE_STUCK.

    look (callable): `cluster`, of the caller. steps: whose clock counts. node (str): its name. resources
    (list): their ids. timeout (float): seconds.
    """
    found: dict[str, Any] = {}
    here: list[dict[str, Any]] = []

    def gone_or_blocked() -> bool:
        nonlocal found, here
        found = look() or {"resources": [], "failures": []}
        here = [one for one in pacemaker.on(found, node) if one["id"] in resources]
        return not here or any(one["blocked"] for one in here)

    steps.until(gone_or_blocked, timeout, POLL)
    if here:
        names = ", ".join(sorted(one["id"] for one in here))
        why = "; ".join(pacemaker.broken(found)) or f"no answer within {timeout:.0f} s"
        raise NodeError("RESOURCE_STUCK", f"{names} does not leave {node}: {why}")


def settle(salt: Mapping[str, Any], timeout: float) -> commands.Result:
    """Wait until Pacemaker has nothing to do; a failure says that it has after that time.

    salt (dict): the caller's `__salt__`. timeout (float): seconds.
    """
    return commands.run(salt, ["crm_resource", "--wait", f"--timeout={timeout:.0f}"])


def _crm_resource(salt: Mapping[str, Any], order: str, resource: str, node: str, *more: str) -> None:
    command = ["crm_resource", order, "--resource", resource, "--node", node, *more]
    commands.checked(salt, command, "RESOURCE_STUCK")
