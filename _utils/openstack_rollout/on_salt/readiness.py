"""One question to all nodes of a run before it begins: what they tell of their readiness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.declared import readiness
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.jobs import Call
from openstack_rollout.on_salt.returns import heard
from openstack_rollout.rollout.fleet import Halted, never
from openstack_rollout.rollout.ports import Heard, Readied

#: Seconds that a node may take to answer, though its minion gives signs of life.
WITHIN = 180.0
#: Seconds of silence that a node may have at least: it has just been measured, and modules are loaded anew.
_LEAST = 30.0


def ask(
    fleet: SaltFleet, silences: Mapping[str, float], asking: Mapping[str, Any], halted: Halted = never
) -> Readied:
    """Ask nodes for readiness.report.

    silences: minion id → seconds without a sign of life after which it counts as silent. asking: the
    arguments. halted: asked meanwhile; what it returns is raised. Returns who told, and why the others did
    not.
    """
    call = Call("rollout_call.run", ("readiness.report",), {"kwargs": {**asking, "fresh": True}}, again=True)
    nodes: dict[str, Heard] = {}
    failures: dict[str, tuple[str, str]] = {}
    patient = {node: max(silence, _LEAST) for node, silence in silences.items()}
    for ended in fleet.ask(patient, call, halted, within=WITHIN) if patient else ():
        try:
            nodes[ended.node] = Heard(heard(ended, readiness.read), ended.asked, ended.heard)
        except RolloutError as error:
            failures[ended.node] = error.reason, error.message
    return Readied(nodes, failures)
