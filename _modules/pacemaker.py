"""Pacemaker, asked and steered from one of its nodes: addresses leave a node before its services stop, a
node goes to standby and back, and what an operator has set stays set.

As a guard it stands beside the services that are reached by a
VIP. Where no Pacemaker runs, it has nothing to do.
"""

from __future__ import annotations

import time

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import guards, pacemaker
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Steps

PATIENCE = 60  # seconds for resources to move
_STEPS = Steps()
BAN_MINUTES = 30  # after which Pacemaker itself forgets a ban whose maker died
_POLL = 0.5
_STANDBY = "pacemaker-standby"  # the record of a standby that is ours


def status() -> dict | None:
    """How the cluster is, as this node sees it.

    Returns None where no Pacemaker runs, else what node/pacemaker.py reads of it and "node": this node's
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
    found = None

    def lacks() -> list[str]:
        nonlocal found
        found = _cluster()
        return pacemaker.lacks(found) if found else []

    if missing := _STEPS.until_whole(lacks, patience, _POLL):
        raise NodeError("QUORUM_AT_RISK", f"Pacemaker: {'; '.join(missing)}")
    return {"node": found["node"]} if found else None


def before_stop(container: str) -> dict:
    """Have the addresses leave this node, by a ban that ends by itself.

    container (str): the container that is about to change; the record has its name.

    Returns the token for `after_start` and `undo`, {} where no address is here. Raises NodeError
    QUORUM_AT_RISK when the cluster cannot take them, RESOURCE_STUCK when one does not leave.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.before_stop keystone
    """
    found = _cluster()
    if found is None or _unmanaged(found):
        return {}
    here = pacemaker.addresses(found, found["node"])
    parts = {one["part_of"] for one in here}
    going = {one["id"] for one in pacemaker.on(found, found["node"]) if one["part_of"] in parts}
    if not parts:
        return {}
    token = {"node": found["node"], "banned": sorted(parts)}
    lacks = pacemaker.lacks(found)
    if not pacemaker.takers(found, found["node"]):
        lacks.append("no other node may take the address")
    if lacks:
        raise NodeError(
            "QUORUM_AT_RISK",
            f"{container} is not stopped, {', '.join(token['banned'])} cannot leave"
            f" {found['node']}: {'; '.join(lacks)}",
        )
    _STEPS.begin(container, token)
    for resource in token["banned"]:
        _crm_resource(
            "--ban", "--resource", resource, "--node", token["node"], f"--lifetime=PT{BAN_MINUTES}M"
        )
    _until_gone(token["node"], going, PATIENCE)
    _nothing_stays(token["node"])
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
    _settled(timeout)
    return f"{', '.join(token['banned'])} was kept off {token['node']} meanwhile"


def undo(container: str, token: dict | None) -> None:
    """Lift the bans of a change. A second time changes nothing.

    container (str): its name. token (dict): of `before_stop`; None: what a run that died has left.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.undo keystone None
    """
    token = _STEPS.token(container, token)
    for resource in token.get("banned", ()):
        _crm_resource("--clear", "--resource", resource, "--node", token["node"])
    _STEPS.end(container)


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

    Returns {"node", "was": the standby that an operator had set, "left": ids that left}; {} without
    Pacemaker.
    Raises NodeError QUORUM_AT_RISK when the cluster cannot spare the node, RESOURCE_STUCK that names the
    resources, addresses or keepaliveds which stay.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.standby
    """
    found = _cluster()
    if found is None:
        return {}
    node = found["node"]
    before = _STEPS.pending(_STANDBY) or {"node": node, "was": found["nodes"][node]["standby"]}
    if _unmanaged(found):
        return {**before, "left": []}
    if before["was"]:
        _STEPS.begin(_STANDBY, before)
        return {**before, "left": []}
    lacks = pacemaker.lacks(found)
    if not pacemaker.takers(found, node):
        lacks.append("no other node may take its resources")
    if lacks:
        raise NodeError("QUORUM_AT_RISK", f"{node} does not go to standby: {'; '.join(lacks)}")
    _STEPS.begin(_STANDBY, before)
    here = {one["id"] for one in pacemaker.on(found, node) if one["managed"]}
    _crm_standby("on")
    _until_gone(node, here, timeout)
    _nothing_stays(node)
    if outlived := __salt__["left_behind.keepaliveds"]():
        raise NodeError("RESOURCE_STUCK", f"{node}: {'; '.join(outlived)}: end it, or start its agent again")
    return {**before, "left": sorted(here)}


