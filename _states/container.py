"""A service's container on a node: on the release's image, with its arguments and configuration, and healthy.

Old images are kept: a rollback needs them.
"""

from __future__ import annotations

import functools
import time

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    answers,
    carriers,
    container_change,
    engines,
    found_container,
    own_container,
    replacements,
)
from openstack_rollout.node.container_change import Container, Steps
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.unreplaced import Asked

_DEFAULT_TIMEOUT = 60
_ENGINES = ("podman", "docker_engine")
_CHANGE = ("image", "container", "guard", "turn", "on_failure")
# The arguments of the states that restart what they watch.
_WATCHING = {
    "running": (*_CHANGE, "quadlet", "health", "config_files", "legacy_units"),
    "at_image": (*_CHANGE, "timeout", "one_shot"),
}


def __virtual__():
    """Only where a module of ours for an engine works."""
    if any(f"{engine}.containers" in __salt__ for engine in _ENGINES):
        return True
    return (False, "neither podman nor docker is installed")


def running(  # noqa: PLR0917 - a state's arguments are the keys of the SLS
    name,
    image,
    container=None,
    quadlet=None,
    health=None,
    config_files=(),
    legacy_units=(),
    guard="none",
    turn=False,
    on_failure="restore",
    because=(),
):
    """Have a container run exactly this image, under a unit of ours, and be healthy.

    name (str): the container's name, unless `container` gives it.
    image (str): registry/repository@sha256:…, pulled before anything is touched.
    container (str): the container's name.
    quadlet (dict): {section: {key: value or list}} for the quadlet file.
    health (dict): {"command": [argument, …], "timeout": seconds}; without a command it only has to stay up.
    config_files (list): paths whose contents are part of the container: it restarts when they change.
    legacy_units (list): units of earlier installers that ran this service; removed once ours is healthy.
    guard (str): the execution module that keeps the service going during the change (node/guards.py), `none`
    without one.
    turn (bool): whether this node has to have the controllers' turn while its container changes.
    on_failure (str): when the new container fails, `restore` starts again what ran before; `leave` keeps the
    new one for a look at it.
    because (list): reasons to restart it that this state cannot see itself.

    The reason of a failure is IMAGE_MISSING, REGISTRY_UNREACHABLE, IMAGE_PULL_FAILED, CONTAINER_EXITED,
    CONTAINER_UNHEALTHY or NOT_AT_RELEASE; CONTAINER_FOREIGN where somebody else's container has the name, and
    DEFINITION_REFUSED where the node could not start the next one: then nothing is touched; or one of the
    guard's.

    .. code-block:: yaml

        nova_compute:
          container.running:
            - image: registry.example/nova-compute@sha256:…
            - health: {command: [/openstack/healthcheck], timeout: 60}
    """
    container = container or name
    health = {"command": [], "timeout": _DEFAULT_TIMEOUT, **(health or {})}
    try:
        wanted = __salt__["quadlet.render"](container, image, quadlet, health, config_files)
        now, legacy = own_container.found(__salt__, container, legacy_units)
        one = Container(
            name=container,
            unit=f"{container}.service",
            guard=guard,
            timeout=health["timeout"],
            checked=bool(health["command"]),
            running=bool(now and now["running"]),
            turn=turn,
        )
        copies = functools.partial(_copies, one)
        reasons = [*because, *own_container.reasons(__salt__, container, image, wanted, now, copies)]
        reasons += [f"legacy unit {unit}" for unit in legacy]
        if not reasons:
            token = container_change.guarded(__salt__, guard, "pending", container)
            asked = Asked(__salt__, name, container, image, test=__opts__["test"])
            return asked.finished(token, lambda: _finish_earlier_change(one, image, now))
        own_container.prove(__salt__, container, wanted["text"], legacy)
        changes = {container: {"old": now and now["image_id"][:12], "new": image, "because": reasons}}
        if __opts__["test"]:
            return _started(name, container, container, reasons, changes)
        container_change.pull(__salt__, "podman", image)
        steps = _steps(one, image, wanted["text"], legacy)
        came_back = container_change.carry_out(
            __salt__, one, steps, restore=on_failure == "restore", held=legacy
        )
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return _started(name, container, container, reasons, changes, came_back)


