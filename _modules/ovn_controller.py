"""The guard of OVN's controller: its container changes, and the chassis does not lose a packet.

A new ovn-controller clears the flows of the old one when it starts. OVN's setting
ovn-ofctrl-wait-before-clear (ovn-controller(8)) has it keep them for a time. This guard sets it, watches
until the new flows are computed, lets them in, and puts the operator's own setting back. What the chassis was
before is recorded until it is caught up, so that the next run can finish the change of one that died.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    commands,
    control_socket,
    engines,
    images,
    local_switch,
    ovn_chassis,
    ovn_wait,
    southbound,
    unit_processes,
    waiting,
)
from openstack_rollout.node import share as shares
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Look, Steps
from openstack_rollout.node.guards import PATIENCE

_STEPS = Steps()
_ENDS_IN = 15  # seconds for a controller that was asked to exit
_POLL = 0.5
_SETTLE = 30.0  # seconds that are left at least once the new flows are let in
_AGREED, _QUIET = 2, 10  # polls in a row with the same answer
_AT_ONCE = "0"  # let the new flows in now
_FRESH = 3600  # seconds after which the number of flows in a record says nothing about today's


def status(container: str = "ovn_controller") -> dict | None:
    """Whether this chassis is caught up with its southbound database.

    container (str): the name of the controller's container.

    Returns None where the switch is no chassis, else {"chassis", "caught_up": bool, "waits": [what it waits
    for], "connection", "nb_cfg", "wanted_nb_cfg", "flows", "ports": {bound logical port: type},
    "interfaces": {iface-id: port}, …}.
    Raises CommandExecutionError when the switch does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.status
    """
    found = _chassis()
    if found is None:
        return None
    now = _measure(container, found)
    now["missing"] = _missing(container, found, now, {"ports": dict.fromkeys(now["interfaces"], "")})
    now["waits"] = ovn_chassis.waits(now, {})
    return {**now, "chassis": found["name"], "caught_up": not now["waits"]}


def may_stop(container: str = "ovn_controller", patience: float = PATIENCE) -> dict | None:
    """Make sure that a new controller could do what this one does: the southbound database answers it, and
    it would not wait for northd.

    container (str): its name. patience (float): seconds in which the database may come back.

    Returns what `before_stop` notes down of the chassis, None on a node that is none. Raises NodeError
    OVN_NOT_CAUGHT_UP, or SET_BY_OPERATOR with the setting that would have it wait.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.may_stop
    """
    found = _chassis()
    if found is None:
        return None
    if (lines := settings(container)) and _image_changes(container):
        raise NodeError("SET_BY_OPERATOR", f"{container}: {'; '.join(lines)}; nothing was touched")

    def look() -> Look:
        now = _measure(container, found)
        away = now["answers"] is False and now["connection"] == "not connected"
        return Look(now, ["the southbound database"] if away else [])

    seen = _STEPS.whole(look, patience, _POLL)
    if seen.lacks:
        raise NodeError(
            "OVN_NOT_CAUGHT_UP",
            f"{container}: the southbound database at {found['remote']} does not answer,"
            " so a new controller could not learn its flows; nothing was touched",
        )
    noted = {key: seen.found[key] for key in ("flows", "desired_kb", "ports", "with_flows")}
    return {"chassis": found["name"], "wait": found["wait"], **noted}


def before_stop(container: str, hold: Callable[[], None] | None = None) -> dict:
    """Have the running controller exit, in such a way that its flows stay.

    container (str): its name. hold (callable): keeps its unit from starting it again.

    Returns the token for `after_start` and `undo`, {} on a node that is no chassis.
    Raises NodeError as `may_stop`; nothing was touched then.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.before_stop ovn_controller
    """
    now = may_stop(container, 0)
    if now is None:
        return {}
    longest = ovn_chassis.stopwatch(_ask(container, "stopwatch/show", "flow-generation"))
    token = pending(container) or {**now, "begun": time.time()}
    __salt__["datapath.record"]()
    token["set"] = str(ovn_wait.of_a_change(longest, now["flows"], token["wait"]))
    _STEPS.begin(container, token)
    _set(token["set"])
    if hold:
        hold()
    _ask_to_exit(container)
    return token


def after_start(container: str, token: dict | None, timeout: float) -> str:
    """Wait until the chassis is caught up: connected, its flows computed anew, its ports bound as before.

    container (str): its name. token (dict): of `before_stop`, None when no container ran before.
    timeout (float): seconds, beside those that the computation of the flows may take; from the last moment at
    which there were more flows, as long as there are fewer than before.

    Returns "": there is nothing to say. Raises NodeError OVN_NOT_CAUGHT_UP that says what it waits for.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.after_start ovn_controller None 60
    """
    found = _chassis()
    if found is None:
        return ""
    before = token or {}
    allowed = float(timeout) + ovn_wait.milliseconds(found["wait"]) / 1000
    deadline = time.monotonic() + allowed
    if before:
        _let_new_flows_in(container, before, allowed)
    rest = max(deadline - time.monotonic(), min(allowed, _SETTLE))
    goal = None

    def waits() -> list[str]:
        nonlocal goal
        now = _measure(container, found)
        # What the cloud asks for after this moment does not have to be waited for.
        goal = now["wanted_nb_cfg"] = now["wanted_nb_cfg"] if goal is None else goal
        now["missing"] = _missing(container, found, now, before)
        return ovn_chassis.waits(now, before)

    seen = _STEPS.whole(lambda: Look(lacks=waits()), rest, _POLL, mark=_further(found, before))
    if seen.lacks:
        raise NodeError(
            "OVN_NOT_CAUGHT_UP",
            f"{container}: chassis {found['name']} waited {allowed:.0f} s and still waits for"
            f" {'; for '.join(seen.lacks)}",
        )
    undo(container, before)
    return ""


def undo(container: str, token: dict | None) -> None:
    """Put the operator's own setting back; nothing of the guard stays set. A second time changes nothing.

    container (str): its name. token (dict): of `before_stop`; None: that of a run that died.

    Raises CommandExecutionError when the switch's database refuses.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.undo ovn_controller None
    """
    token = token or pending(container)
    if token:
        ids = local_switch.rows(__salt__, "external_ids", "Open_vSwitch")[0]["external_ids"]
        # Another value is one that the operator has set since.
        if ids.get(ovn_wait.SETTING) in (token.get("set"), _AT_ONCE):
            _set(token["wait"])
    _STEPS.end(container)


def progress(container: str) -> dict | None:
    """How many flows the switch of a chassis has, while it has fewer than before the change.

    container (str): its name.

    Returns {"what": a few words, "mark": the flows, "copies": False}; None where nothing is waited for.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.progress ovn_controller
    """
    found, before = _chassis(), pending(container)
    flows = _further(found, before)() if found and before else None
    if flows is None:
        return None
    return {"what": f"{flows} of {before['flows']} flows are there", "mark": [flows], "copies": False}


def settings(container: str = "ovn_controller") -> list[str]:
    """The settings of an operator's own for which a controller of another version would wait, a line each.

    container (str): its name. A controller that waits already, for another northd than there is, is not kept
    from its next version by that.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.settings
    """
    try:
        found = _chassis()
    except CommandExecutionError:
        return []  # a switch that does not answer is told of by its own facts, and stops every change
    if not found or not found["match"]:
        return []
    asked = [southbound.select("SB_Global", [], "options")]
    rows = southbound.query(__salt__, container, found, asked)
    northd = (rows[0][0]["options"] if rows and rows[0] else {}).get("northd_internal_version", "")
    own = commands.in_container(__salt__, container, ["ovn-controller", "--version"])
    if northd and not own.retcode and not ovn_chassis.is_of(own.stdout, northd):
        return []
    return [
        f"external_ids:{found['match']} = true: a new ovn-controller would wait for a northd of its own"
        f" version, which moves later, with the control plane ({northd or 'an unknown one'} runs). Set it to"
        f" false until then (ovs-vsctl set Open_vSwitch . external_ids:{found['match']}=false), or keep"
        " ovn-controller's present image under custom_images until northd has moved"
    ]


def pending(container: str) -> dict | None:
    """The token of a change that was begun and not finished (a dict), None when there is none.

    container (str): its name.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_controller.pending ovn_controller
    """
    token = _STEPS.pending(container)
    if token is None:
        return None
    if time.time() - token.get("begun", 0) > _FRESH:
        token |= {"flows": None, "desired_kb": None}
    return token


def _let_new_flows_in(container: str, before: dict, timeout: float) -> None:
    """Let the new flows in once they are computed: as many as before, or enough of them and no more coming.

    A controller of a version that does not report the size of its flows lets them in by itself, when the time
    that `before_stop` set is over.
    """
    wanted = before.get("desired_kb") or 0
    last, agreed = None, 1

    def computed_or_silent() -> bool:
        nonlocal last, agreed
        ready = _ask(container, "connection-status").strip() == "connected"
        # It is "unknown" until the database has answered.
        ready = ready and _ask(container, "debug/status").strip() != "unknown"
        size = ovn_chassis.desired_flows(_ask(container, "memory/show")) if ready else None
        if ready and size is None:
            return True
        agreed = agreed + 1 if size and size == last else 1
        last = size
        needed = _AGREED if size and size >= wanted > 0 else _QUIET
        if size and size >= ovn_chassis.SHARE * wanted and agreed >= needed:
            _set(_AT_ONCE)
            return True
        return False

    if timeout > 0:
        _STEPS.until(
            computed_or_silent, timeout, _POLL, mark=lambda: last if last and last < wanted else None
        )


def _further(found: dict, before: dict) -> waiting.Mark:
    """The number of flows, as long as there are fewer than before: those of a busy cloud come and go."""

    def mark() -> int | None:
        flows = local_switch.flow_count(__salt__, found["bridge"])
        return flows if flows is not None and flows < (before.get("flows") or 0) else None

    return mark


def _image_changes(container: str) -> bool:
    """Whether the node wants another image of a container, also where that cannot be told."""
    try:
        services = shares.of(__pillar__)["services"]
    except NodeError:
        return True
    wanted = [one["image"] for one in services if one["container"] == container]
    now = engines.containers(__salt__).get(container)
    if not wanted or not now:
        return True
    local = engines.local_images(__salt__)
    return now.get("image_id") not in images.ids(wanted, local).values()


def _measure(container: str, found: dict) -> dict:
    """The chassis as it is; what cannot be measured is None."""
    known = southbound.of_chassis(__salt__, container, found)
    ports = {row["logical_port"]: row["type"] for row in known.get("ports", ())}
    here = ovn_chassis.interfaces(local_switch.rows(__salt__, "external_ids,ofport", "Interface"))
    entry = local_switch.ofctl(__salt__, "dump-flows", "--no-names", found["bridge"], "table=0")
    return {
        "connection": _ask(container, "connection-status").strip(),
        "answers": known.get("answers"),
        "chassis": bool(known.get("chassis")),
        "nb_cfg": known.get("nb_cfg"),
        "wanted_nb_cfg": known.get("wanted_nb_cfg"),
        "ports": ports,
        "interfaces": here,
        "flows": local_switch.flow_count(__salt__, found["bridge"]),
        "oldest_flow": ovn_chassis.oldest_flow(entry),
        "with_flows": ovn_chassis.with_flows(entry, here),
        "age": _age(container),
        "desired_kb": ovn_chassis.desired_flows(_ask(container, "memory/show")),
    }


def _missing(container: str, found: dict, now: dict, before: dict) -> list[str]:
    missing = ovn_chassis.lost(before, now)
    if not missing:
        return []
    conditions = [[["logical_port", "==", port]] for port in missing]
    asked = [southbound.select("Port_Binding", where, "logical_port") for where in conditions]
    rows = southbound.query(__salt__, container, found, asked)
    # A port without a row in the southbound database was deleted, not lost.
    return missing if rows is None else [port for port, one in zip(missing, rows, strict=True) if one]


def _chassis() -> dict | None:
    """The chassis that this node is, None when it is none."""
    return local_switch.chassis(__salt__)


def _ask_to_exit(container: str) -> None:
    """Ask the controller to exit; one that does not is stopped by its unit, and its flows stay as well."""
    _ask(container, "exit", "--restart")
    _STEPS.until(lambda: not engines.runs(__salt__, container), _ENDS_IN, 0.1)


def _age(container: str) -> float | None:
    """Seconds since the container was started."""
    return unit_processes.age(commands.main_process(__salt__, container))


def _set(wait: str | None) -> None:
    local_switch.set_external_id(__salt__, ovn_wait.SETTING, wait)


def _ask(container: str, *command: str) -> str:
    """What the controller answers, "" when it does not."""
    return control_socket.ask_ovn(__salt__, container, "ovn-controller", *command).stdout
