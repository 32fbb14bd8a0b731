"""How the master calls functions of this node: a failure comes back as fields, not as a text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.errors import RolloutError
from openstack_rollout.node import errors
from openstack_rollout.records import processes

# What the master asks for; find_job by an engine that began before the modules here were renewed.
_FUNCTIONS = ("saltutil.find_job", "test.ping")
_MODULES = (
    "ceph_cluster",
    "cluster_member",
    "datapath",
    "deployed",
    "guest_probe",
    "minion_package",
    "node_backup",
    "node_reboot",
    "node_workloads",
    "openstack_node",
    "ovn_gateway",
    "pacemaker",
    "readiness",
    "reboot_needed",
    "rollout_hooks",
    "rollout_job",
    "surplus",
    "way_back",
)


def run(function: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> dict:
    """Call a function, and return its value or its failure.

    function (str): of one of this project's modules that the master asks. args (list), kwargs (dict): its
    arguments.

    Returns {"value": what it returns}, or {"reason": a word of errors.REASONS or "", "message": what is
    wrong} of one that failed; the return code is 1 then. Beside it always "minion", as `minion` tells it.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_call.run openstack_node.facts kwargs='{fresh: True}'
    """
    module, dot, _ = function.partition(".")
    if function not in _FUNCTIONS and not (dot and module in _MODULES):
        return _failure(f"{function} is not one of the functions that the master asks", "NODE_ERROR")
    if function not in __salt__:
        brings = f"salt '{__grains__['id']}' saltutil.sync_all brings it"
        return _failure(f"{function} is not available: {brings}")
    try:
        return {"value": __salt__[function](*args, **(kwargs or {})), "minion": minion()}
    except (CommandExecutionError, RolloutError) as error:
        return _failure(errors.text_of(error), **errors.record_of(error))


def minion() -> dict:
    """Which process the minion is: another one after every restart, of the minion or of its node.

    Returns {"boot": the identifier of the boot, "started": ticks from that boot to the start of the minion}.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' rollout_call.minion
    """
    # A job has a process of its own, which the minion's forks.
    pid = os.getppid() if __opts__.get("multiprocessing", True) else os.getpid()
    return {"boot": processes.boot(), "started": processes.started(pid)}


def _failure(message: str, reason: str = "", **more: Any) -> dict:
    __context__["retcode"] = 1
    return {"reason": reason, "message": message, **more, "minion": minion()}
