"""A service's container on a node: on the release's image, with its arguments and configuration, and healthy.

Old images are kept: a rollback needs them.
"""

from __future__ import annotations

import time

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import answers, errors, guards, waiting
from openstack_rollout.node.errors import NodeError

_STAYS_UP = 3  # seconds that a container without a health check has to run
_DEFAULT_TIMEOUT = 60


def __virtual__():
    """Only where our podman module works."""
    if "podman.containers" in __salt__:
        return True
    return (False, "podman is not installed")


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
    CONTAINER_UNHEALTHY or NOT_AT_RELEASE, or one of the guard's.

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
        legacy = __salt__["legacy_unit.present"](legacy_units)
        now = __salt__["podman.containers"]().get(container)
        reasons = [*because, *_reasons(container, image, wanted, now), *(f"legacy unit {u}" for u in legacy)]
        if not reasons:
            changes = _finish_earlier_change(container, image, health, now, guard)
            if changes and __opts__["test"]:
                return answers.answer(name, None, f"{container}: its change would be finished", changes)
            return answers.answer(name, True, f"{container} runs {image}", changes)
        changes = {container: {"old": now and now["image_id"][:12], "new": image, "because": reasons}}
        if __opts__["test"]:
            return answers.answer(name, None, f"{container} would be started: {'; '.join(reasons)}", changes)
        _pull(image)
        plan = {"text": wanted["text"], "health": health, "legacy": legacy, "guard": guard}
        plan["running"] = bool(now and now["running"])
        replace = _replace_in_turn if turn else _replace
        came_back = replace(container, image, plan, on_failure)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    if came_back:
        changes[container]["said"] = came_back
    comment = f"{container} was started: {'; '.join(reasons)}"
    return answers.answer(name, True, f"{comment}. {came_back}" if came_back else comment, changes)


def mod_watch(name, sfun=None, **kwargs):
    """Restart a container of which a watched file changed; also the prediction of it.

    name (str): as in the state that watches. sfun (str): the function of that state, only `running` restarts.
    kwargs: the arguments of that state.
    """
    if sfun != "running":
        return answers.answer(name, True, "nothing to restart")
    known = (
        "image",
        "container",
        "quadlet",
        "health",
        "config_files",
        "legacy_units",
        "guard",
        "turn",
        "on_failure",
    )
    arguments = {key: kwargs[key] for key in known if key in kwargs}
    return running(name, because=["a configuration file changed"], **arguments)


def image_present(name, image, counts=True):
    """Have an image on the node, pulled by its digest; nothing that runs is touched.

    name (str): any text. image (str): registry/repository@sha256:…
    counts (bool): whether a pull counts as a change. Not where the container's own state follows: it reports
    the change of image.

    The reason of a failure is IMAGE_MISSING, REGISTRY_UNREACHABLE or IMAGE_PULL_FAILED.

    .. code-block:: yaml

        nova_compute image:
          container.image_present:
            - image: registry.example/nova-compute@sha256:…
    """
    try:
        if __salt__["podman.image_ids"]([image]):
            return answers.answer(name, True, f"{image} is on the node")
        changes = {"image": {"old": None, "new": image}} if counts else {}
        if __opts__["test"]:
            return answers.answer(name, None if counts else True, f"{image} would be pulled", changes)
        __salt__["podman.pull"](image)
    except CommandExecutionError as error:
        return answers.failed(name, error)
    return answers.answer(name, True, f"{image} was pulled", changes)


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


def _reasons(container, image, wanted, now):
    """Why a container has to be started anew, [] when it is what the node wants."""
    if now is None:
        return ["it does not exist"]
    found = []
    image_id = __salt__["podman.image_ids"]([image]).get(image)
    if image_id is None or now["image_id"] != image_id:
        found.append("its image differs")
    label = now["labels"].get(__salt__["quadlet.label"]())
    if label != wanted["fingerprint"] or __salt__["quadlet.read"](container) != wanted["text"]:
        found.append("its arguments or configuration differ")
    if not now["running"]:
        found.append("it does not run")
    elif now["healthy"] is False:
        found.append("it is unhealthy")
    return found


def _pull(image):
    if not __salt__["podman.image_ids"]([image]):
        __salt__["podman.pull"](image)


def _replace_in_turn(container, image, plan, on_failure):
    """As `_replace`, while no other controller changes its own containers. A first start needs no turn."""
    if not plan["running"]:
        return _replace(container, image, plan, on_failure)
    job = __salt__["controller_turn.take"](f"container {container}")
    try:
        return _replace(container, image, plan, on_failure)
    finally:
        __salt__["controller_turn.give"](job)