def unstandby(timeout: float = 300) -> dict:
    """End a standby that is ours, and wait until the node is online and nothing is failed or under way.

    timeout (float): seconds.

    Returns {"node", "was"}; {} where no standby is ours. Raises NodeError RESOURCE_STUCK.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker.unstandby
    """
    before = _STEPS.pending(_STANDBY)
    if before is None:
        return {}
    _until_online(before["node"], timeout)
    if not before["was"]:
        _crm_standby("off")
    _settled(timeout)
    _STEPS.end(_STANDBY)
    return before


def _cluster() -> dict | None:
    """What crm_mon shows, with this node's name; None where no Pacemaker is to run."""
    if not __salt__["cmd.has_exec"]("crm_mon"):
        return None
    result = _run(["crm_mon", "--one-shot", "--inactive", "--output-as=xml"])
    try:
        found = pacemaker.read(result["stdout"]) if not result["retcode"] else None
    except ValueError:
        found = None
    if found is not None:
        return {**found, "node": _run(["crm_node", "--name"])["stdout"].strip()}
    if _run(["systemctl", "is-enabled", "pacemaker.service"])["stdout"].strip() != "enabled":
        return None
    said = " ".join((result["stderr"] or result["stdout"]).split())[:200]
    raise NodeError("QUORUM_AT_RISK", f"Pacemaker of {__grains__['id']} does not answer: {said}")


def _unmanaged(found: dict) -> bool:
    """Whether an operator keeps Pacemaker from moving anything on this node."""
    return found["maintenance"] or found["nodes"].get(found["node"], {}).get("maintenance", False)


def _until_gone(node: str, resources: set[str], timeout: float) -> None:
    """Wait until none of the resources is on a node. Raises NodeError RESOURCE_STUCK."""
    deadline = time.monotonic() + timeout
    while True:
        found = _cluster() or {"resources": [], "failures": []}
        left = sorted(one["id"] for one in pacemaker.on(found, node) if one["id"] in resources)
        blocked = [
            one["id"] for one in pacemaker.on(found, node) if one["blocked"] and one["id"] in resources
        ]
        if not left:
            return
        if blocked or time.monotonic() > deadline:
            why = "; ".join(pacemaker.broken(found)) or f"no answer within {timeout:.0f} s"
            raise NodeError("RESOURCE_STUCK", f"{', '.join(left)} does not leave {node}: {why}")
        time.sleep(_POLL)


def _until_online(node: str, timeout: float) -> None:
    def away() -> list[str]:
        try:
            one = (_cluster() or {"nodes": {}})["nodes"].get(node, {})
        except CommandExecutionError:
            one = {}  # it is just being started, after a reboot
        return [] if one.get("online") and not one.get("pending") else [node]

    if _STEPS.until_whole(away, timeout, _POLL):
        raise NodeError("RESOURCE_STUCK", f"{node} is not online within {timeout:.0f} s")


def _settled(timeout: float) -> None:
    """Wait until Pacemaker has nothing to do, and find nothing failed. Raises RESOURCE_STUCK."""
    waited = _run(["crm_resource", "--wait", f"--timeout={timeout:.0f}"])
    found = _cluster()
    lines = pacemaker.broken(found) if found else []
    if waited["retcode"]:
        lines.append(" ".join(waited["stderr"].split())[-200:] or f"still busy after {timeout:.0f} s")
    if lines:
        raise NodeError("RESOURCE_STUCK", "; ".join(lines))


def _nothing_stays(node: str) -> None:
    """Make sure that addresses left the machine, not only Pacemaker's view of it. Raises RESOURCE_STUCK."""
    for resource in pacemaker.addresses_elsewhere(_cluster() or {"resources": []}, node):
        wanted = _run(["crm_resource", "--resource", resource, "--get-parameter=ip"])["stdout"].split()
        for address in __salt__["left_behind.addresses"](wanted):
            raise NodeError(
                "RESOURCE_STUCK",
                f"{resource}: Pacemaker moved it, its address {address} is still on {__grains__['id']}",
            )


def _crm_standby(state: str) -> None:
    result = _run(
        ["crm_standby", "--node", _run(["crm_node", "--name"])["stdout"].strip(), "--update", state]
    )
    if result["retcode"]:
        raise NodeError("RESOURCE_STUCK", f"crm_standby: {' '.join(result['stderr'].split())[:200]}")


def _crm_resource(*arguments: str) -> None:
    result = _run(["crm_resource", *arguments])
    if result["retcode"]:
        said = " ".join(result["stderr"].split())[:200]
        raise NodeError("RESOURCE_STUCK", f"crm_resource {' '.join(arguments)}: {said}")


def _run(command: list[str]) -> dict:
    return __salt__["cmd.run_all"](command, python_shell=False, ignore_retcode=True)
