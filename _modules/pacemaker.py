"""Pacemaker, asked and steered from one of its nodes: addresses are moved off a node before its services
stop, and a node is put to standby and back. A standby that an operator has set stays.

It is the guard of services that are reached by a virtual address (VIP). Where no Pacemaker runs, it has
nothing to do. It uses Pacemaker's own programs: crm_mon, crm_resource, crm_standby, crm_node.
"""

from __future__ import annotations

from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import some
from openstack_rollout.node import commands, guards, pacemaker, pacemaker_tools
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps

PATIENCE = 60  # seconds for resources to move
_STEPS = Steps()
_STANDBY = "pacemaker-standby"  # the record of a standby that is ours


def status() -> dict | None:
    """How the cluster is, as this node sees it.

    Returns None where no Pacemaker runs, else what pacemaker.read of node/ describes, and "node": this node's
    name, "lacks": [what is missing]. Raises NodeError QUORUM_AT_RISK when Pacemaker is enabled and does not
    answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.status
    """
    found = _cluster()
    return None if found is None else {**found, "lacks": pacemaker.lacks(found)}


def may_stop(container: str = guards.PACEMAKER, patience: float = guards.PATIENCE) -> dict | None:
    """Make sure that the cluster is whole, so that it can spare this node.

    container (str): its name, for the record alone. patience (float): seconds in which it may become whole.

    Returns {"node": this node's name}, None where no Pacemaker runs. Raises NodeError QUORUM_AT_RISK that
    says what is missing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.may_stop
    """

    def look() -> Look:
        found = _cluster()
        return Look({"node": found["node"]}, pacemaker.lacks(found)) if found else Look()

    seen = _STEPS.whole(look, patience, pacemaker_tools.POLL)
    if seen.lacks:
        raise NodeError("QUORUM_AT_RISK", f"Pacemaker: {'; '.join(seen.lacks)}")
    return seen.found


def before_stop(container: str) -> dict:
    """Move the addresses off this node, by a ban that ends by itself.

    container (str): the container that is about to change; the record has its name.

    Returns the token for `after_start` and `undo`, {} where no address is here. Raises NodeError
    QUORUM_AT_RISK when no other node can take them, RESOURCE_STUCK when one stays.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.before_stop keystone
    """
    found = _cluster()
    if found is None or _kept_still(found):
        return {}
    here = pacemaker.addresses(found, found["node"])
    parts = {one["part_of"] for one in here}
    going = {one["id"] for one in pacemaker.on(found, found["node"]) if one["part_of"] in parts}
    if not parts:
        return {}
    token = {"node": found["node"], "banned": sorted(parts)}
    addresses = ", ".join(token["banned"])
    refusal = f"{container} is not stopped, {addresses} cannot leave {found['node']}"
    _require_takers(found, "the address", refusal)
    _STEPS.begin(container, token)
    for resource in token["banned"]:
        pacemaker_tools.ban(__salt__, resource, token["node"])
    _wait_until_gone(token["node"], going, PATIENCE)
    _require_addresses_gone(token["node"])
    return token


def after_start(container: str, token: dict | None, timeout: float) -> str:
    """Lift the bans, and wait until nothing in the cluster is failed or under way.

    container (str): its name. token (dict): of `before_stop`. timeout (float): seconds.

    Returns one line. Raises NodeError RESOURCE_STUCK.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.after_start keystone None 60
    """
    undo(container, token)
    if not token:
        return ""
    _wait_until_idle(timeout)
    return f"{', '.join(token['banned'])} was kept off {token['node']} meanwhile"


def undo(container: str, token: dict | None) -> None:
    """Lift the bans of a change. A second time changes nothing.

    container (str): its name. token (dict): of `before_stop`; None: that of a run that died.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.undo keystone None
    """
    token = _STEPS.token(container, token)
    for resource in token.get("banned", ()):
        pacemaker_tools.lift(__salt__, resource, token["node"])
    _STEPS.end(container)


def progress(container: str) -> dict | None:
    """None: a container whose addresses left copies nothing that could be seen.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.progress keystone
    """
    return None


def pending(container: str) -> dict | None:
    """The token of a change that was begun and not finished (a dict), None when there is none.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.pending keystone
    """
    return _STEPS.pending(container)


