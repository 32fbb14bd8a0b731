"""The guard of a RabbitMQ node: its container changes only while no queue needs it, and counts as changed
only when it is back in its cluster, every quorum queue has a member to spare again, and every classic
mirrored queue (RabbitMQ 3) a synchronised mirror.

Salt's own module of RabbitMQ calls its tools on the machine; here they are in the container. Draining a node
(`rabbitmq-upgrade drain`) is RabbitMQ's own maintenance mode: https://www.rabbitmq.com/docs/upgrade#maintenance-mode.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import some
from openstack_rollout.node import clusters, commands, mirrors
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps
from openstack_rollout.node.guards import PATIENCE

_STEPS = Steps()
_QUORUM, _MIRRORS = "check_if_node_is_quorum_critical", "check_if_node_is_mirror_sync_critical"
_SERVER = "beam.smp"  # the process of a broker, as of all that is written in Erlang
_SAYS_NO = 69  # the exit status of a check that fails; also of a tool that does not reach its broker
_NOT_OFFERED = 64  # the exit status of RabbitMQ's tools for a command, or a column, that they do not know
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
    critical, _ = _critical(container)
    return {
        "name": own,
        "members": sorted(found["disk_nodes"]),
        "running": sorted(found["running_nodes"]),
        "partitions": found.get("partitions") or {},
        "feature_flags": _flags(found),
        "lacks": [*clusters.rabbitmq(found, own), *critical],
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


def stable_flags(container: str = "rabbitmq") -> list[str]:
    """The feature flags that are stable and not on, without which a newer RabbitMQ does not start: a check,
    which changes nothing.

    container (str): its name.

    Returns one line for each. Raises CommandExecutionError when the broker does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.stable_flags
    """
    found = _json(container, "rabbitmqctl", "list_feature_flags", "name", "state", "stability")
    return [
        f"RabbitMQ's stable feature flag {row['name']} is {row['state']}: rabbitmqctl enable_feature_flag"
        f" {row['name']}"
        for row in _flag_rows(found)
        if row["stability"] == "stable" and row["state"] != "enabled"
    ]


def may_stop(container: str = "rabbitmq", patience: float = PATIENCE) -> dict | None:
    """Make sure that the cluster can spare this node: all run, none is cut off, no queue loses its quorum or
    its only synchronised copy.

    container (str): its name. patience (float): seconds in which a cluster may become whole.

    Returns {"node": its name}, None where the broker is alone or does not run here.
    Raises NodeError that says what is missing: QUORUM_AT_RISK; SET_BY_OPERATOR where mirrors are synchronised
    by hand only, CLIENT_FAILED where the broker runs and its tools do not reach it.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.may_stop
    """

    def look() -> Look:
        found = _cluster(container, absent=True)
        if not found:
            return Look()
        own, reason = _name(container), ""
        lacks = clusters.rabbitmq(found, own)
        if not lacks:
            lacks, reason = _critical(container)
        return Look({"node": own}, lacks, own, reason)

    return _STEPS.spare(container, _answering(look, __grains__["id"]), patience)


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
    """Wait until this node is back in its cluster, no quorum queue is without a member to spare, and the
    mirrors are synchronised that are so by themselves.

    container (str): its name. token (dict): of `before_stop`, None when no container ran before.
    timeout (float): seconds, from the last moment at which mirrors moved.

    Returns how it came back, one line; also which mirrors an operator has to have synchronised. Raises
    NodeError QUORUM_NOT_RESTORED that says what is missing; MEMBERS_AWAY where only other nodes are missing,
    COPY_STALLED where mirrors do not move, CLIENT_FAILED where the broker runs and its tools do not reach it.

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
        lacks, behind = clusters.rabbitmq(found, own) or _quorum_critical(container), []
        if not lacks:
            behind = _lagging(container)
            lacks = mirrors.lacks(behind)
        by_hand = mirrors.by_hand(behind)
        said = [f"{own} runs again, one of {len(found['running_nodes'])}", *by_hand]
        return Look(said, lacks, own, others=clusters.rabbitmq_lacks_others(found, own))

    watched = _answering(look, own)
    return "; ".join(_STEPS.back(container, watched, timeout, progress=lambda: progress(container)))


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


