"""A fingerprint of what a target brings nodes to, by stage: the version stays, and every edit changes it.

It is of the model, the same for all nodes: a node compares that of its share with that of the run.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from openstack_rollout.declared import releases, share
from openstack_rollout.declared.share import Place
from openstack_rollout.errors import RolloutError
from openstack_rollout.vocabulary import OS_FAMILIES, STAGES

if TYPE_CHECKING:
    from openstack_rollout.declared.model import Model


def of(model: Model) -> dict[str, str]:
    """The fingerprint of each stage at the target: of services and packages, for nodes of every role.

    Policies, hooks and which nodes there are may be edited under way: they are not part of it.
    """
    version = releases.wanted(model)
    places = [Place((role,), None, family) for role in model.targets for family in OS_FAMILIES]
    wanted = [_desired(model, version, where) for where in places]
    return {stage: _fingerprint([_of_stage(one, stage) for one in wanted]) for stage in STAGES}


def _desired(model: Model, version: str, where: Place) -> dict[str, Any]:
    try:
        return share.desired(model, version, where)
    except RolloutError:  # for whoever needs it, this will be a refusal
        return {"services": [], "packaged": [], "packages": {}}


def _of_stage(wanted: dict[str, Any], stage: str) -> dict[str, Any]:
    services = [one for one in wanted["services"] if one["stage"] == stage]
    packaged = [{**one, "newest": None} for one in wanted["packaged"] if one["stage"] == stage]
    return {"services": services, "packaged": packaged, "packages": wanted["packages"].get(stage, {})}


def _fingerprint(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]
