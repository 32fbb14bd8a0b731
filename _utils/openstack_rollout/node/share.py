"""A node's share, as the node reads it: what the master says that this one node must be.

It is the pillar `openstack_node`, which the master's ext_pillar makes (_pillar/openstack_rollout.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.node.errors import NodeError
from openstack_rollout.vocabulary import SERVICE_STAGES, SHARE_VERSION, STAGES

KEY = "openstack_node"
#: What a run adds to the node's pillar: its target, its stages, the services of its round, …
RUN = "openstack_rollout"


def of(pillar: Mapping[str, Any]) -> dict[str, Any]:
    """The share in a node's pillar.

    pillar (dict): the node's, `__pillar__` of a module.

    Raises NodeError: the reason under which the master refuses what is declared; INVALID_PILLAR where the
    master hands out no shares; SHARE_VERSION where master and node have another version of this program.
    """
    share = pillar.get(KEY)
    if not isinstance(share, Mapping):
        raise NodeError(
            "INVALID_PILLAR",
            f"{KEY}: this node's pillar has none: the master needs ext_pillar: [openstack_rollout: {{}}]"
            " (etc/master); salt-run release.check tells more",
        )
    if "refused" in share:
        raise NodeError(share["refused"]["reason"], share["refused"]["message"])
    if share.get("version") != SHARE_VERSION:
        raise NodeError(
            "SHARE_VERSION",
            f"the master's share is of version {share.get('version', 'none')}, this node's modules read"
            f" {SHARE_VERSION}",
        )
    return dict(share)


def refuse_tags(share: Mapping[str, Any]) -> None:
    """Raise NodeError TAG_UNRESOLVED where a service has an image by tag: nodes would get different ones.

    share (dict): of `of_stage`.
    """
    by_tag = [one["image"] for one in share["services"] if "@" not in one["image"]]
    if by_tag:
        raise NodeError(
            "TAG_UNRESOLVED", f"openstack:custom_images: no run has resolved {', '.join(by_tag)} yet"
        )


def of_stage(pillar: Mapping[str, Any], stage: str | None) -> dict[str, Any]:
    """The share, narrowed to a stage: its services (of the round that a run names), packages and new images.

    pillar (dict): as for `of`. stage (str): its name; None for all of them. A node without roles has no
    stages.

    Raises NodeError as `of`; UNKNOWN_TARGET where the stage needs a release and the pillar has no target;
    TARGET_CHANGED when the run is for another target, or for this one as it was before an edit.
    """
    whole = of(pillar)
    if not whole["roles"]:
        return {**whole, "last": None, "containers": [], "images": []}
    run = pillar.get(RUN) or {}
    asked_stages = [stage] if stage else run.get("stages", STAGES)
    if whole["untargeted"] and set(asked_stages) != {"system"}:
        raise NodeError("UNKNOWN_TARGET", whole["untargeted"])
    wanted = run.get("target", whole["target"])
    if wanted != whole["target"]:
        raise NodeError(
            "TARGET_CHANGED",
            f"openstack:target_version is now {whole['target']!r}, the run is for {wanted!r}",
        )
    here, undone = (whole.get("rollback") or {}).get("of", ""), run.get("rollback", "")
    if run and here != undone:
        held = f"is to go back from run {here}" if here else "belongs to the target"
        raise NodeError(
            "TARGET_CHANGED", f"this node {held}, the run {'undoes ' + undone if undone else 'does not'}"
        )
    declared = whole.get("content", {})
    edited = [name for name, found in run.get("content", {}).items() if declared.get(name) != found]
    if edited:
        raise NodeError(
            "TARGET_CHANGED",
            f"what {wanted or 'the system'} wants of {', '.join(edited)} was edited since the run began",
        )
    if stage is None:
        return whole
    asked = run.get("services")
    services = [
        service
        for service in whole["services"]
        if service["stage"] == stage and (asked is None or service["name"] in asked)
    ]
    earlier = STAGES[: STAGES.index(stage)] if stage in SERVICE_STAGES else ()
    pulled = {service["image"] for service in whole["services"] if service["stage"] in earlier}
    images = list(dict.fromkeys(service["image"] for service in services if service["image"] not in pulled))
    packaged = [
        one for one in whole["packaged"] if one["stage"] == stage and (asked is None or one["name"] in asked)
    ]
    narrowed = {"services": services, "packaged": packaged, "images": images}
    return {**whole, **narrowed, "packages": whole["packages"].get(stage, {})}