def progress(container: str) -> dict | None:
    """How far the mirrors of this cluster's queues are synchronised.

    container (str): its name.

    Returns {"what": a few words, "mark": what is greater the further they are, "copies": True}; None where
    none is being synchronised, or the broker does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' rabbitmq_cluster.progress rabbitmq
    """
    try:
        behind = [one for one in _lagging(container) if not one.by_hand]
    except CommandExecutionError:
        return None
    if not behind:
        return None
    mark = [-len(behind), sum(one.at for one in behind)]
    return {"what": "; ".join(mirrors.lacks(behind)), "mark": mark, "copies": True}


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
    """Whether the broker runs. Raises NodeError CLIENT_FAILED where that cannot be asked."""
    result = _tool(container, "rabbitmq-diagnostics", "check_running")
    if not result.retcode:
        return True
    unreached = result.retcode in _NOT_STARTED
    if not unreached and _SERVER in commands.processes(__salt__, container):
        # A node that is reached, and says that no broker runs on it, has said so.
        unreached = bool(_tool(container, "rabbitmq-diagnostics", "ping").retcode)
    if unreached:
        raise NodeError("CLIENT_FAILED", f"{container} cannot be asked: {_why(result)}")
    return False


def _answering(look: Callable[[], Look], member: str) -> Callable[[], Look]:
    """The same look; of a broker that cannot be asked, that is what is missing."""

    def tried() -> Look:
        try:
            return look()
        except NodeError as error:
            return Look(None, [error.text], member, error.reason)

    return tried


def _critical(container: str) -> tuple[list[str], str]:
    """What queues would lose without this node, and the word for it where there is one of its own."""
    quorum = _quorum_critical(container)
    copies = _failed(container, _MIRRORS)
    if not copies:
        return quorum, ""
    lost = [f"queues would lose their only synchronised copy ({copies})"]
    lag = _lagging(container)
    own = lag and all(one.by_hand for one in lag)
    return [*quorum, *lost, *mirrors.by_hand(lag)], "SET_BY_OPERATOR" if own and not quorum else ""


def _quorum_critical(container: str) -> list[str]:
    """The queues that would lose their quorum without this node."""
    queues = _failed(container, _QUORUM)
    return [f"queues would lose their quorum ({queues})"] if queues else []


def _failed(container: str, check: str) -> str:
    """The queues that a check names, or what else it says; "" where it passes, or this RabbitMQ has none.

    Raises NodeError CLIENT_FAILED where it says neither yes nor no.
    """
    result = _tool(container, "rabbitmq-diagnostics", "--formatter", "json", check)
    if not result.retcode or (check == _MIRRORS and result.retcode == _NOT_OFFERED):
        return ""
    named = _named(result.stdout)
    if result.retcode == _SAYS_NO and (named or _answers(container)):
        return named or result.complaint()
    raise NodeError("CLIENT_FAILED", f"{container} cannot be asked: {check}: {result.complaint()}")


def _named(answer: str) -> str:
    """The queues that a check names in JSON, "" where it names none."""
    try:
        return some([one["readable_name"] for one in json.loads(answer)["queues"]])
    except (ValueError, KeyError, TypeError):
        return ""


def _lagging(container: str) -> list[mirrors.Lagging]:
    """The queues with a mirror that is not synchronised. Raises NodeError CLIENT_FAILED."""
    found: list[mirrors.Lagging] = []
    for vhost in _json(container, "rabbitmqctl", "list_vhosts", "name"):
        where = ("--vhost", vhost["name"])
        listed = _tool(
            container, "rabbitmqctl", "--formatter", "json", "list_queues", *where, *mirrors.COLUMNS
        )
        if listed.retcode == _NOT_OFFERED:
            return []
        queues = _read(container, listed)
        if any(row.get("slave_pids") for row in queues):
            policies = _json(container, "rabbitmqctl", "list_policies", *where)
            found += mirrors.lagging(vhost["name"], queues, policies)
    return found


def _name(container: str) -> str:
    return _tool(container, "rabbitmqctl", "eval", "node().").stdout.strip().strip("'")


def _flags(found: dict | list) -> dict[str, str]:
    return {row["name"]: str(row["state"]) for row in _flag_rows(found)}


def _flag_rows(found: dict | list) -> list[dict]:
    return found if isinstance(found, list) else list(found.get("feature_flags", ()))


def _json(container: str, program: str, *arguments: str):
    return _read(container, _tool(container, program, "--formatter", "json", *arguments))


def _read(container: str, result: commands.Result):
    try:
        return json.loads(result.stdout)
    except ValueError as error:
        reason = "QUORUM_AT_RISK" if clusters.is_down(result.stderr) else "CLIENT_FAILED"
        raise NodeError(reason, f"{container} cannot be asked: {_why(result)}") from error


def _why(result: commands.Result) -> str:
    return clusters.unreached(f"{result.stderr}\n{result.stdout}") or result.complaint()


def _tool(container: str, program: str, *arguments: str) -> commands.Result:
    return commands.in_container(__salt__, container, [program, "--quiet", *arguments])
