"""What nodes have kept of their way back from a run, asked over Salt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openstack_rollout.declared import kept
from openstack_rollout.declared.kept import Kept
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.jobs import Call
from openstack_rollout.on_salt.returns import heard

SILENCE = 60.0  # seconds without a sign of life
WITHIN = 180.0  # seconds that a node may take to answer, though its minion gives signs of life


def ask(
    fleet: SaltFleet, run: str, nodes: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Kept], dict[str, tuple[str, str]]]:
    """Ask nodes for way_back.kept, all with one job.

    run: the identifier of the run that they would go back from. nodes: minion id → the images that it would
    go back to. Returns what they told, and why others did not.
    """
    references = sorted({reference for some in nodes.values() for reference in some})
    asked = {"kwargs": {"run": run, "references": references}}
    call = Call("rollout_call.run", ("way_back.kept",), asked, again=True)
    told: dict[str, Kept] = {}
    failures: dict[str, tuple[str, str]] = {}
    for ended in fleet.ask(dict.fromkeys(nodes, SILENCE), call, within=WITHIN) if nodes else ():
        try:
            told[ended.node] = heard(ended, kept.read)
        except RolloutError as error:
            failures[ended.node] = error.reason, error.message
    return told, failures
