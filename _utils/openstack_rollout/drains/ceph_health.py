"""What Ceph lacks to be whole, and what of a node is not back, by what it tells of itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openstack_rollout.errors import some

#: words in a placement group's state with which data lacks a sound copy, or nobody can tell
_NOT_WHOLE = {
    *("degraded", "undersized", "peered", "down", "incomplete", "stale", "unknown", "recovery_wait"),
    *("inconsistent", "failed_repair", "snaptrim_error"),
    *("backfill_toofull", "recovery_toofull", "backfill_unfound", "recovery_unfound"),
}

#: flags of an operator with which a node that went down is not missed, or does not become whole again
_IN_THE_WAY = {"nodown", "noup", "nobackfill", "norecover", "pause", "pauserd", "pausewr", "full"}
#: the health check that a Ceph without room has (since Luminous, in place of the flag `full`)
_FULL = "OSD_FULL"
#: types of which any one daemon does what all do, and Ceph has no `ok-to-stop`
ANY_WILL_DO = ("mgr", "rgw")

Daemons = Mapping[str, Sequence[str]]
Here = Mapping[str, Any]  # as ceph_cluster.here returns it
Status = Mapping[str, Any]  # as ceph_cluster.status returns it
Places = Mapping[str, Any]  # as ceph_cluster.places returns it


def daemons(nodes: Sequence[Here], places: Places) -> dict[str, list[str]]:
    """The daemons of nodes: those that they tell, and those that Ceph places on their hosts."""
    found: dict[str, set[str]] = {}
    for one in nodes:
        for some_of_it in (one["daemons"], places["on"].get(one["host"], {})):
            for kind, names in some_of_it.items():
                found.setdefault(kind, set()).update(names)
    return {kind: sorted(names) for kind, names in found.items()}


def groups(osds: Sequence[str], hosts: Mapping[str, Sequence[str]]) -> list[str]:
    """What `noout` is set for: the CRUSH hosts that have these OSDs and no others, else each of the OSDs."""
    own = [name for name, children in hosts.items() if children and set(children) <= set(osds)]
    covered = {child for name in own for child in hosts[name]}
    return [*sorted(own), *(f"osd.{name}" for name in osds if name not in covered)]


def lacks(status: Status, before: Mapping[str, Any] | None = None) -> list[str]:
    """What Ceph lacks to be whole, a line each.

    before: what was of a node that went down; None before one goes down: then every monitor has to be there.
    """
    lines = []
    away = set(status["monitors"]) - set(status["quorum"])
    if before is None and away:
        lines.append(f"not in the quorum: {', '.join(sorted(away))}")
    down = sorted(name for name, one in status["osds"].items() if one["in"] and not one["up"])
    if before is None and down:
        lines.append(f"down: osd {some(down)}")
    set_by_hand = sorted(_IN_THE_WAY & set(status["flags"]))
    lines += [f"somebody set the flag {one} (ceph osd unset {one})" for one in set_by_hand]
    lines += ["an OSD is full: make room (ceph osd df)"] if _FULL in status["health"]["checks"] else []
    bad = {state: count for state, count in status["groups"].items() if not _whole(state)}
    lines += [f"{count} placement groups are {state}" for state, count in sorted(bad.items())]
    return lines


def _whole(state: str) -> bool:
    """Whether a placement group has all its copies, by the words of its state."""
    words = set(state.split("+"))
    return "active" in words and bool(words & {"clean", "remapped"}) and not words & _NOT_WHOLE


def remapped(status: Status) -> int:
    """How many placement groups are elsewhere than CRUSH wants them."""
    return sum(count for state, count in status["groups"].items() if "remapped" in state.split("+"))


def missing(status: Status, before: Mapping[str, Any]) -> list[str]:
    """What of a node is not as it was before it went down, a line each."""
    osds = status["osds"]
    lost = {
        "not up": [name for name in before["up"] if not osds.get(name, {}).get("up")],
        "not in": [name for name in before["in"] if not osds.get(name, {}).get("in")],
    }
    lines = [f"{word}: osd {some(names)}" for word, names in lost.items() if names]
    gone = sorted(set(before["monitors"]) - set(status["quorum"]))
    lines += [f"not in the quorum: {', '.join(gone)}"] if gone else []
    now, had = remapped(status), before.get("remapped")
    if had is not None and now > had:  # an older version wrote down none
        lines.append(f"{now} placement groups are remapped, {had} were before")
    return lines


def not_running(places: Places, before: Mapping[str, Any]) -> list[str]:
    """The managers and gateways of a node that ran before it went down and do not now, a line for each type.

    A record that an older version wrote has none of them.
    """
    on = places["on"].get(before.get("host", ""), {})
    gone = {kind: sorted(set(before.get(kind, ())) - set(on.get(kind, ()))) for kind in ANY_WILL_DO}
    return [f"not running: {kind} {some(names)}" for kind, names in gone.items() if names]


def is_down(status: Status, before: Mapping[str, Any]) -> bool:
    """Whether all that a node had in order is down already."""
    up = [name for name in before["up"] if status["osds"].get(name, {}).get("up")]
    return not up and not set(before["monitors"]) & set(status["quorum"])


def left(status: Status) -> int:
    """How much is left to be recovered: objects, and placement groups."""
    groups = sum(count for state, count in status["groups"].items() if not _whole(state))
    return int(status["left"]) + groups + remapped(status)


def shown(daemons: Daemons) -> str:
    """Daemons by their type, for people."""
    return ", ".join(f"{kind} {' '.join(names)}" for kind, names in sorted(daemons.items()))
