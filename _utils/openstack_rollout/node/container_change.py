"""The change of one container: taken out of service under its guard, changed, proven, back in service.

When it fails, what ran before is put back. How it is changed, and put back, is the caller's: a quadlet of
ours, or a carrier.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import commands, errors, guarding, guards, pulling, storage, waiting
from openstack_rollout.node.errors import NodeError

_COPIES = "COPY_STALLED"
_OTHERS_AWAY = "MEMBERS_AWAY"
_STAYS_UP = 3  # seconds that a container without a health check has to run


class Container(NamedTuple):
    """What is changed.

    name: the container's. unit: that runs it, "" where its engine itself does. guard: the execution module
    that keeps its service going. engine: the execution module that tells of it. timeout: seconds until it has
    to be healthy. checked: whether it has a health check. running: whether it runs before the change. turn:
    whether the node needs the controllers' turn for it. own_log: whether its engine has its log, and not the
    journal of its unit.
    """

    name: str
    unit: str
    guard: str
    timeout: float
    checked: bool
    running: bool
    turn: bool = False
    engine: str = "podman"
    own_log: bool = False


class Steps(NamedTuple):
    """How it is changed: `replace` and `prove` raise, `put_back` returns a sentence, `accept` ends it.

    reloads: whether `replace` has systemd read its units again before it starts the container.
    """

    replace: Callable[[], None]
    prove: Callable[[], None]
    put_back: Callable[[], str]
    accept: Callable[[], None]
    reloads: bool = False


def carry_out(
    salt: Mapping[str, Any], one: Container, steps: Steps, *, restore: bool = True, held: Iterable[str] = ()
) -> str:
    """Change a container, and prove it; when that fails, have what ran before run again.

    salt (dict): the caller's `__salt__`. restore (bool): False leaves a container that failed as it is. held
    (list): further units that systemd must not start meanwhile.

    A container that runs needs the turn, where it is wanted; a first start does not. Returns how the guard
    says that it came back (str), "" without a guard. Raises CommandExecutionError.
    """
    if not (one.turn and one.running):
        return _carry_out(salt, one, steps, restore, [one.unit, *held])
    job = salt["controller_turn.take"](f"container {one.name}")
    try:
        return _carry_out(salt, one, steps, restore, [one.unit, *held])
    finally:
        salt["controller_turn.give"](job)


def pull(salt: Mapping[str, Any], engine: str, image: str) -> bool:
    """Have an image on the node, and make sure that it can be started here: an image that cannot be read is
    removed and pulled again, once.

    salt (dict): the caller's `__salt__`. engine (str): the execution module. image (str): reference with a
    digest. Returns whether it was pulled. Raises NodeError: of a pull, IMAGE_DAMAGED, DISK_FULL.
    """
    lacking = not salt[f"{engine}.image_ids"]([image], known=True)
    if lacking:
        pulling.pull(salt, engine, image)
    try:
        salt[f"{engine}.require_startable"](image)
    except NodeError as error:
        if error.reason != "IMAGE_DAMAGED":
            raise
        salt[f"{engine}.remove_image"](image)
        pulling.pull(salt, engine, image)
        salt[f"{engine}.require_startable"](image)
        lacking = True
    storage.require_writable()
    return lacking


def guarded(salt: Mapping[str, Any], guard: str, function: str, *arguments: Any) -> Any:
    """What a function of a guard returns; None without a guard."""
    return None if guard == guards.NONE else salt[f"{guard}.{function}"](*arguments)


def finish_guards_work(salt: Mapping[str, Any], one: Container) -> bool:
    """Finish what the guard of a run that died has left, of a container that is as it must be.

    Returns whether there was anything. Raises NodeError.
    """
    token = guarded(salt, one.guard, "pending", one.name)
    if token:
        guarded(salt, one.guard, "after_start", one.name, token, one.timeout)
    return bool(token)


def prove(salt: Mapping[str, Any], one: Container, image: str, since: float) -> None:
    """Wait until a container is healthy, and make sure that it runs the image.

    image (str): reference with a digest. since (float): when it was started, in seconds since the epoch.

    The limit counts from the last moment at which its guard saw it move. Raises NodeError CONTAINER_EXITED,
    CONTAINER_UNHEALTHY, COPY_STALLED or NOT_AT_RELEASE.
    """

    def progress() -> dict | None:
        return guarded(salt, one.guard, "progress", one.name)

    def healthy() -> bool:
        # The unit is asked last: a container may pass its check and end right after it.
        passed = salt[f"{one.engine}.healthy"](one.name) if one.checked else time.time() >= since + _STAYS_UP
        if how := ended(salt, one.engine, one.unit, one.name):
            raise NodeError("CONTAINER_EXITED", f"{one.name} ended ({how}){log(salt, one, since)}")
        return passed

    if not waiting.until(healthy, float(one.timeout), mark=lambda: (progress() or {}).get("mark")):
        guarding.require_no_copy(one.name, progress(), float(one.timeout))
        limit = f"within {one.timeout} s"
        raise NodeError("CONTAINER_UNHEALTHY", f"{one.name} was not healthy {limit}{log(salt, one, since)}")
    now = salt[f"{one.engine}.container"](one.name) or {"image_id": None}
    wanted = salt[f"{one.engine}.image_ids"]([image]).get(image)
    if wanted is None or now["image_id"] != wanted:
        raise NodeError(
            "NOT_AT_RELEASE", f"{one.name} runs image {now['image_id']}, wants {wanted} of {image}"
        )


def restart(salt: Mapping[str, Any], one: Container, since: float) -> None:
    """Restart the unit of a container. Raises NodeError CONTAINER_EXITED with its last lines."""
    try:
        salt["quadlet.restart"](one.unit)
    except CommandExecutionError as error:
        raise exited(salt, one, error, since) from error


def exited(salt: Mapping[str, Any], one: Container, error: Exception, since: float) -> NodeError:
    """The error of a container that did not start; an error that has a reason keeps it."""
    reason = errors.reason_of(error) or "CONTAINER_EXITED"
    return NodeError(reason, f"{one.name}: {errors.text_of(error)}{log(salt, one, since)}")


def ended(salt: Mapping[str, Any], engine: str, unit: str, container: str) -> str | None:
    """How a container that was started has ended, also when it was started again since; None while it runs.

    salt (dict): the caller's `__salt__`. engine (str): the execution module that tells of it. unit (str):
    that runs it, "" where its engine itself does. container (str): its name.
    """
    if unit:
        return salt["quadlet.ended"](unit)
    now = salt[f"{engine}.container"](container)
    if now is None:
        return "it is gone"
    if now["restarts"]:  # it runs at this moment, perhaps, but not for long
        return f"restarted {now['restarts']} times, status {now['exit_code']}"
    return None if now["running"] else f"status {now['exit_code']}"


def log(salt: Mapping[str, Any], one: Container, since: float) -> str:
    """The last lines of a container, as the end of a message; "" without any."""
    own = salt[f"{one.engine}.log"](one.name, since) if one.own_log else ""
    lines = own or (salt["quadlet.log"](one.unit, since) if one.unit else "")
    return f"; its last lines:\n{lines}" if lines else ""


def _carry_out(salt: Mapping[str, Any], one: Container, steps: Steps, restore: bool, units: list[str]) -> str:
    units = [unit for unit in units if unit]
    token = _take_out_of_service(salt, one, units)
    done = copies = False
    try:
        if steps.reloads:  # then once is enough: what was held has ended by now
            salt["unit_hold.release"](units, reload=False)
        steps.replace()
        salt["unit_hold.release"](units)
        steps.prove()
        came_back = guarded(salt, one.guard, "after_start", one.name, token, one.timeout)
        done = True
    except CommandExecutionError as error:
        salt["unit_hold.release"](units)
        if steps.reloads and one.guard in guards.ENDING:
            salt["quadlet.reload"]()  # whether `replace` came as far as that is not known
        reason = errors.reason_of(error)
        copies = reason == _COPIES
        if reason == _OTHERS_AWAY:
            steps.accept()  # it does its work; what is missing is not its own
            raise
        if copies or not restore:
            raise  # what ran before would have to copy from the beginning
        restored = steps.put_back()
        missing = _back_in_service(salt, one, token) if one.running else None
        raise _failure(error, restored, missing) from error
    finally:
        if not (done or copies):
            guarded(salt, one.guard, "undo", one.name, token)
    steps.accept()
    return came_back or ""


def _take_out_of_service(salt: Mapping[str, Any], one: Container, units: list[str]) -> Any:
    """Have the guard take a running container out of service.

    A guard raises only as long as the container still does its work. Returns its token; for a container that
    does not run, the token of a run that died, or None.
    """
    if one.guard == guards.NONE or not one.running:
        return guarded(salt, one.guard, "pending", one.name)
    hold = functools.partial(salt["unit_hold.hold"], units)
    # A hold, and its end, have systemd read all of its units again.
    its_own = [hold] if one.guard in guards.ENDING else []
    if not its_own and commands.is_unit(one.name):
        hold()  # the files of what is packages are about to change
    try:
        return guarded(salt, one.guard, "before_stop", one.name, *its_own)
    except BaseException:
        salt["unit_hold.release"](units)
        guarded(salt, one.guard, "undo", one.name, None)
        raise


def _back_in_service(salt: Mapping[str, Any], one: Container, token: Any) -> Exception | None:
    """Wait until what was started again is back in service; the guard's error when it is not, else None."""
    try:
        guarded(salt, one.guard, "after_start", one.name, token, one.timeout)
    except CommandExecutionError as error:
        return error
    return None


def _failure(error: CommandExecutionError, restored: str, missing: Exception | None) -> CommandExecutionError:
    """The error to raise for a change that failed: why, how the rollback went, and what is still missing."""
    if isinstance(missing, CommandExecutionError) and errors.reason_of(missing) in (
        "QUORUM_AT_RISK",
        "QUORUM_NOT_RESTORED",
    ):
        # What the cluster lacks now matters more than why the change failed.
        return errors.reworded(missing, f"{errors.text_of(missing)}\n{error}\n{restored}")
    late = f"\nIt is not back in service: {missing}" if missing else ""
    return errors.reworded(error, f"{errors.text_of(error)}\n{restored}{late}")
