"""Containers that Pacemaker runs as replicas of a bundle (TripleO: galera, rabbitmq, haproxy, ovn-dbs, …).

A carrier; the contract is in node/carriers.py. Such a container is Pacemaker's: it is never started, stopped,
renamed or removed here. The bundle names its image by a tag that is local to each node, so this node's tag is
moved, and Pacemaker stops its replica on this node and starts it again. The bundle's definition stays as it
is: a change of it would restart all replicas.
"""

from __future__ import annotations

import re

from openstack_rollout.node import guards, pacemaker, pacemaker_tools
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps

PATIENCE = 300  # seconds for Pacemaker to stop a replica, and to start one
PREVIOUS = "-previous"  # ends the tag that keeps the previous image until the next one is proven
_STAYS_UP = 3  # seconds that a container has to run: Pacemaker itself looks once a minute
_STEPS = Steps()
# An engine as Pacemaker names it, and the execution module that tells of it.
_ENGINES = {"podman": "podman", "docker": "docker_engine"}
# How Pacemaker names the container of a replica: BUNDLE-ENGINE-NUMBER.
_NAME = re.compile(r"(?P<bundle>.+)-(?P<engine>podman|docker)-\d+")


def __virtual__():
    """Only where a module of ours for an engine works."""
    if any(f"{engine}.containers" in __salt__ for engine in _ENGINES.values()):
        return True
    return (False, "neither podman nor docker is installed")


def carried() -> dict[str, dict]:
    """The replicas of bundles that Pacemaker runs on this node.

    Returns {container: {"unit": "", "engine", "image": the tag that Pacemaker starts, "journal": False,
    "bundle": its id}}. Where Pacemaker is to run and does not answer, the containers that have the name of a
    replica.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker_bundle.carried
    """
    try:
        found = _cluster()
    except NodeError:
        return _by_name()
    if found is None:
        return {}
    return {
        replica["container"]: _record(name, bundle["engine"], bundle["image"])
        for name, bundle in found["bundles"].items()
        if bundle["engine"] in _ENGINES
        for replica in bundle["replicas"]
        if found["node"] in replica["nodes"]
    }


def replica(bundle: str) -> str:
    """The container of a bundle on this node; its number differs from node to node.

    bundle (str): its id. Returns the container's name, "" where no replica runs here.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker_bundle.replica haproxy-bundle
    """
    return next((name for name, one in carried().items() if one["bundle"] == bundle), "")


def prepare(container: str, image: str) -> dict:
    """Make sure that Pacemaker can start this node's replica with another image. Touches nothing.

    container (str): its name. image (str): reference with a digest; it is local.

    Returns the token. Raises NodeError DEFINITION_REFUSED where the bundle is not Pacemaker's to restart or
    names no local tag, QUORUM_AT_RISK where the cluster cannot spare the replica.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker_bundle.prepare haproxy-bundle-podman-0 registry.example/haproxy@sha256:…
    """
    found, name = _look(container)
    bundle = found["bundles"][name]
    if bundle["engine"] != "podman":
        raise NodeError("DEFINITION_REFUSED", f"{name} is run by {bundle['engine']}, which is not known here")
    _require_tag(name, bundle["image"])
    if kept := _kept_still(found, name):
        raise NodeError("DEFINITION_REFUSED", f"{container} is not restarted: {kept}")
    _require_spare(container)
    return {
        "unit": "",
        "engine": "podman",
        "definition": __salt__["podman.definition"](container),
        "bundle": name,
        "node": found["node"],
        "held": pacemaker.free_for(found, name, found["node"]),
        "tag": bundle["image"],
        "next": _image_id(image),
        "previous": __salt__["podman.container"](container)["image_id"],
    }


def replace(container: str, token: dict) -> None:
    """Have the tag name the next image, and Pacemaker start this node's replica anew; no other one restarts.

    container (str): its name. token (dict): of `prepare`. Raises NodeError RESOURCE_STUCK where Pacemaker
    does not stop the replica, CONTAINER_EXITED where the next one does not stay up.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker_bundle.replace haproxy-bundle-podman-0 '{…}'
    """
    __salt__["podman.tag"](token["previous"], f"{token['tag']}{PREVIOUS}")
    __salt__["podman.tag"](token["next"], token["tag"])
    _hold(token)
    _stop(token)
    _start(container, token)
    _let_go(token)
    _require_runs(container, token["next"])


def put_back(container: str, token: dict) -> None:
    """Have the tag name the previous image again, and Pacemaker run it. A second time changes nothing.

    container (str): its name. token (dict): of `prepare`. Raises NodeError as `replace`.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker_bundle.put_back haproxy-bundle-podman-0 '{…}'
    """
    __salt__["podman.tag"](token["previous"], token["tag"])
    _hold(token)
    try:
        there = __salt__["podman.container"](container)
        if there and there["image_id"] != token["previous"]:
            _stop(token)
        pacemaker_tools.forget_failures(__salt__, token["bundle"], token["node"])
        _start(container, token)
    finally:
        _let_go(token)
    _require_runs(container, token["previous"])
    __salt__["podman.untag"](f"{token['tag']}{PREVIOUS}")


def accept(container: str, token: dict) -> None:
    """Drop the tag that keeps the previous image, and what a run that died kept: the next one is proven.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError when podman or
    Pacemaker refuses.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker_bundle.accept haproxy-bundle-podman-0 '{…}'
    """
    _let_go(token)
    __salt__["podman.untag"](f"{token['tag']}{PREVIOUS}")


def discard(container: str, token: dict) -> None:
    """Nothing: `prepare` makes nothing. It is there since the engine asks each carrier.

    container (str): its name. token (dict): of `prepare`.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' pacemaker_bundle.discard haproxy-bundle-podman-0 '{…}'
    """


