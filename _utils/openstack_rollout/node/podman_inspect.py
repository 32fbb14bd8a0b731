"""What podman tells of a container and its image, for code of this package. It may have secrets in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, definitions


def run(salt: Mapping[str, Any], kind: str, names: Iterable[str]) -> commands.Result:
    """Ask podman, and keep the answer out of the minion's log.

    salt (dict): the caller's `__salt__`. kind (str): container or image. names (list): of them.
    """
    return commands.run(salt, ["podman", kind, "inspect", *names], secret=True)


def one(salt: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    """What podman tells of one container or image. Raises CommandExecutionError when there is none.

    salt (dict), kind (str): as for `run`. name (str): its name.
    """
    done = run(salt, kind, [name])
    if done.retcode:
        raise CommandExecutionError(f"podman {kind} inspect {name}: {done.complaint(lines=1)}")
    try:
        return json.loads(done.stdout)[0]
    except (ValueError, IndexError) as error:
        raise CommandExecutionError(f"podman {kind} inspect {name}: it told no JSON") from error


def definition(salt: Mapping[str, Any], container: str) -> dict[str, Any]:
    """The definition of a container, as node/definitions.py makes it. Raises as `one`.

    salt (dict): the caller's `__salt__`. container (str): its name.
    """
    told = one(salt, "container", container)
    image = one(salt, "image", told["Image"])
    config = {
        **(image.get("Config") or {}),
        "Healthcheck": image.get("Healthcheck") or image.get("HealthCheck"),
    }
    return definitions.of(told, {"Config": config})
