"""Backups on nodes, asked for over Salt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.declared import backup
from openstack_rollout.declared.backup import BackedUp
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.jobs import Call
from openstack_rollout.on_salt.returns import heard
from openstack_rollout.rollout.fleet import Halted, never

SILENCE = 60.0  # seconds without a sign of life


def ask(
    fleet: SaltFleet,
    function: str,
    asked: Mapping[str, Mapping[str, Any]],
    within: float,
    halted: Halted = never,
) -> tuple[dict[str, BackedUp], dict[str, tuple[str, str]]]:
    """Call a function of node_backup on nodes, all of the same arguments with one job.

    asked: minion id → the arguments. within (float): seconds that a node may take, though it gives signs of
    life. halted: asked meanwhile; what it returns is raised. Returns what they told, and why others did not.
    """
    found: dict[str, BackedUp] = {}
    failures: dict[str, tuple[str, str]] = {}
    alike: dict[str, list[str]] = {}
    for node, arguments in asked.items():
        alike.setdefault(repr(sorted(arguments.items())), []).append(node)
    for nodes in alike.values():
        call = Call("rollout_call.run", (f"node_backup.{function}",), {"kwargs": dict(asked[nodes[0]])})
        for ended in fleet.ask(dict.fromkeys(nodes, SILENCE), call, halted, within=within):
            try:
                found[ended.node] = heard(ended, backup.read)
            except RolloutError as error:
                failures[ended.node] = error.reason, error.message
    return found, failures