def spare_tag(bundle: str) -> str:
    """The tag that a replica of a bundle would start which moves to this node, "" where one is here already.

    bundle (str): its id. Returns "" also where there is no such bundle, and where Pacemaker does not answer:
    nothing moves to this node then. Raises NodeError DEFINITION_REFUSED where the bundle names no tag.

    CLI Example:

    .. code-block:: bash

        salt 'ctl2' pacemaker_bundle.spare_tag openstack-cinder-volume
    """
    try:
        found = _cluster()
    except NodeError:
        return ""
    if found is None or bundle not in found["bundles"] or _here(found, bundle):
        return ""
    _require_tag(bundle, found["bundles"][bundle]["image"])
    return found["bundles"][bundle]["image"]


def _cluster() -> dict | None:
    return pacemaker_tools.cluster(__salt__, __grains__["id"])


def _record(bundle: str, engine: str, image: str) -> dict:
    return {
        "unit": "",
        "engine": _ENGINES[engine],
        "image": image,
        "journal": False,
        "bundle": bundle,
    }


def _by_name() -> dict[str, dict]:
    return {
        name: _record(match["bundle"], engine, one["image"])
        for engine, module in _ENGINES.items()
        if f"{module}.containers" in __salt__
        for name, one in __salt__[f"{module}.containers"](known=True).items()
        if (match := _NAME.fullmatch(name)) and match["engine"] == engine
    }


def _look(container: str) -> tuple[dict, str]:
    """The cluster, and the id of a container's bundle. Raises NodeError."""
    found = _cluster()
    for name in found["bundles"] if found else ():
        if any(one["container"] == container for one in _here(found, name)):
            return found, name
    raise NodeError(
        "DEFINITION_REFUSED", f"Pacemaker runs no replica {container} on {found['node'] if found else 'here'}"
    )


def _here(found: dict, bundle: str) -> list[dict]:
    """The replicas of a bundle on this node."""
    return [one for one in found["bundles"][bundle]["replicas"] if found["node"] in one["nodes"]]


def _require_tag(bundle: str, reference: str) -> None:
    """Raise NodeError DEFINITION_REFUSED where the bundle's image cannot be another one by a local tag."""
    if "@" in reference:
        raise NodeError(
            "DEFINITION_REFUSED",
            f"{bundle} names its image by digest ({reference}): another one would change the bundle, and"
            " restart all replicas; have it name a tag that each node has",
        )


def _kept_still(found: dict, bundle: str) -> str:
    """Why Pacemaker may not restart the bundle's replica here, "" where it may."""
    if found["maintenance"]:
        return "the cluster is in maintenance mode"
    if found["nodes"][found["node"]]["maintenance"]:
        return f"node {found['node']} is in maintenance mode"
    if not found["bundles"][bundle]["managed"] or not all(one["managed"] for one in _here(found, bundle)):
        return f"{bundle} is unmanaged, or in maintenance mode"
    return ""


def _require_spare(container: str) -> None:
    """Raise NodeError QUORUM_AT_RISK unless the cluster is whole, and every replica of the bundle runs."""

    def look() -> Look:
        found, name = _look(container)
        down = [one["container"] for one in found["bundles"][name]["replicas"] if not one["active"]]
        return Look(found, [*pacemaker.lacks(found), *(f"{one} does not run" for one in down)], found["node"])

    _STEPS.spare(container, look, guards.PATIENCE, every=pacemaker_tools.POLL)


def _image_id(image: str) -> str:
    """The id of a local image. Raises NodeError DEFINITION_REFUSED when it is not local."""
    if found := __salt__["podman.image_ids"]([image]).get(image):
        return found
    raise NodeError("DEFINITION_REFUSED", f"{image} is not on {__grains__['id']}")


def _hold(token: dict) -> None:
    """Have Pacemaker move the replica to no other node while it is stopped here."""
    for node in token["held"]:
        pacemaker_tools.ban(__salt__, token["bundle"], node)


def _let_go(token: dict) -> None:
    for node in token["held"]:
        pacemaker_tools.lift(__salt__, token["bundle"], node)


def _stop(token: dict) -> None:
    found = _cluster() or {"resources": []}
    going = {one["id"] for one in pacemaker.on(found, token["node"]) if one["part_of"] == token["bundle"]}
    pacemaker_tools.ban(__salt__, token["bundle"], token["node"])
    pacemaker_tools.wait_until_gone(_cluster, _STEPS, token["node"], going, PATIENCE)


def _start(container: str, token: dict) -> None:
    """Let Pacemaker start the replica on this node, and wait until it has nothing more to do."""
    pacemaker_tools.lift(__salt__, token["bundle"], token["node"])
    pacemaker_tools.settle(__salt__, PATIENCE)
    found = _cluster()
    here = _here(found, token["bundle"]) if found else []
    if not any(one["container"] == container and one["active"] for one in here):
        why = "; ".join(line for line in (found or {"failures": []})["failures"] if f" {container}_" in line)
        raise NodeError("CONTAINER_EXITED", f"Pacemaker does not run {container}: {why or 'it says no more'}")


def _require_runs(container: str, image_id: str) -> None:
    """Raise NodeError CONTAINER_EXITED unless the container runs an image, and goes on for a moment."""

    def ended() -> bool:
        now = __salt__["podman.container"](container)
        return not now or not now["running"] or now["image_id"] != image_id

    if _STEPS.until(ended, _STAYS_UP):
        raise NodeError("CONTAINER_EXITED", f"{container} ended, or runs another image than {image_id[:12]}")
