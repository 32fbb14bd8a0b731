"""Containers that docker runs: kolla-ansible's default engine.

A carrier; the contract is in node/carriers.py. docker cannot change the image of a container: the next one is
created beside the running one from what docker tells of it (node/docker_definition.py), and compared before
anything stops. Then the two change names. The unit that starts the container by its name stays as it is;
where there is none, docker itself starts it, by its restart policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    commands,
    definitions,
    docker_api,
    docker_definition,
    starting_units,
    unit_stop,
    waiting,
)
from openstack_rollout.node import images as stored
from openstack_rollout.node.errors import NodeError

_ENGINE = "docker_engine"
_NEXT, _PREVIOUS = "-next", "-previous"
# A container of a swarm is made by the swarm; one that goes away when it ends, by who runs it.
_SWARM = "com.docker.swarm.task.id"
_RESTART = "HostConfig.RestartPolicy."
_STARTED = "started"
_STARTS_IN = 60  # seconds from the start of its unit until docker has started a container
_ANSWERS_IN = 600  # seconds: a container may take long to stop


def __virtual__():
    """Only where our module of docker works."""
    return (f"{_ENGINE}.containers" in __salt__) or (False, "docker is not installed, or its library is not")


def carried() -> dict[str, dict]:
    """The containers of docker that are started again by their name: by a unit, else by docker itself.

    Returns {container: {"unit", "engine", "image", "journal"}}; the unit is "" where docker itself starts it.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' docker_container.carried
    """
    if not docker_api.serves():
        return {}
    units = starting_units.of(__salt__, "docker")
    with docker_api.talking() as client:
        told = [docker_api.found(client, entry["Id"]) for entry in client.containers(all=True)]
    names = {entry["Name"].lstrip("/"): entry for entry in told if entry}
    return {
        name: {
            "unit": units.get(name, ""),
            "engine": _ENGINE,
            "image": entry["Config"]["Image"],
            "journal": name in units,  # of `docker start --attach`
        }
        for name, entry in names.items()
        if not name.endswith((_NEXT, _PREVIOUS)) and _is_carried(entry, units.get(name))
    }


def prepare(container: str, image: str) -> dict:
    """Create the next container as the running one is, with another image. Touches nothing that runs.

    container (str): its name. image (str): reference with a digest; it is local.

    Returns the token. Raises NodeError DEFINITION_REFUSED where docker does not create it, and
    DEFINITION_CHANGED where it would be another one; then nothing of it is left.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' docker_container.prepare keystone registry.example/keystone@sha256:…
    """
    unit = starting_units.of(__salt__, "docker").get(container)
    with docker_api.talking() as client:
        told = docker_api.found(client, container)
        if told is None or not _is_carried(told, unit):
            raise NodeError(
                "DEFINITION_REFUSED", f"{container}: docker has no such container that is started again"
            )
        _make_way(client, container)
        if unit and told["State"]["Running"]:
            starting_units.require_active(__salt__, unit, container)
        own = docker_api.image_of(client, told)
        wanted = docker_definition.creation(told, own, stored.without_tag(image))
        try:
            made = client.create_container_from_config(wanted, f"{container}{_NEXT}")["Id"]
        except docker_api.APIError as error:
            complaint = f"{container}: docker does not create it: {docker_api.said(error)}"
            raise NodeError("DEFINITION_REFUSED", complaint) from error
        try:
            before = definitions.snapshot(docker_definition.of(told, own))
            _require_same(client, container, before, client.inspect_container(made))
        except BaseException:
            client.remove_container(made)
            raise
    return {
        "unit": unit or "",
        "engine": _ENGINE,
        "definition": before,
        "ran": bool(told["State"]["Running"]),
        "restart": docker_definition.restart_policy(told),
        "previous": told["Id"],
        "next": made,
    }


def replace(container: str, token: dict) -> None:
    """Stop the container, and have the next one started in its place.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError; NodeError
    CONTAINER_EXITED where docker cannot start it.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' docker_container.replace keystone '{…}'
    """
    with docker_api.talking(_ANSWERS_IN) as client:
        _forget_failures(token["unit"])
        if token["restart"]:
            # Else a start of docker, or of the node, would start both.
            client.update_container(token["previous"], restart_policy={"Name": "no"})
        unit, previous = token["unit"], token["previous"]
        try:
            # The names change while it runs still, so that one restart is all that its service is without.
            if unit and _runs(client, previous) and not unit_stop.by_id(__salt__, unit, container, previous):
                _stop(client, container, unit, previous)  # ends both, or raises
            client.rename(previous, f"{container}{_PREVIOUS}")
            client.rename(token["next"], container)
            if not unit:
                _stop(client, container, "", previous)
            _start(client, container, token, token["next"])
        finally:
            unit_stop.forget(__salt__, unit)
        if _runs(client, previous):
            raise CommandExecutionError(f"{unit or 'docker'} did not stop the {container} that ran before")


def put_back(container: str, token: dict) -> None:
    """Have the previous container run again. A second time changes nothing.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError, also where somebody
    else has put another container in its place, which is left alone; NodeError CONTAINER_EXITED where docker
    cannot start it.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' docker_container.put_back keystone '{…}'
    """
    with docker_api.talking(_ANSWERS_IN) as client:
        there = docker_api.found(client, container)
        if there and there["Id"] not in (token["previous"], token["next"]):
            raise CommandExecutionError(f"{container} was made anew by somebody else and is left alone")
        if not docker_api.found(client, token["previous"]):
            raise CommandExecutionError(f"{container}: the container that ran before is gone")
        _forget_failures(token["unit"])
        unit_stop.forget(__salt__, token["unit"])
        in_place = bool(there) and there["Id"] == token["previous"]
        # Where the names changed and nothing else did, it runs on.
        anew = _runs(client, token["next"]) or not _runs(client, token["previous"])
        if not in_place and anew:
            _stop(client, container, token["unit"], token["previous"], token["next"])
        if docker_api.found(client, token["next"]):
            client.remove_container(token["next"], force=True)
        if not in_place:
            client.rename(token["previous"], container)
        if token["restart"]:
            client.update_container(token["previous"], restart_policy=token["restart"])
        if token["ran"] and not _runs(client, token["previous"]):
            _start(client, container, token, token["previous"])


def accept(container: str, token: dict) -> None:
    """Remove the previous container: the next one is proven. Its image and its volumes stay.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError; also where the
    next one is not in its place.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' docker_container.accept keystone '{…}'
    """
    with docker_api.talking() as client:
        there = docker_api.found(client, container)
        if there is None or there["Id"] != token["next"]:
            raise CommandExecutionError(f"{container} is not the container that was to come")
        unit_stop.forget(__salt__, token["unit"])
        if docker_api.found(client, token["previous"]):
            client.remove_container(token["previous"])  # docker refuses, if it should run


def discard(container: str, token: dict) -> None:
    """Remove what a replacement made and kept beside the container that has the name.

    container (str): its name. token (dict): of `prepare`. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' docker_container.discard keystone '{…}'
    """
    with docker_api.talking() as client:
        unit_stop.forget(__salt__, token["unit"])
        for identity, name in ((token["next"], _NEXT), (token["previous"], _PREVIOUS)):
            one = docker_api.found(client, identity)
            if one and one["Name"].lstrip("/") == f"{container}{name}" and not one["State"]["Running"]:
                client.remove_container(identity)


def _is_carried(told: Mapping[str, Any], unit: str | None) -> bool:
    if told["HostConfig"].get("AutoRemove") or _SWARM in (told["Config"].get("Labels") or {}):
        return False
    return bool(unit or docker_definition.restart_policy(told))


def _make_way(client: Any, container: str) -> None:
    """Drop what a `prepare` left that was killed; what is not certainly that is another's."""
    for name in (f"{container}{_NEXT}", f"{container}{_PREVIOUS}"):
        there = docker_api.found(client, name)
        if not there:
            continue
        if name.endswith(_PREVIOUS) or there["State"]["Status"] != "created":
            raise NodeError("DEFINITION_REFUSED", f"{name} is in the way: rename or remove it")
        client.remove_container(there["Id"])


