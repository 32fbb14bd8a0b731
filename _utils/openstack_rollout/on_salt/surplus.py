"""Nodes that are to remove what no release needs any more, asked over Salt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openstack_rollout.declared import surplus
from openstack_rollout.declared.surplus import Pruned
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.jobs import Call
from openstack_rollout.on_salt.returns import heard

SILENCE = 60.0  # seconds without a sign of life
WITHIN = 900.0  # seconds that a node may take: an image may have many files


def prune(
    fleet: SaltFleet, nodes: Sequence[str], asked: Mapping[str, Any]
) -> tuple[dict[str, Pruned], dict[str, tuple[str, str]]]:
    """Ask nodes for surplus.prune, all with one job.

    nodes: minion ids. asked: its arguments. Returns what they told, and why others did not.
    """
    call = Call("rollout_call.run", ("surplus.prune",), {"kwargs": dict(asked)})
    told: dict[str, Pruned] = {}
    failures: dict[str, tuple[str, str]] = {}
    for ended in fleet.ask(dict.fromkeys(nodes, SILENCE), call, within=WITHIN):
        try:
            told[ended.node] = heard(ended, surplus.read)
        except RolloutError as error:
            failures[ended.node] = error.reason, error.message
    return told, failures
