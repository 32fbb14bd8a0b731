"""The image of a container that somebody else deployed: when it is replaced, and how that begins and ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import carriers, container_change, definitions, guards, replacements
from openstack_rollout.node.container_change import Container, Steps
from openstack_rollout.node.errors import NodeError

# Carriers that keep both containers beside each other.
_BY_ID = ("podman_command", "podman_api", "docker_container")


def container_of(salt: Mapping[str, Any], name: str) -> str:
    """The container that a name stands for on this node: of a bundle, its replica here.

    salt (dict): the caller's `__salt__`. name (str): a container's, or the id of a Pacemaker bundle, whose
    replica has another name on each node. Returns the name itself where it is no bundle's, and where no
    replica is here.
    """
    for record in replacements.FOLDER.glob("*.json"):
        # The replica of a replacement that a run began which died need not run.
        if (replacements.pending(record.stem) or {}).get("bundle") == name:
            return record.stem
    replica = salt["pacemaker_bundle.replica"](name) if "pacemaker_bundle.replica" in salt else ""
    return replica or name


def reasons(salt: Mapping[str, Any], one: Container, image: str, now: Mapping[str, Any] | None) -> list[str]:
    """Why a found container has to be started anew, [] when it is what the node wants.

    salt (dict): the caller's `__salt__`. image (str): the one that it has to run. now (dict): what its engine
    tells of it, None where it does not exist.
    """
    wanted = salt[f"{one.engine}.image_ids"]([image], known=True).get(image)
    found = []
    if now is None or wanted is None or now["image_id"] != wanted:
        found.append("its image differs")
    if not one.running:
        found.append("it does not run")
    return found


def is_startable(salt: Mapping[str, Any], container: str, image: str) -> bool:
    """Whether a found container is due to be started with an image that is local.

    salt (dict): the caller's `__salt__`. container (str): its name. image (str): the one that it has to run.
    Raises NodeError where its carrier could not start it, as far as that can be told without making anything.
    """
    record = carriers.carried(salt).get(container)
    if record is None or record["carrier"] not in carriers.DEFINING:
        return False
    now = salt[f"{record['engine']}.container"](container, known=True)
    one = described(container, record, now, guard=guards.NONE, timeout=0, turn=False)
    if not reasons(salt, one, image, now) or salt["quadlet.masked"](one.unit):
        return False  # what is masked is left alone
    salt[f"{record['carrier']}.prepare"](container, image)
    return True


def described(
    container: str,
    record: Mapping[str, Any],
    now: Mapping[str, Any] | None,
    *,
    guard: str,
    timeout: float,
    turn: bool,
) -> Container:
    """A found container, for its change.

    container (str): its name. record (dict): what its carrier tells of it, or the token of a replacement. now
    (dict): what its engine tells of it, None where it does not exist. guard, timeout, turn: of the state.
    """
    return Container(
        name=container,
        unit=record["unit"],
        guard=guard,
        timeout=timeout,
        checked=bool(now and now["health_check"]),
        running=bool(now and now["running"]),
        turn=turn,
        engine=record["engine"],
        own_log=not record.get("journal"),
    )


def settle(salt: Mapping[str, Any], one: Container, image: str, begun: Mapping[str, Any]) -> None:
    """End a replacement that a run began which died: keep the next one where it is sound, else put it back.

    salt (dict): the caller's `__salt__`. one (Container): as it is now. image (str): the one that it has to
    run. begun (dict): of replacements.pending. Raises CommandExecutionError, also where the next
    one still copies what it needs: then nothing is touched.

    The next one that runs and is not sound is taken away as any container is: in its turn, and under its
    guard. Where its deployer has made the container anew meanwhile, that one stays.
    """
    carrier, token = begun["carrier"], dict(begun)
    if _is_anothers(salt, one, begun):
        salt[f"{carrier}.discard"](one.name, token)
        replacements.end(one.name)
        return
    if one.running and _is_sound(salt, one, image, begun):
        salt[f"{carrier}.accept"](one.name, token)
        replacements.end(one.name)
        return
    steps = Steps(
        lambda: salt[f"{carrier}.put_back"](one.name, token),
        lambda: None,
        lambda: "",
        lambda: replacements.end(one.name),
    )
    container_change.carry_out(salt, one, steps, restore=False)


def replace(
    salt: Mapping[str, Any], one: Container, image: str, carrier: str, *, restore: bool = True
) -> str:
    """Replace the image of a found container, and prove it; when that fails, what ran before runs again.

    salt (dict): the caller's `__salt__`. image (str): reference with a digest; it is local. carrier (str):
    the execution module. restore (bool): False leaves a container that failed as it is.

    Returns how the guard says that it came back (str). Raises CommandExecutionError.
    """
    token = salt[f"{carrier}.prepare"](one.name, image)
    since, begun = time.time(), False

    def change() -> None:
        nonlocal since, begun
        replacements.begin(one.name, carrier, token)
        begun, since = True, time.time()
        try:
            salt[f"{carrier}.replace"](one.name, token)
        except CommandExecutionError as error:
            raise container_change.exited(salt, one, error, since) from error

    def prove() -> None:
        container_change.prove(salt, one, image, since)
        if before := token["definition"]:
            now = salt[f"{one.engine}.definition"](one.name, before["key"])
            definitions.require_same(one.name, before, now)

    def put_back() -> str:
        try:
            salt[f"{carrier}.put_back"](one.name, token)
        except CommandExecutionError as error:
            return f"The previous {one.name} could not be started again: {error}"
        replacements.end(one.name)
        if not one.running:
            return f"{one.name} has its previous image again; it did not run before."
        by = one.unit or token.get("bundle") or one.engine
        return f"{one.name} runs its previous image again, under {by}, with its own definition."

    def accept() -> None:
        salt[f"{carrier}.accept"](one.name, token)
        replacements.end(one.name)

    try:
        steps = Steps(change, prove, put_back, accept)
        return container_change.carry_out(salt, one, steps, restore=restore)
    finally:
        if not begun:
            salt[f"{carrier}.discard"](one.name, token)


def _is_anothers(salt: Mapping[str, Any], one: Container, begun: Mapping[str, Any]) -> bool:
    """Whether the container that has the name is neither of the two of a replacement."""
    ids = begun.get("previous"), begun.get("next")
    now = salt[f"{one.engine}.container"](one.name)
    # The replicas of a bundle, and what a quadlet runs, are told by their images.
    return bool(now and begun["carrier"] in _BY_ID and now["id"] not in ids)


def _is_sound(salt: Mapping[str, Any], one: Container, image: str, begun: Mapping[str, Any]) -> bool:
    """Whether a container runs the image, is healthy in its time, and defined as the one before it."""
    there = salt[f"{one.engine}.containers"]()
    if any(other["id"] == begun.get("previous") and other["running"] for other in there.values()):
        return False
    try:
        container_change.prove(salt, one, image, time.time())
    except NodeError as error:
        if error.reason == "COPY_STALLED":
            raise
        return False
    if before := begun["definition"]:
        return not definitions.differences(before, salt[f"{one.engine}.definition"](one.name, before["key"]))
    return True