def standby(timeout: float = 300) -> dict:
    """Put this node to standby and wait until no managed resource is left on it.

    timeout (float): seconds.

    Returns {"node", "was": whether an operator had set it to standby before, "left": [ids of the resources
    that were moved]}; {} without Pacemaker. Raises NodeError QUORUM_AT_RISK when the cluster cannot spare the
    node, SET_BY_OPERATOR when maintenance keeps resources on it, RESOURCE_STUCK that names the resources,
    addresses or keepalived processes that stay.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.standby
    """
    found = _cluster()
    if found is None:
        return {}
    node = found["node"]
    before = _STEPS.pending(_STANDBY) or {"node": node, "was": found["nodes"][node]["standby"]}
    if settings := _kept_still(found):
        if here := [one["id"] for one in pacemaker.on(found, node)]:
            text = f"{some(sorted(here))} would go down with {node}, Pacemaker moves nothing"
            raise NodeError("SET_BY_OPERATOR", f"{text}: {'; '.join(settings)}")
        return {**before, "left": []}
    if before["was"]:
        _STEPS.begin(_STANDBY, before)
        return {**before, "left": []}
    _require_takers(found, "its resources", f"{node} does not go to standby")
    _STEPS.begin(_STANDBY, before)
    here = {one["id"] for one in pacemaker.on(found, node) if one["managed"]}
    _crm_standby("on")
    _wait_until_gone(node, here, timeout)
    _require_addresses_gone(node)
    if outlived := __salt__["left_behind.keepaliveds"]():
        raise NodeError("RESOURCE_STUCK", f"{node}: {'; '.join(outlived)}: end it, or start its agent again")
    return {**before, "left": sorted(here)}


def unstandby(timeout: float = 300) -> dict:
    """End a standby that `standby` set, and wait until the node is online and nothing is failed or under way.

    timeout (float): seconds.

    Returns {"node", "was"}; {} where `standby` set none. Raises NodeError RESOURCE_STUCK.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.unstandby
    """
    before = _STEPS.pending(_STANDBY)
    if before is None:
        return {}
    _wait_until_online(before["node"], timeout)
    if not before["was"]:
        _crm_standby("off")
    _wait_until_idle(timeout)
    _STEPS.end(_STANDBY)
    return before


def _cluster() -> dict | None:
    """What crm_mon shows, with this node's name; None where no Pacemaker is to run."""
    return pacemaker_tools.cluster(__salt__, __grains__["id"])


def _kept_still(found: dict) -> list[str]:
    """The settings with which an operator has Pacemaker move nothing on this node, each with its way back.

    A single service may change all the same: its address stays with it. A node that goes down may not.
    """
    node = found["node"]
    settings = {
        "maintenance-mode = true (pcs property set maintenance-mode=false)": found["maintenance"],
        f"{node} is in maintenance (pcs node unmaintenance {node})": (
            found["nodes"].get(node, {}).get("maintenance", False)
        ),
    }
    return [setting for setting, is_so in settings.items() if is_so]


def _require_takers(found: dict, what: str, refusal: str) -> None:
    """Raise NodeError QUORUM_AT_RISK unless the cluster is whole and another node may take what is moved."""
    lacks = pacemaker.lacks(found)
    if not pacemaker.takers(found, found["node"]):
        lacks.append(f"no other node may take {what}")
    if lacks:
        raise NodeError("QUORUM_AT_RISK", f"{refusal}: {'; '.join(lacks)}")


def _wait_until_gone(node: str, resources: set[str], timeout: float) -> None:
    """Wait until none of the resources is on a node. Raises NodeError RESOURCE_STUCK."""
    pacemaker_tools.wait_until_gone(_cluster, _STEPS, node, resources, timeout)


def _wait_until_online(node: str, timeout: float) -> None:
    def is_online() -> bool:
        try:
            one = (_cluster() or {"nodes": {}})["nodes"].get(node, {})
        except CommandExecutionError:
            return False  # it is just being started, after a reboot
        return bool(one.get("online") and not one.get("pending"))

    if not _STEPS.until(is_online, timeout, pacemaker_tools.POLL):
        raise NodeError("RESOURCE_STUCK", f"{node} is not online within {timeout:.0f} s")


def _wait_until_idle(timeout: float) -> None:
    """Wait until Pacemaker has nothing to do, and find nothing failed. Raises NodeError RESOURCE_STUCK."""
    waited = pacemaker_tools.settle(__salt__, timeout)
    found = _cluster()
    lines = pacemaker.broken(found) if found else []
    if waited.retcode:
        busy = f"still busy after {timeout:.0f} s"
        lines.append(waited.complaint() if waited.stderr.strip() else busy)
    if lines:
        raise NodeError("RESOURCE_STUCK", "; ".join(lines))


def _require_addresses_gone(node: str) -> None:
    """Raise NodeError RESOURCE_STUCK when an address is still on this machine that Pacemaker has moved."""
    for resource in pacemaker.addresses_elsewhere(_cluster() or {"resources": []}, node):
        wanted = commands.run(
            __salt__, ["crm_resource", "--resource", resource, "--get-parameter=ip"]
        ).stdout.split()
        for address in __salt__["left_behind.addresses"](wanted):
            raise NodeError(
                "RESOURCE_STUCK",
                f"{resource}: Pacemaker moved it, its address {address} is still on {__grains__['id']}",
            )


def _crm_standby(state: str) -> None:
    commands.checked(
        __salt__,
        ["crm_standby", "--node", pacemaker_tools.own_name(__salt__), "--update", state],
        "RESOURCE_STUCK",
    )
