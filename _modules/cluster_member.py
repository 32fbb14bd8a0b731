"""This node as a member of all its clusters at once: before the whole node goes down, and after it came back.

Each cluster is asked by its guard (node/guards.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import engines, errors, guarding, waiting
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guards import MEMBERS, PACEMAKER, PATIENCE, WITH_CLIENTS

_POLL = 2.0


def services() -> dict[str, str]:
    """The containers of this node that are members of clusters: {container: guard}.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' cluster_member.services
    """
    return _guarded(*MEMBERS)


def put_right() -> list[str]:
    """Undo what a change that died left half done: a member out of service, addresses kept off the node.

    Nothing is done while a change is under way. A container that was stopped already is not touched: its next
    change goes on from there.

    Returns the names of the containers concerned (list).

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' cluster_member.put_right
    """
    begun = [
        (name, guard)
        for name, guard in _guarded(*MEMBERS, PACEMAKER).items()
        if __salt__[f"{guard}.pending"](name)
    ]
    if not begun or __salt__["saltutil.is_running"]("state.*"):
        return []
    unfinished = [(name, guard) for name, guard in begun if engines.runs(__salt__, name)]
    for name, guard in unfinished:
        __salt__[f"{guard}.undo"](name, None)
    return [name for name, _ in unfinished]


def may_stop(patience: float = PATIENCE, leave: bool = False) -> list[str]:
    """Make sure that every cluster of this node can spare it, after `put_right`; nothing else is touched.

    patience (float): seconds in which each cluster may become whole. leave (bool): also move the clients of
    the database and the message broker to other members, for a node that is about to go down; `is_back` and
    `put_right` undo that.

    Returns what it is a member of: names of containers, and `pacemaker`. Raises NodeError QUORUM_AT_RISK.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' cluster_member.may_stop
    """
    put_right()
    found = [
        container
        for container, guard in services().items()
        if __salt__[f"{guard}.may_stop"](container, patience)
    ]
    if __salt__[f"{PACEMAKER}.may_stop"](PACEMAKER, patience):
        found.append(PACEMAKER)
    if leave:
        _move_clients_away()
    return found


def is_back(timeout: float = 600, members: Iterable[str] | None = None) -> list[str]:
    """Wait until this node is a member of each of its clusters, and these are whole, after `put_right`.

    timeout (float): seconds for all together, from the last moment at which one of them was further with what
    it copies or applies. members (list): what it was a member of, as `may_stop` returned; None: what it is
    configured to be, and Pacemaker where it runs.

    Returns the members' names. Raises NodeError QUORUM_NOT_RESTORED that says what is missing, COPY_STALLED
    where one copies and does not move.

    CLI Example:

    .. code-block:: bash

        salt 'ctl1' cluster_member.is_back
    """
    put_right()
    configured = services()
    pacemaker = members is None and __salt__["pacemaker.status"]() is not None
    names = list(members if members is not None else [*configured, *([PACEMAKER] if pacemaker else ())])

    def lacks() -> list[str]:
        found = {name: _lacks(name, configured.get(name, PACEMAKER), members is not None) for name in names}
        return [f"{name}: {', '.join(lines)}" for name, lines in found.items() if lines]

    def moving() -> dict[str, dict]:
        found = {name: __salt__[f"{guard}.progress"](name) for name, guard in configured.items()}
        return {name: one for name, one in found.items() if name in names and one}

    furthest: dict[str, list] = {}
    steps = 0

    def mark() -> int:
        """How often one of them was further than before."""
        nonlocal steps
        for name, one in moving().items():
            steps += name in furthest and one["mark"] > furthest[name]
            furthest[name] = max(one["mark"], furthest.get(name, one["mark"]))
        return steps

    if missing := waiting.until_whole(lacks, timeout, _POLL, mark=mark):
        for name, one in moving().items():
            guarding.require_no_copy(name, one, timeout)
        raise NodeError(
            "QUORUM_NOT_RESTORED",
            f"{__grains__['id']} is not back after {timeout:.0f} s: {'; '.join(missing)}",
        )
    return names


def _move_clients_away() -> None:
    try:
        for container, guard in _guarded(*WITH_CLIENTS).items():
            __salt__[f"{guard}.before_stop"](container)
    except CommandExecutionError:
        put_right()
        raise


def _guarded(*guards: str) -> dict[str, str]:
    return {
        container: guard
        for container, guard in __salt__["openstack_node.guarded"]().items()
        if guard in guards
    }


def _lacks(name: str, guard: str, was_member: bool) -> list[str]:
    try:
        found = __salt__[f"{guard}.status"](*([] if guard == PACEMAKER else [name]))
    except CommandExecutionError as error:
        return [errors.text_of(error)]
    if found is None and was_member:
        return ["is no member of a cluster any more"]
    return list(found["lacks"]) if found else []