def at_image(  # noqa: PLR0917 - a state's arguments are the keys of the SLS
    name,
    image,
    container=None,
    timeout=_DEFAULT_TIMEOUT,
    guard="none",
    turn=False,
    one_shot=False,
    on_failure="restore",
    because=(),
):
    """Have a container that somebody else deployed run this image, with the definition that it has.

    name (str): the container's name, unless `container` gives it.
    image (str): registry/repository@sha256:…, pulled before anything is touched.
    container (str): the container's name, or the id of a Pacemaker bundle for its replica here.
    timeout (int): seconds until it has to be healthy by its own health check; without one it has to stay up.
    one_shot (bool): whether it does something once and ends: the image of its definition is replaced, for the
    next time that its unit starts, and nothing is started.
    guard, turn, on_failure, because: as for `running`.

    Only the image is replaced, by the carrier that knows how the container is run (node/carriers.py). What no
    carrier knows, what the node does not have, and what is masked is left alone, and the comment says so.

    The reason of a failure is one of `running`, DEFINITION_REFUSED or DEFINITION_CHANGED; what ran before
    runs again, with its own definition.

    .. code-block:: yaml

        nova_compute:
          container.at_image:
            - image: registry.example/nova-compute@sha256:…
            - timeout: 60
    """
    try:
        container = found_container.container_of(__salt__, container or name)
        how = {"guard": guard, "timeout": timeout, "turn": turn}
        begun = replacements.pending(container)
        if begun and not __opts__["test"]:
            now = __salt__[f"{begun['engine']}.container"](container)
            one = found_container.described(container, begun, now, **how)
            found_container.settle(__salt__, one, image, begun)
        record = carriers.carried(__salt__).get(container)
        asked = Asked(__salt__, name, container, image, test=__opts__["test"])
        if early := asked.answer(record, begun, one_shot=one_shot):
            return early
        now = __salt__[f"{record['engine']}.container"](container, known=True)
        one = found_container.described(container, record, now, **how)
        reasons = [*because, *found_container.reasons(__salt__, one, image, now)]
        if not reasons:
            token = begun or container_change.guarded(__salt__, guard, "pending", container)
            finish = functools.partial(container_change.finish_guards_work, __salt__, one)
            return asked.finished(token, finish)
        changes = {container: {"old": now and now["image_id"][:12], "new": image, "because": reasons}}
        changes[container]["carrier"] = record["carrier"]
        called = f"{container} of {record['unit'] or record['engine']}"
        if __opts__["test"]:
            return _started(name, container, called, reasons, changes)
        container_change.pull(__salt__, one.engine, image)
        came_back = found_container.replace(
            __salt__, one, image, record["carrier"], restore=on_failure == "restore"
        )
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return _started(name, container, called, reasons, changes, came_back)


def mod_watch(name, sfun=None, **kwargs):
    """Restart a container of which a watched file changed; also the prediction of it.

    name (str): as in the state that watches. sfun (str): the function of that state; `running` and `at_image`
    restart.
    kwargs: the arguments of that state.
    """
    if sfun not in _WATCHING:
        return answers.answer(name, True, "nothing to restart")
    arguments = {key: kwargs[key] for key in _WATCHING[sfun] if key in kwargs}
    restarted = running if sfun == "running" else at_image
    return restarted(name, because=["a configuration file changed"], **arguments)


def image_present(name, image, counts=True):
    """Have an image on the node, pulled by its digest; nothing that runs is touched.

    name (str): any text. image (str): registry/repository@sha256:…
    counts (bool): whether a pull counts as a change. Not where the container's own state follows: it reports
    the change of image, and makes sure that the image can be read.

    The reason of a failure is IMAGE_MISSING, REGISTRY_UNREACHABLE, DISK_FULL, IMAGE_DAMAGED or another of a
    pull.

    .. code-block:: yaml

        nova_compute image:
          container.image_present:
            - image: registry.example/nova-compute@sha256:…
    """
    try:
        used = engines.used(__salt__)
        lacking = [one for one in used if not __salt__[f"{one}.image_ids"]([image], known=True)]
        changes = {"image": {"old": None, "new": image}} if counts else {}
        if __opts__["test"] and lacking:
            return answers.answer(name, None if counts else True, f"{image} would be pulled", changes)
        pulled = False
        for engine in used if counts and not __opts__["test"] else lacking:
            pulled = container_change.pull(__salt__, engine, image) or pulled
        if not pulled:
            return answers.answer(name, True, f"{image} is on the node")
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"{image} was pulled", changes)


def startable(  # noqa: PLR0917 - a state's arguments are the keys of the SLS
    name,
    image,
    container=None,
    quadlet=None,
    health=None,
    config_files=(),
    legacy_units=(),
    definition="declared",
):
    """Make sure beforehand that a container could be started on this image, where that is due; touch nothing.

    name (str): any text. definition (str): whose the container's definition is, as the catalogue says.
    The others: as for `running`.

    The reason of a failure is one of those for which `running` and `at_image` touch nothing.

    .. code-block:: yaml

        nova_compute could be started:
          container.startable:
            - container: nova_compute
            - image: registry.example/nova-compute@sha256:…
            - health: {command: [/openstack/healthcheck], timeout: 60}
    """
    try:
        if definition == "declared":
            wanted = __salt__["quadlet.render"](container, image, quadlet, health, config_files)
            due = _own_is_startable(container, image, wanted, legacy_units)
        else:
            due = found_container.is_startable(__salt__, container, image)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"{container} could be started" if due else "there is nothing to start")


