"""The engines of a node that run containers: podman, docker, or both. What they tell is told as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.node import commands, docker_api
from openstack_rollout.node.errors import NodeError

#: The execution modules that tell of an engine, all with the same functions.
PODMAN, DOCKER = "podman", "docker_engine"
#: States of a unit that has processes, or is about to.
_UP = ("active", "reloading", "activating")


def loaded(salt: Mapping[str, Any]) -> list[str]:
    """The engines that this node has.

    salt (dict): the caller's `__salt__`. None where all services are packages. Raises NodeError NODE_ERROR
    where docker runs that salt-minion cannot ask: what runs there would be overlooked.
    """
    found = [engine for engine in (PODMAN, DOCKER) if f"{engine}.containers" in salt]
    if DOCKER not in found and docker_api.serves():
        raise NodeError("NODE_ERROR", docker_api.MISSING)
    return found


def containers(salt: Mapping[str, Any], *, known: bool = False) -> dict[str, dict]:
    """Every container of the node, as the engines' `containers` tell; of two with one name the one that runs.

    salt (dict): the caller's `__salt__`. known (bool): what this job knows already counts, for a first look.
    Raises CommandExecutionError when an engine does not answer.
    """
    found: dict[str, dict] = {}
    for engine in loaded(salt):
        for name, one in salt[f"{engine}.containers"](known=known).items():
            if name not in found or one["running"]:
                found[name] = one
    return found


def runs(salt: Mapping[str, Any], name: str) -> bool:
    """Whether a container runs, or a unit: what a guard is given is either.

    salt (dict): the caller's `__salt__`. name (str): of the container, or the unit's with `.service`. Raises
    CommandExecutionError when an engine does not answer.
    """
    if commands.is_unit(name):
        state = commands.run(salt, ["systemctl", "show", "--property=ActiveState", "--value", name]).stdout
        return state.strip() in _UP
    return any(salt[f"{engine}.process"](name) for engine in loaded(salt))


def local_images(salt: Mapping[str, Any], *, known: bool = False) -> dict[str, list[str]]:
    """Every local image of the node: {its id: [repository@digest, …]}.

    salt (dict): the caller's `__salt__`. known (bool): as for `containers`. Raises CommandExecutionError when
    an engine does not answer.
    """
    found: dict[str, list[str]] = {}
    for engine in loaded(salt):
        for identity, names in salt[f"{engine}.local_images"](known=known).items():
            found[identity] = sorted({*found.get(identity, ()), *names})
    return found


def used(salt: Mapping[str, Any]) -> list[str]:
    """The engines that have containers, which need the images of a release; without any the first one.

    salt (dict): the caller's `__salt__`. Raises CommandExecutionError when an engine does not answer.
    """
    there = loaded(salt)
    return [engine for engine in there if salt[f"{engine}.containers"](known=True)] or there[:1]
