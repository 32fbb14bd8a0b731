"""Whether this master hands out shares as it should, and which nodes several of the pillar's targets name.

For release.check. It compiles the pillar of one minion, as Salt does when that minion asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import salt.pillar
import salt.utils.minions

from openstack_rollout.declared import words
from openstack_rollout.declared.model import Model
from openstack_rollout.node.share import KEY

_Lines = list[tuple[str, str]]


def check(opts: Mapping[str, Any], model: Model, minion_id: str | None = None) -> tuple[_Lines, list[str]]:
    """What the master lacks, as [(reason, line)], and warnings, one line each.

    opts (dict): the master's configuration. model: what is declared. minion_id (str): the minion whose share
    is made; by default the first accepted one. Without any accepted minion, shares are not checked.
    """
    members = salt.utils.minions.CkMinions(dict(opts))
    warnings = [*_overlaps(members, "roles", model.targets), *_overlaps(members, "zones", model.zones)]
    accepted = members.check_minions("*", "glob")["minions"]
    minion_id = minion_id or min(accepted, default=None)
    if minion_id is None:
        return [], warnings
    pillar = _pillar_of(opts, minion_id)
    share = pillar.get(KEY)
    if share is None:
        line = "ext_pillar: the master's configuration lacks openstack_rollout: {} (etc/master)"
        return [("INVALID_PILLAR", line)], warnings
    if "refused" in share:
        refused = share["refused"]
        return [(refused["reason"], f"the share of {minion_id}: {refused['message']}")], warnings
    if "openstack" in pillar:
        warnings.append(
            f"pillar/top.sls: gives openstack, with what belongs to other roles, to {minion_id}: assign it to"
            " '*_master' alone"
        )
    return [], warnings


def _overlaps(members: salt.utils.minions.CkMinions, key: str, targets: Mapping[Any, str]) -> list[str]:
    """A line for each group of nodes that several targets mean, with its effect."""
    found: dict[str, list[str]] = {}
    for name, target in sorted(targets.items()):
        for node in members.check_minions(target, "compound")["minions"]:
            found.setdefault(node, []).append(name)
    effect = {
        "roles": "such a node runs the services of all of them, and goes with the first in each stage",
        "zones": "the first by name counts",
    }[key]
    by_names: dict[tuple[str, ...], list[str]] = {}
    for node, names in sorted(found.items()):
        if len(names) > 1:
            by_names.setdefault(tuple(names), []).append(node)
    return [
        f"openstack:{key}: {', '.join(names)} all mean {words.some(nodes)}: {effect}"
        for names, nodes in by_names.items()
    ]


def _pillar_of(opts: Mapping[str, Any], minion_id: str) -> dict[str, Any]:
    _, grains, _ = salt.utils.minions.get_minion_data(minion_id, opts)
    compiler = salt.pillar.Pillar(dict(opts), grains or {"id": minion_id}, minion_id, "base")
    try:
        return dict(compiler.compile_pillar())
    finally:
        compiler.destroy()
