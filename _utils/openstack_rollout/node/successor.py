"""One container takes the place of another under the unit that starts it by name (podman).

The next one is created beside the running one, and compared with it before anything stops. Its unit stays as
it is: the containers change their names. The previous one is kept until the next one is proven.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, definitions, podman_inspect, starting_units, unit_stop
from openstack_rollout.node.errors import NodeError

NEXT, PREVIOUS = "-next", "-previous"
ENGINE = "podman"
# Seconds. A unit that is attached to its container is active before podman has started it, and whatever asks
# podman meanwhile makes that start slower.
_STARTS_IN = 0.5


def prepare(
    salt: Mapping[str, Any], container: str, unit: str, create: Callable[[str], list[str]]
) -> dict[str, Any]:
    """Create the next container, and make sure that it is defined as the running one.

    salt (dict): the caller's `__salt__`. container, unit (str): their names. create (callable): gets the name
    of the next one, and returns podman's arguments that create it.

    Returns the token of a carrier. Raises NodeError DEFINITION_REFUSED where podman does not create it, and
    DEFINITION_CHANGED where it would be another one; then nothing of it is left.
    """
    name = f"{container}{NEXT}"
    there = salt["podman.containers"]()
    _refuse_in_the_way(container, there)
    if there[container]["running"]:
        starting_units.require_active(salt, unit, container)
    before = salt["podman.definition"](container)
    _remove(salt, there.get(name))
    arguments = _with_its_volumes(salt, container, create(name))
    done = commands.run(salt, ["podman", *arguments], secret=True)
    if done.retcode:
        _remove(salt, salt["podman.container"](name))
        raise NodeError(
            "DEFINITION_REFUSED", f"{container}: podman does not create it: {done.complaint(lines=1)}"
        )
    try:
        definitions.require_same(container, before, salt["podman.definition"](name, before["key"]))
    except CommandExecutionError:
        _remove(salt, salt["podman.container"](name))
        raise
    ids = {"previous": there[container]["id"], "next": salt["podman.container"](name)["id"]}
    return {"unit": unit, "engine": ENGINE, "definition": before, "ran": there[container]["running"], **ids}


def replace(salt: Mapping[str, Any], container: str, token: Mapping[str, Any]) -> None:
    """Stop the container, and have its unit start the next one. Raises CommandExecutionError.

    salt (dict): the caller's `__salt__`. container (str): its name. token (dict): of `prepare`.
    """
    unit, previous = token["unit"], token["previous"]
    try:
        # The names change while it runs still, so that one restart is all that its service is without.
        if _runs(salt, container, previous) and not unit_stop.by_id(salt, unit, container, previous):
            salt["quadlet.stop"](unit)
            _require_ended(salt, container, container, unit, previous)
        salt["podman.rename"](previous, f"{container}{PREVIOUS}")
        salt["podman.rename"](token["next"], container)
        salt["quadlet.restart"](unit)
        time.sleep(_STARTS_IN)
    finally:
        unit_stop.forget(salt, unit)
    _require_ended(salt, container, f"{container}{PREVIOUS}", unit, previous)


def put_back(salt: Mapping[str, Any], container: str, token: Mapping[str, Any]) -> None:
    """Have the previous container run again under its unit. A second time changes nothing.

    salt (dict): the caller's `__salt__`. container (str): its name. token (dict): of `prepare`. Raises
    CommandExecutionError; also where the container that ran before is gone, and where somebody else has put
    another one in its place, which is left alone.
    """
    unit, previous = token["unit"], token["previous"]
    unit_stop.forget(salt, unit)
    there = {one["id"]: (name, one["running"]) for name, one in salt["podman.containers"]().items()}
    if any(name == container and one not in (previous, token["next"]) for one, (name, _) in there.items()):
        raise CommandExecutionError(f"{container} was made anew by somebody else and is left alone")
    if previous not in there:
        raise CommandExecutionError(f"{container}: the container that ran before is gone")
    name, runs = there[previous]
    _, next_runs = there.get(token["next"], ("", False))
    anew = next_runs or not runs
    if next_runs or (name != container and not runs):
        salt["quadlet.stop"](unit)
    if token["next"] in there:
        salt["podman.remove"](token["next"])
    if name != container:
        salt["podman.rename"](previous, container)
    if token["ran"] and anew:
        salt["quadlet.restart"](unit)


def accept(salt: Mapping[str, Any], container: str, token: Mapping[str, Any]) -> None:
    """Remove the previous container: the next one is proven.

    salt (dict): the caller's `__salt__`. container (str): its name. token (dict): of `prepare`. Raises
    CommandExecutionError when podman cannot remove it.
    """
    unit_stop.forget(salt, token["unit"])
    _remove_own(salt, f"{container}{PREVIOUS}", token["previous"])


def discard(salt: Mapping[str, Any], container: str, token: Mapping[str, Any]) -> None:
    """Remove what a replacement made and kept beside the container that has the name. As `accept`."""
    unit_stop.forget(salt, token["unit"])
    _remove_own(salt, f"{container}{NEXT}", token["next"])
    _remove_own(salt, f"{container}{PREVIOUS}", token["previous"])


def _refuse_in_the_way(container: str, there: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise NodeError DEFINITION_REFUSED where somebody else has a container of a name that is needed.

    One that a `prepare` left which was killed was never started.
    """
    for name in (f"{container}{NEXT}", f"{container}{PREVIOUS}"):
        if name in there and (name.endswith(PREVIOUS) or there[name]["started"]):
            raise NodeError("DEFINITION_REFUSED", f"{name} is in the way: rename or remove it")


def _with_its_volumes(salt: Mapping[str, Any], container: str, arguments: list[str]) -> list[str]:
    """podman's arguments, so that volumes which nobody named stay with the container."""
    mounts = podman_inspect.one(salt, "container", container).get("Mounts") or ()
    kept = [
        f"--volume={one['Name']}:{one['Destination']}"
        for one in mounts
        if definitions.is_anonymous(one) and not any(one["Name"] in word for word in arguments)
    ]
    options = arguments.index("create") + 1
    return [*arguments[:options], *kept, *arguments[options:]]


def _require_ended(salt: Mapping[str, Any], container: str, name: str, unit: str, identity: str) -> None:
    if _runs(salt, name, identity):
        raise CommandExecutionError(f"{unit} did not stop the {container} that ran before")


def _runs(salt: Mapping[str, Any], name: str, identity: str) -> bool:
    """Whether the container that is meant runs, under the name that it has by now."""
    found = salt["podman.container"](name)
    return bool(found and found["id"] == identity and found["running"])


def _remove(salt: Mapping[str, Any], found: Mapping[str, Any] | None) -> None:
    """Remove what a `prepare` has made, and nobody has started."""
    if found and not found["running"]:
        salt["podman.remove"](found["id"])


def _remove_own(salt: Mapping[str, Any], name: str, wanted: str) -> None:
    """Remove a container by its name, where it is the one that is meant."""
    found = salt["podman.container"](name)
    if found and found["id"] == wanted:
        salt["podman.remove"](found["id"])