def orphans_absent(name, wanted=()):
    """Stop and remove containers that this project once started here and that the node no longer wants.

    name (str): any text. wanted (list): names of the containers to keep. Others' quadlets are left alone.

    An empty list is refused under INVALID_PILLAR, and nothing is touched: it comes from a blank key of the
    pillar.

    .. code-block:: yaml

        containers that are not wanted here:
          container.orphans_absent:
            - wanted: [nova_compute, ovn_controller]
    """
    try:
        if not wanted:
            raise NodeError("INVALID_PILLAR", "wanted: is empty, and would remove every container of ours")
        orphans = {c: unit for c, unit in __salt__["quadlet.managed"]().items() if c not in wanted}
        if not orphans:
            return answers.answer(name, True, "there are none")
        changes = {container: {"old": unit, "new": None} for container, unit in orphans.items()}
        if __opts__["test"]:
            return answers.answer(name, None, f"would be removed: {', '.join(orphans)}", changes)
        for container, unit in orphans.items():
            __salt__["quadlet.stop"](unit)
            __salt__["podman.remove"](container)
            __salt__["quadlet.remove"](container)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"removed: {', '.join(orphans)}", changes)


def _started(name, container, called, reasons, changes, came_back=""):  # noqa: PLR0917
    """The answer of a container that was started, or would be with test=True.

    came_back: how its guard says that it came back.
    """
    verb, result = ("would be", None) if __opts__["test"] else ("was", True)
    comment = f"{called} {verb} started: {'; '.join(reasons)}"
    if came_back:
        changes[container]["said"] = came_back
    return answers.answer(name, result, f"{comment}. {came_back}" if came_back else comment, changes)


def _copies(one):
    """Whether a container copies what it needs: to start it anew would have it begin again."""
    return bool((container_change.guarded(__salt__, one.guard, "progress", one.name) or {}).get("copies"))


def _steps(one, image, text, legacy):
    """How a container of ours is changed: the planned quadlet in place of what runs."""
    container, aside, since = one.name, f"{one.name}-legacy", time.time()
    ours = not legacy and __salt__["quadlet.read"](container) is not None

    def replace():
        if legacy:
            __salt__["legacy_unit.stop"](legacy)
            _put_aside(container, aside)
        __salt__["quadlet.write"](container, text)
        container_change.restart(__salt__, one, since)

    def accept():
        __salt__["quadlet.accept"](container)
        if legacy:
            __salt__["podman.remove"](aside)
            __salt__["legacy_unit.remove"](legacy)

    return Steps(
        replace,
        lambda: container_change.prove(__salt__, one, image, since),
        lambda: _restore(container, one.unit, aside, legacy, ours),
        accept,
        reloads=True,
    )


def _own_is_startable(container, image, wanted, legacy_units):
    """Whether a container of ours is due to be started. Raises NodeError where it could not be."""
    if "podman.containers" not in __salt__:
        return False  # its own state says so
    now = __salt__["podman.container"](container, known=True)
    if not own_container.reasons(__salt__, container, image, wanted, now):
        return False
    legacy = __salt__["legacy_unit.present"](legacy_units)
    there = now or engines.containers(__salt__, known=True).get(container)
    own_container.refuse_foreign(__salt__, container, there, legacy)
    own_container.prove(__salt__, container, wanted["text"], legacy)
    return True


def _put_aside(container, aside):
    """Keep a legacy container under another name. A container of ours is the new one already, and stays."""
    found = __salt__["podman.containers"]()
    if container in found and __salt__["quadlet.label"]() not in found[container]["labels"]:
        __salt__["podman.remove"](aside)
        __salt__["podman.rename"](container, aside)


def _finish_earlier_change(one, image, now):
    """Finish what a run that died did not: the proof of a container, and its guard's work."""
    if one.checked and not now["healthy"]:
        container_change.prove(__salt__, one, image, time.time())
    container_change.finish_guards_work(__salt__, one)
    __salt__["quadlet.accept"](one.name)


def _restore(container, unit, aside, legacy, ours):
    """Start again what ran before a container that failed; a sentence that says how that went."""
    try:
        if ours and not __salt__["quadlet.has_previous"](container):
            if __salt__["quadlet.ended"](unit):
                __salt__["quadlet.restart"](unit)
            return f"{container} is what ran before: it was left running."
        __salt__["quadlet.stop"](unit)
        if __salt__["quadlet.restore"](container):
            __salt__["quadlet.restart"](unit)
            return f"The previous image of {container} was started again."
        __salt__["podman.remove"](container)
        if not legacy:
            return f"{container} did not run before and was removed again."
        if aside in __salt__["podman.containers"]():
            __salt__["podman.rename"](aside, container)
        __salt__["legacy_unit.start"](legacy)
        return f"The previous unit {', '.join(legacy)} was started again."
    except CommandExecutionError as error:
        return f"The previous {container} could not be started again: {error}"
