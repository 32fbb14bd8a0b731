"""The guard of a RabbitMQ node: its container changes only while no queue needs it, and counts as changed
only when it is back in its cluster and every quorum queue has a member to spare again.

Salt's own module of RabbitMQ calls its tools on the machine; here they are in the container. Draining a node
(`rabbitmq-upgrade drain`) is RabbitMQ's own maintenance mode: https://www.rabbitmq.com/docs/upgrade#maintenance-mode.
"""

from __future__ import annotations

import json
import time

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import clusters, commands
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps
from openstack_rollout.node.guards import PATIENCE

_STEPS = Steps()
_SPARE = ("rabbitmq-diagnostics", "check_if_node_is_quorum_critical")
_DRAINED_IN = 60  # seconds for leaders of queues to move
_NOT_STARTED = (126, 127)  # exit statuses of an engine's exec when the program cannot be started


def status(container: str = "rabbitmq") -> dict | None:
    """How this node and its cluster are.

    container (str): the name of the broker's container.

    Returns None where the broker is alone, else {"name", "members", "running", "partitions", "feature_flags":
    {flag: state}, "lacks": [what the cluster lacks]}. Raises CommandExecutionError when it does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.status
    """
    found = _cluster(container)
    if found is None:
        return None
    own = _name(container)
    return {
        "name": own,
        "members": sorted(found["disk_nodes"]),
        "running": sorted(found["running_nodes"]),
        "partitions": found.get("partitions") or {},
        "feature_flags": _flags(found),
        "lacks": [*clusters.rabbitmq(found, own), *_critical(container)],
    }


def feature_flags(container: str = "rabbitmq", enabled: list[str] | None = None) -> list[str]:
    """The feature flags that a release asks for and that are not on: a check, which changes nothing.

    container (str): its name. enabled (list): the flags that have to be on.

    Returns one line for each flag that is not on. Raises CommandExecutionError when the broker does not
    answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.feature_flags enabled='[khepri_db]'
    """
    known = _flags(_json(container, "rabbitmqctl", "list_feature_flags", "name", "state"))
    return [
        f"RabbitMQ's feature flag {flag} is {known.get(flag, 'unknown')}: rabbitmqctl enable_feature_flag"
        f" {flag}"
        for flag in enabled or ()
        if known.get(flag) != "enabled"
    ]


def may_stop(container: str = "rabbitmq", patience: float = PATIENCE) -> dict | None:
    """Make sure that the cluster can spare this node: all run, none is cut off, no queue loses its quorum.

    container (str): its name. patience (float): seconds in which a cluster may become whole.

    Returns {"node": its name}, None where the broker is alone or does not run here.
    Raises NodeError QUORUM_AT_RISK that says what is missing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.may_stop
    """

    def look() -> Look:
        found = _cluster(container, absent=True)
        if not found:
            return Look()
        own = _name(container)
        return Look({"node": own}, clusters.rabbitmq(found, own) or _critical(container), own)

    return _STEPS.spare(container, look, patience)


def before_stop(container: str) -> dict:
    """As `may_stop`; then have the node hand over what it leads and its clients go elsewhere.

    container (str): its name.

    Returns the token for `after_start`, {} where the broker is alone. Raises NodeError QUORUM_AT_RISK; the
    node serves on.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.before_stop rabbitmq
    """
    own = may_stop(container)
    if not own:
        return {}
    token = {**own, "begun": time.time()}
    _STEPS.begin(container, token)
    result = _tool(container, "rabbitmq-upgrade", "--timeout", str(_DRAINED_IN), "drain")
    if result.retcode:
        raise NodeError(
            "QUORUM_AT_RISK", f"{container}: {own['node']} cannot be drained: {result.complaint()}"
        )
    return token


def after_start(container: str, token: dict | None, timeout: float) -> str:
    """Wait until this node is back in its cluster, and no quorum queue is without a member to spare.

    container (str): its name. token (dict): of `before_stop`, None when no container ran before.
    timeout (float): seconds.

    Returns how it came back, one line. Raises NodeError QUORUM_NOT_RESTORED that says what is missing.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.after_start rabbitmq None 120
    """
    if not token:
        _STEPS.end(container)
        return ""
    own = token["node"]

    def look() -> Look:
        found = _cluster(container, absent=True)
        if not found:
            return Look(None, ["its broker does not answer, or is alone"], own)
        return Look(found, clusters.rabbitmq(found, own) or _critical(container), own)

    found = _STEPS.back(container, look, timeout)
    return f"{own} runs again, one of {len(found['running_nodes'])}"


def undo(container: str, token: dict | None) -> None:
    """Take a node that was only drained back into service. A second time changes nothing.

    container (str): its name. token (dict): of `before_stop`; None: that of a run that died.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.undo rabbitmq None
    """
    own = _STEPS.token(container, token).get("node")
    if own:
        found = _cluster(container, absent=True) or {}
        if (found.get("maintenance_status") or {}).get(own, "unknown") not in (
            "not under maintenance",
            "unknown",
        ):
            _tool(container, "rabbitmq-upgrade", "revive")
    _STEPS.end(container)


def pending(container: str) -> dict | None:
    """The token of a change that was begun and not finished (a dict), None when there is none.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.pending rabbitmq
    """
    return _STEPS.pending(container)


def _cluster(container: str, absent: bool = False) -> dict | None:
    """The broker's `cluster_status`; None of a broker that is alone, and, where `absent` allows it, of one
    that does not run.
    """
    try:
        found = _json(container, "rabbitmqctl", "cluster_status")
    except CommandExecutionError:
        if absent and not _answers(container):
            return None
        raise
    return found if len({*found.get("disk_nodes", ()), *found.get("ram_nodes", ())}) > 1 else None


def _answers(container: str) -> bool:
    result = _tool(container, "rabbitmq-diagnostics", "check_running")
    if result.retcode in _NOT_STARTED:
        raise NodeError("QUORUM_AT_RISK", f"{container} cannot be asked: {result.complaint()}")
    return not result.retcode


def _critical(container: str) -> list[str]:
    """The queues that would lose their quorum without this node."""
    result = _tool(container, *_SPARE)
    return [f"queues would lose their quorum ({result.complaint()})"] if result.retcode else []


def _name(container: str) -> str:
    return _tool(container, "rabbitmqctl", "eval", "node().").stdout.strip().strip("'")


def _flags(found: dict | list) -> dict[str, str]:
    rows = found if isinstance(found, list) else found.get("feature_flags", ())
    return {row["name"]: str(row["state"]) for row in rows}


def _json(container: str, program: str, *arguments: str):
    result = _tool(container, program, "--formatter", "json", *arguments)
    try:
        return json.loads(result.stdout)
    except ValueError as error:
        raise NodeError("QUORUM_AT_RISK", f"{container} cannot be asked: {result.complaint()}") from error


def _tool(container: str, program: str, *arguments: str) -> commands.Result:
    return commands.in_container(__salt__, container, [program, "--quiet", *arguments])
