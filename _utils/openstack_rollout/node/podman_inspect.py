"""What podman tells of a container and its image, for code of this package. It may have secrets in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, definitions

_WHY = 3  # lines at the end of podman's output that say why it failed
_NEVER_STARTED = ("created", "configured", "initialized")


def run(salt: Mapping[str, Any], kind: str, names: Iterable[str]) -> commands.Result:
    """Ask podman, and keep the answer out of the minion's log.

    salt (dict): the caller's `__salt__`. kind (str): container or image. names (list): of them.
    """
    return commands.run(salt, ["podman", kind, "inspect", *names], secret=True)


def records(salt: Mapping[str, Any], names: Iterable[str]) -> tuple[dict[str, dict], commands.Result]:
    """What podman tells of those containers that it knows, as podman.containers does; how its command ended.

    salt (dict), names (list): as for `run`. Raises CommandExecutionError where it tells no JSON.
    """
    done = run(salt, "container", names)
    try:
        told = json.loads(done.stdout or "[]")
    except ValueError as error:
        raise CommandExecutionError(f"podman container inspect: {done.complaint(lines=_WHY)}") from error
    return {entry["Name"]: _record(entry) for entry in told}, done


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


def _record(entry: Mapping[str, Any]) -> dict:
    state, config = entry["State"], entry.get("Config") or {}
    health = (state.get("Health") or {}).get("Status")
    test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return {
        "id": entry["Id"],
        "running": bool(state["Running"]),
        "started": state.get("Status") not in _NEVER_STARTED,
        "image_id": entry["Image"].removeprefix("sha256:"),
        "image": entry.get("ImageName") or "",
        "healthy": {"healthy": True, "unhealthy": False}.get(str(health)),
        "health_check": test[0] != "NONE",
        "labels": config.get("Labels") or {},
        "exit_code": state.get("ExitCode", 0),
        "restarts": entry.get("RestartCount", 0),
        "by_command": bool(config.get("CreateCommand")),
        "pid": int(state.get("Pid") or 0),
    }
