"""The images that containers had before a run, held against an operator's pruning.

podman's `image prune --all` and `system prune --all` remove what no container is of. A volume of its driver
`image` counts as one: it takes no room, is in no list of containers, and outlives a reboot. Docker has
nothing of the kind: there a container that was never started would be all, which `system prune` removes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from openstack_rollout.node import commands, engines
from openstack_rollout.node.errors import NodeError

#: The label of the volumes; its value is the run's identifier.
LABEL = "openstack-rollout.kept"
_NAME = "openstack-rollout"
_SHORT = 12  # characters of an image's id that tell images of one node apart
_HOLDER = "+volume"  # what podman appends to a volume's name for what holds its image
_COPIES = ("vfs",)  # storage drivers that would copy the whole image
_WHY = 2  # lines at the end of podman's output that say why it failed


def keep(salt: Mapping[str, Any], run: str, images: Collection[str]) -> list[str]:
    """Hold images of podman's for a run; what other runs hold goes, unless this one holds none.

    salt (dict): the caller's `__salt__`. run (str): its identifier. images: ids.

    Returns the ids of those that were not held for this run before (list). Raises NodeError NODE_ERROR where
    the storage driver would copy them, CommandExecutionError when podman does not do it.
    """
    if not images:
        return []
    driver = _podman(salt, ["info", "--format", "{{.Store.GraphDriverName}}"]).strip()
    if driver in _COPIES:
        raise NodeError("NODE_ERROR", f"podman's storage driver {driver} would copy each image")
    there, holding = _volumes(salt), _holding(salt)
    due = {name: image for image in sorted(images) if holding.get(name := _name(run, image)) != image}
    if stale := sorted(due.keys() & there.keys()):
        _podman(salt, ["volume", "rm", *stale])
    for name, image in due.items():
        what = ["--driver", "image", "--opt", f"image={image}", "--label", f"{LABEL}={run}"]
        _podman(salt, ["volume", "create", *what, name])
    if earlier := sorted(name for name, one in there.items() if one != run):
        _podman(salt, ["volume", "rm", *earlier])
    return list(due.values())


def held(salt: Mapping[str, Any]) -> dict[str, list[str]]:
    """The images that are held: {id: names of the volumes}.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError when podman does not answer.
    """
    if f"{engines.PODMAN}.containers" not in salt:
        return {}
    ours = _volumes(salt)
    found: dict[str, list[str]] = {}
    for name, image in _holding(salt).items() if ours else ():
        if name in ours:
            found.setdefault(image, []).append(name)
    return found


def release(salt: Mapping[str, Any], images: Iterable[str]) -> None:
    """Hold images no longer. One that is not held is no error.

    salt (dict): the caller's `__salt__`. images: ids. Raises CommandExecutionError when podman does not do
    it.
    """
    wanted = set(images)
    if names := sorted(name for image, some in held(salt).items() if image in wanted for name in some):
        _podman(salt, ["volume", "rm", *names])


def _volumes(salt: Mapping[str, Any]) -> dict[str, str]:
    """The volumes of ours: {name: the run that made it}."""
    ours = ["--filter", f"label={LABEL}"]
    told = json.loads(_podman(salt, ["volume", "ls", *ours, "--format", "json"]) or "[]")
    return {one["Name"]: one["Labels"][LABEL] for one in told or ()}


def _holding(salt: Mapping[str, Any]) -> dict[str, str]:
    """The volumes, of whomever, that hold an image now: {name: id of the image}. One whose image was taken by
    force is still there, and holds none.
    """
    told = json.loads(_podman(salt, ["ps", "--all", "--external", "--format", "json"]) or "[]")
    return {
        name.removesuffix(_HOLDER): one["ImageID"]
        for one in told or ()
        for name in one["Names"] or ()
        if name.endswith(_HOLDER)
    }


def _name(run: str, image: str) -> str:
    return f"{_NAME}-{run}-{image[:_SHORT]}"


def _podman(salt: Mapping[str, Any], arguments: list[str]) -> str:
    return commands.checked(salt, ["podman", *arguments], lines=_WHY)