def _replace(container, image, plan, on_failure):
    """Start the planned container in place of what runs, and prove it; when that fails, start again what ran.

    Returns how the guard says it came back (str), "" without a guard.
    """
    legacy, guard = plan["legacy"], plan["guard"]
    aside = f"{container}-legacy"
    unit = f"{container}.service"
    started = time.time()
    token = _take_out_of_service(container, [unit, *legacy], guard, plan["running"])
    ours = not legacy and __salt__["quadlet.read"](container) is not None
    done = False
    try:
        if legacy:
            __salt__["legacy_unit.stop"](legacy)
            _put_aside(container, aside)
        __salt__["quadlet.write"](container, plan["text"])
        _restart(container, unit, started)
        __salt__["unit_hold.release"]([unit, *legacy])
        _prove(container, image, plan["health"], started)
        came_back = _guarded(guard, "after_start", container, token, plan["health"]["timeout"])
        done = True
    except CommandExecutionError as error:
        __salt__["unit_hold.release"]([unit, *legacy])
        if on_failure != "restore":
            raise
        restored = _restore(container, unit, aside, legacy, ours)
        missing = _back_in_service(container, token, plan) if plan["running"] else None
        raise _failure(error, restored, missing) from error
    finally:
        if not done:
            _guarded(guard, "undo", container, token)
    __salt__["quadlet.accept"](container)
    if legacy:
        __salt__["podman.remove"](aside)
        __salt__["legacy_unit.remove"](legacy)
    return came_back or ""


def _guarded(guard, function, *arguments):
    """What a function of the service's guard returns; None without a guard."""
    return None if guard == guards.NONE else __salt__[f"{guard}.{function}"](*arguments)


def _take_out_of_service(container, units, guard, running):
    """Have the guard take a running container out of service.

    A guard raises only as long as the container still does its work. Returns its token; for a container that
    does not run, the token of a run that died, or None.
    """
    if guard == guards.NONE or not running:
        return _guarded(guard, "pending", container)
    __salt__["unit_hold.hold"](units)
    try:
        return _guarded(guard, "before_stop", container)
    except BaseException:
        __salt__["unit_hold.release"](units)
        _guarded(guard, "undo", container, None)
        raise


def _back_in_service(container, token, plan):
    """Wait until what was started again is back in service; the guard's error when it is not, else None."""
    try:
        _guarded(plan["guard"], "after_start", container, token, plan["health"]["timeout"])
    except CommandExecutionError as error:
        return error
    return None


def _failure(error, restored, missing):
    """The error to raise for a change that failed: why, how the rollback went, and what is still missing."""
    if errors.reason_of(missing) in ("QUORUM_AT_RISK", "QUORUM_NOT_RESTORED"):
        # What the cluster lacks now matters more than why the change failed.
        return errors.reworded(missing, f"{errors.text_of(missing)}\n{error}\n{restored}")
    late = f"\nIt is not back in service: {missing}" if missing else ""
    return errors.reworded(error, f"{errors.text_of(error)}\n{restored}{late}")


def _put_aside(container, aside):
    """Keep a legacy container under another name. A container of ours is the new one already, and stays."""
    found = __salt__["podman.containers"]()
    if container in found and __salt__["quadlet.label"]() not in found[container]["labels"]:
        __salt__["podman.remove"](aside)
        __salt__["podman.rename"](container, aside)


def _restart(container, unit, started):
    try:
        __salt__["quadlet.restart"](unit)
    except CommandExecutionError as error:
        raise NodeError("CONTAINER_EXITED", f"{container}: {error}{_log(unit, started)}") from error


def _finish_earlier_change(container, image, health, now, guard):
    """Finish what a run that died did not: the proof of a container, and its guard's work (a change)."""
    token = _guarded(guard, "pending", container)
    if not __opts__["test"]:
        if health["command"] and now["healthy"] is None:
            _prove(container, image, health, time.time())
        if token:
            _guarded(guard, "after_start", container, token, health["timeout"])
        __salt__["quadlet.accept"](container)
    return {container: {"old": "its change was begun", "new": "finished"}} if token else {}


def _prove(container, image, health, started):
    """Wait until a container is healthy and make sure that it runs the image; raise NodeError."""
    unit = f"{container}.service"

    def healthy():
        # The unit is asked last: a container may pass its check and end right after it.
        passed = _is_up(container, health, started)
        if ended := __salt__["quadlet.ended"](unit):
            raise NodeError("CONTAINER_EXITED", f"{container} ended ({ended}){_log(unit, started)}")
        return passed

    if not waiting.until(healthy, float(health["timeout"])):
        limit = f"within {health['timeout']} s"
        raise NodeError("CONTAINER_UNHEALTHY", f"{container} was not healthy {limit}{_log(unit, started)}")
    now = __salt__["podman.containers"]().get(container) or {"image_id": None}
    wanted = __salt__["podman.image_ids"]([image]).get(image)
    if wanted is None or now["image_id"] != wanted:
        raise NodeError(
            "NOT_AT_RELEASE", f"{container} runs image {now['image_id']}, wants {wanted} of {image}"
        )


def _is_up(container, health, started):
    if health["command"]:
        return __salt__["podman.healthy"](container)
    return time.time() >= started + _STAYS_UP


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


def _log(unit, since):
    lines = __salt__["quadlet.log"](unit, since)
    return f"; its last lines:\n{lines}" if lines else ""
