"""OVN's setting ovn-ofctrl-wait-before-clear on this chassis, kept beyond an update: ovn-controller(8).

A controller that crashes is started again without anybody who sees it through. With the setting it leaves the
flows of the one before alone until its own are computed. What was there before ours is written down, and what
somebody else has set is told apart from it (node/ovn_wait.py decides).
"""

from __future__ import annotations

from openstack_rollout.node import control_socket, local_switch, ovn_chassis, ovn_wait
from openstack_rollout.node.errors import NodeError
from openstack_rollout.node.guarding import Steps
from openstack_rollout.records.state_file import StateFile

_STEPS = Steps()
_FORM = {"ours": list, "theirs": str}
_FILE = StateFile(ovn_wait.RECORD, _FORM)


def found(container: str = "ovn_controller") -> dict | None:
    """The setting, and what it should go by. Nothing is touched.

    container (str): the name of the controller's container.

    Returns {"have": what is set, "" where nothing is, "theirs": the same of somebody else, "longest": ms of
    the longest computation of all flows, "flows": their number, "by_itself": whether this controller ignores
    the setting}; a figure is None where it cannot be told. None on a node that is no chassis. While its guard
    sees a change through, the setting is the one that the guard puts back.
    Raises NodeError OVS_FAILED when the switch's database does not answer.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_wait.found
    """
    chassis = local_switch.chassis(__salt__)
    if chassis is None:
        return None
    begun, record = _STEPS.pending(container), _FILE.read_or_none()
    have = (begun["wait"] if begun else chassis["wait"]) or ""
    return {
        "have": have,
        "theirs": record["theirs"] if record and have in record["ours"] else have,
        "longest": ovn_chassis.stopwatch(_ask(container, "stopwatch/show", "flow-generation")),
        "flows": local_switch.flow_count(__salt__, chassis["bridge"]),
        "by_itself": ovn_wait.waits_by_itself(_ask(container, "version")),
    }


def bring(value: str, container: str = "ovn_controller") -> None:
    """Have the setting be this, and remember what somebody else had set.

    value (str): milliseconds, "" to set nothing. container (str): the name of the controller's container.

    A change that its guard has under way keeps its own value, and puts this one back in its end. Raises
    NodeError OVS_FAILED, NODE_ERROR where the disk refuses the record.

    CLI Example:

    .. code-block:: bash

        salt 'cmp1' ovn_wait.bring 12000
    """
    now = found(container)
    if now is None or now["have"] == value:
        return
    try:
        # Both are ours until it is set: a death in between makes nobody else's of either.
        ours = now["have"] != now["theirs"]
        _FILE.write({"ours": [*([now["have"]] if ours else []), value], "theirs": now["theirs"]})
        if begun := _STEPS.pending(container):
            _STEPS.begin(container, {**begun, "wait": value or None})
        else:
            local_switch.set_external_id(__salt__, ovn_wait.SETTING, value or None)
        if value == now["theirs"]:
            _FILE.forget()
        else:
            _FILE.write({"ours": [value], "theirs": now["theirs"]})
    except OSError as error:
        raise NodeError("NODE_ERROR", f"{_FILE.path}: {error}") from error


def _ask(container: str, *command: str) -> str:
    """What the controller answers, "" when it does not."""
    return control_socket.ask_ovn(__salt__, container, "ovn-controller", *command).stdout