def _require_same(client: Any, container: str, before: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Compare the next container, but for its restart policy: that comes when it is started, not before."""
    after = definitions.snapshot(docker_definition.of(made, docker_api.image_of(client, made)), before["key"])
    definitions.require_same(container, _but_restarting(before), _but_restarting(after))


def _but_restarting(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: one for name, one in snapshot["values"].items() if not name.startswith(_RESTART)}
    return {**snapshot, "values": values}


def _forget_failures(unit: str) -> None:
    """Earlier failures must not make systemd refuse the start by its rate limit."""
    if unit:
        commands.run(__salt__, ["systemctl", "reset-failed", unit])


def _stop(client: Any, container: str, unit: str, *identities: str) -> None:
    """End what a unit runs, and these containers, should it not have."""
    if unit:
        __salt__["quadlet.stop"](unit)
    for identity in identities:
        if not _runs(client, identity):
            continue
        client.stop(identity)
        if _runs(client, identity):
            raise CommandExecutionError(f"{container} could not be stopped")


def _start(client: Any, container: str, token: Mapping[str, Any], identity: str) -> None:
    """Have one of the two started, and wait until docker has done so."""
    if token["restart"]:
        client.update_container(identity, restart_policy=token["restart"])
    before = client.inspect_container(identity)["State"]
    if token["unit"]:
        commands.checked(__salt__, ["systemctl", "restart", token["unit"]])
    else:
        try:
            client.start(identity)
        except docker_api.APIError as error:
            raise NodeError("CONTAINER_EXITED", f"{container}: docker: {docker_api.said(error)}") from error

    def answered() -> str:
        """That it was started, or why docker cannot start it."""
        state = client.inspect_container(identity)["State"]
        if state["StartedAt"] != before["StartedAt"]:
            return _STARTED
        return state["Error"] if state["Error"] != before["Error"] else ""

    answer = waiting.until(answered, _STARTS_IN, 0.05)
    if answer != _STARTED:
        why = answer or f"not within {_STARTS_IN} s"
        raise NodeError("CONTAINER_EXITED", f"docker did not start {container}: {why}")


def _runs(client: Any, identity: str) -> bool:
    told = docker_api.found(client, identity)
    return bool(told and told["State"]["Running"])
