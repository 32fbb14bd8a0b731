"""For how long a new ovn-controller leaves the flows alone that it finds: what is set, and what should be.

Pure: the node sets it and the master judges it alike. The setting is ovn-ofctrl-wait-before-clear of
ovn-controller(8), in milliseconds; it counts from the moment at which the new controller has reached the
southbound database. OVN has it up to 25.03: since 25.09 a controller waits by itself, and ignores it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

#: What was there before ours; no file where nothing of ours is set.
RECORD = Path("/var/lib/openstack-rollout/ovn-wait.json")
SETTING = "ovn-ofctrl-wait-before-clear"
KEEP: Final = "keep"
AUTO: Final = "auto"
#: Bounds in milliseconds. EDPM sets the least everywhere. What is longer than the most is no wait any more: a
#: workload that comes to the chassis meanwhile has no flows.
LEAST, MOST = 8_000, 300_000
#: The least that a guard, which ends the wait itself, gives a new controller.
LEAST_OF_A_CHANGE = 20_000
#: ovn-controller(8) recommends twice the longest computation of all flows.
_ENOUGH = 2
#: What is set is twice that: the first one of a process starts with cold caches, and is done more than once
#: where the controller learns only what its ports need (without ovn-monitor-all).
_SET = 4
#: Milliseconds a flow, as a restart took them at 6,300 flows (docs/explanation/evidence.md). The flows of a
#: controller that came one by one were never computed at once: its longest computation says too little then.
_PER_FLOW = 0.12
_WAITS_BY_ITSELF = (25, 9)
_VERSION = re.compile(r"^ovn-controller (\d+)\.(\d+)", re.M)


def computation(longest: int | None, flows: int | None) -> float:
    """How long a controller needs for all of its flows, in ms.

    longest (int): the longest computation that it has needed, in ms. flows (int): those that its switch has.
    None: not known.
    """
    return max(longest or 0, _PER_FLOW * (flows or 0))


def of_a_change(longest: int | None, flows: int | None, own: str | None) -> int:
    """For how long a new controller may leave the old flows alone while a guard sees it through (int, ms).

    longest, flows: as for `computation`. own (str): what is set, or None: it is no less than that.
    """
    wanted = LEAST_OF_A_CHANGE + _SET * computation(longest, flows)
    return max(round(min(wanted, MOST)), milliseconds(own))


def milliseconds(text: str | None) -> int:
    """What OVN reads a setting as (int): 0 where it is not set, or no number."""
    return int(text) if text and re.fullmatch(r"[0-9]+", text) else 0


def waits_by_itself(text: str) -> bool:
    """Whether a controller is of a version that ignores the setting.

    text (str): what `ovn-appctl -t ovn-controller version` prints.
    """
    match = _VERSION.search(text)
    return bool(match and (int(match[1]), int(match[2])) >= _WAITS_BY_ITSELF)


def is_asked(asked: Mapping[str, Any] | None) -> bool:
    """Whether a node's share wants anything of the setting.

    asked (dict): {"wait_before_clear": auto, keep or ms, "back": text}, the last one while a rollback is in
    force: what was set before the run that is undone.
    """
    return asked is not None and (asked.get("back") is not None or asked["wait_before_clear"] != KEEP)


def due(asked: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> str | None:
    """What is to be set instead of what is (str), "" to set nothing; None where it is as it should be.

    asked: as for `is_asked`. found (dict): of ovn_wait.found, None on a node that is no chassis.

    What somebody else has set is never shortened. Neither is by `auto` what we have set: a chassis that is
    empty now has few flows, and will have them again.
    """
    if not found or not is_asked(asked) or asked is None:
        return None
    back, setting = asked.get("back"), asked["wait_before_clear"]
    if back is not None:
        return None if back == found["have"] else back
    now = milliseconds(found["have"])
    if setting == AUTO:
        if found["by_itself"] or now >= _bounded(_ENOUGH, found):
            return None
        wanted = _bounded(_SET, found)
    else:
        wanted = setting
    wanted = max(wanted, milliseconds(found["theirs"]))
    return None if wanted == now else str(wanted)


def theirs_stays(asked: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> bool:
    """Whether something that somebody else has set stays, although the share wants less.

    asked, found: as for `due`.
    """
    if not found or not asked or asked.get("back") is not None or isinstance(asked["wait_before_clear"], str):
        return False
    return milliseconds(found["theirs"]) > asked["wait_before_clear"]


def _bounded(factor: int, found: Mapping[str, Any]) -> int:
    """So many times the computation of all flows, to the next second."""
    wanted = factor * computation(found["longest"], found["flows"])
    return min(max(-int(-wanted // 1000) * 1000, LEAST), MOST)
