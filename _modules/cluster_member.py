"""This node as a member of all its clusters at once: before it is taken away as a whole, and after it came
back.

What a cluster is and how it is asked is its guard's affair (galera, rabbitmq_cluster, ovsdb_cluster).
"""

from __future__ import annotations

import time

from salt.exceptions import CommandExecutionError

PATIENCE = 60  # seconds for clusters that are about to be whole again
_POLL = 2.0
_CLUSTERS = ("galera", "rabbitmq_cluster", "ovsdb_cluster")


def services() -> dict[str, str]:
    """The containers of this node that are members of clusters: {container: guard}.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' cluster_member.services
    """
    return {
        service["container"]: service["guard"]
        for service in __salt__["openstack_node.desired"]()["services"]
        if service["guard"] in _CLUSTERS
    }


def may_stop(patience: float = PATIENCE) -> list[str]:
    """Make sure that every cluster of this node can spare it. Nothing is touched.

    patience (float): seconds in which each cluster may become whole.

    Returns the containers that were asked. Raises CommandExecutionError led by QUORUM_AT_RISK.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' cluster_member.may_stop
    """
    found = services()
    for container, guard in found.items():
        __salt__[f"{guard}.may_stop"](container, patience)
    pacemaker = __salt__["pacemaker.status"]()
    if pacemaker and pacemaker["lacks"]:
        raise CommandExecutionError(f"QUORUM_AT_RISK: Pacemaker: {'; '.join(pacemaker['lacks'])}")
    return list(found)


def is_back(timeout: float = 600) -> list[str]:
    """Wait until this node is a member of each of its clusters, and these are whole.

    timeout (float): seconds for all together.

    Returns the containers that are members. Raises CommandExecutionError led by QUORUM_NOT_RESTORED that says
    what is missing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' cluster_member.is_back
    """
    found = services()
    deadline = time.monotonic() + timeout
    while True:
        lacks = {container: _lacks(container, guard) for container, guard in found.items()}
        missing = [f"{container}: {', '.join(lines)}" for container, lines in lacks.items() if lines]
        if not missing:
            return list(found)
        if time.monotonic() > deadline:
            raise CommandExecutionError(
                f"QUORUM_NOT_RESTORED: {__grains__['id']} is not back after {timeout:.0f} s:"
                f" {'; '.join(missing)}"
            )
        time.sleep(_POLL)


def _lacks(container: str, guard: str) -> list[str]:
    try:
        found = __salt__[f"{guard}.status"](container)
    except CommandExecutionError as error:
        return [str(error)]
    return list(found["lacks"]) if found else []
