"""The conditions under which a run begins: their fixed names, what each asks, which of them may be accepted.

What is found of them is in preflight.py. A condition may be accepted, for one run, where an operator can know
better than what was measured; never where a run could not go on anyway, or would break something.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from openstack_rollout.errors import RolloutError, one_line

Verdict = Literal["ok", "warn", "refuse", "accepted"]
#: From the one that stops nothing to the one that stops a run.
VERDICTS: tuple[Verdict, ...] = ("ok", "accepted", "warn", "refuse")
_LINES, _NODES = 20, 200  # of what was seen of a condition: a run's record has them


class Condition(NamedTuple):
    """What has to be so (asks), what to do where it is not (remedy, "" for the reason's own), and whether an
    operator may accept it for a run.
    """

    asks: str
    remedy: str = ""
    acceptable: bool = False


CONDITIONS: dict[str, Condition] = {
    "run": Condition("no other run is in the way"),
    "nodes": Condition("every node answers, and is what its role means"),
    "downgrade": Condition("no node runs a newer release than the target"),
    "custom_images": Condition("custom images were renewed with the target", acceptable=True),
    "stage_order": Condition("the stages that must come before are done"),
    "release_checks": Condition("what the release asks for before its services move is so"),
    "settings": Condition("operators have set nothing for which a stage would wait"),
    "images": Condition("the registry has every image that nodes lack"),
    "drains": Condition("what has to leave nodes can leave them"),
    "occupied": Condition("nodes that may be rebooted serve no data that no drain takes"),
    "clusters": Condition("the clusters of controllers that change are whole"),
    "addresses": Condition("each virtual address is on one node"),
    "work": Condition("the APIs tell what services work on"),
    "readiness": Condition(
        "nodes can tell whether they are ready",
        "Mend what the node says; where it has no such function: salt NODE saltutil.sync_all.",
        acceptable=True,
    ),
    "room": Condition(
        "file systems have room for the images and packages",
        "Make room on the file system that the line names: salt-run rollout.prune test=True tells what images"
        " and cached packages of former releases take up there.",
        acceptable=True,
    ),
    "boot_room": Condition(
        "/boot has room for a kernel that comes", "Remove an old kernel, then look again (df /boot)."
    ),
    "clocks": Condition(
        "the clocks of nodes agree", "Set the clock (chronyc tracking, chronyc makestep).", acceptable=True
    ),
    "certificates": Condition(
        "the certificates of services are valid, and stay so for a while",
        "Renew the certificate, or remove the file where nobody uses it.",
        acceptable=True,
    ),
    "container_storage": Condition(
        "containers can be made where engines keep them",
        "Mend the engine's storage as the line says (podman info, podman system check).",
    ),
    "failed_units": Condition(
        "no unit has failed before, and APIs answer",
        "Mend or restart the unit (systemctl status UNIT), or forget it: systemctl reset-failed UNIT.",
        acceptable=True,
    ),
    "installers": Condition(
        "nobody else changes the nodes",
        "Wait until it is done, or stop it for the time of the update.",
        acceptable=True,
    ),
    "openstack_agents": Condition(
        "the agents of nodes tell OpenStack of themselves",
        "Read the agent's journal on the node (journalctl -u), and the message bus.",
        acceptable=True,
    ),
    "hypervisors": Condition(
        "the hypervisors that are drained are up",
        "Bring nova-compute back on the node, or take its servers elsewhere.",
        acceptable=True,
    ),
    "capacity": Condition(
        "other nodes can take what has to leave those that go",
        "Bring other nodes back, free room on them, or lower openstack:policies:ROLE:batch.",
        acceptable=True,
    ),
    "server_groups": Condition(
        "no two nodes with servers of one group go together",
        "Have the drain keep them apart (openstack:policies:ROLE:drain: live_migrate), or set batch: 1.",
        acceptable=True,
    ),
    "gates": Condition("the monitoring has nothing against it (openstack:policies:ROLE:gates)"),
    "notifications": Condition(
        "people can be told of what becomes of the run",
        "Install apprise (salt-pip install apprise), or mend what the line names of openstack:notifications.",
        acceptable=True,
    ),
    "audit": Condition(
        "the guests of openstack:audit can be probed",
        "Mend what the line names of openstack:audit; the run goes on without them.",
        acceptable=True,
    ),
    "pending_reboots": Condition(
        "no node needs a reboot already",
        "Nothing, where openstack:system:reboot has the run reboot it; else reboot it in time.",
        acceptable=True,
    ),
    "set_by_hand": Condition(
        "operators hold nothing back, and have set nothing aside",
        "Take it back where it is not meant to last.",
        acceptable=True,
    ),
}


@dataclass(frozen=True)
class Seen:
    """A thing that was seen of a condition: one line, the nodes concerned, and the error that it would be
    refused with, where there is one.
    """

    verdict: Verdict
    text: str
    nodes: tuple[str, ...] = ()
    error: RolloutError | None = None


def refusing(reason: str, text: str, node: str) -> Seen:
    """What refuses a run because of a node, under a reason of its own."""
    return Seen("refuse", text, (node,), RolloutError(reason, text, [node]))


@dataclass(frozen=True)
class Finding:
    """What was found of a condition (its name): all that was seen."""

    condition: str
    seen: tuple[Seen, ...] = ()
    accepted: bool = False

    @property
    def verdict(self) -> Verdict:
        """The gravest of what was seen; `accepted` in place of `refuse` where an operator accepted it."""
        gravest = max((one.verdict for one in self.seen), key=VERDICTS.index, default=VERDICTS[0])
        return "accepted" if gravest == "refuse" and self.accepted else gravest

    @property
    def remedy(self) -> str:
        """What an operator does about it, "" where nothing is wrong."""
        if self.verdict == "ok":
            return ""
        own = CONDITIONS[self.condition].remedy
        errors = (one.error for one in self.seen if one.error)
        return own or next((error.remedy for error in errors), "")

    @property
    def error(self) -> RolloutError:
        """What a run is refused with."""
        refused = [one for one in self.seen if one.verdict == "refuse"]
        if len(refused) == 1 and refused[0].error:
            return refused[0].error
        reasons = {one.error.reason if one.error else "PREFLIGHT_REFUSED" for one in refused}
        reason = reasons.pop() if len(reasons) == 1 else "PREFLIGHT_REFUSED"
        nodes = dict.fromkeys(node for one in refused for node in one.nodes)
        what = "" if reason != "PREFLIGHT_REFUSED" else f". {self.remedy}"
        text = f"{self.condition}: {'; '.join(one.text for one in refused)}{what}"
        return RolloutError(reason, text.rstrip(". "), nodes)

    def plain(self) -> dict[str, Any]:
        """For programs: {"asks", "verdict", "seen", "remedy", "nodes", "acceptable"}."""
        lines = [
            one_line(one.text) for one in sorted(self.seen, key=lambda one: -VERDICTS.index(one.verdict))
        ]
        more = [f"and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
        return {
            "asks": CONDITIONS[self.condition].asks,
            "verdict": self.verdict,
            "seen": [*lines[:_LINES], *more],
            "remedy": self.remedy,
            "nodes": list(dict.fromkeys(node for one in self.seen for node in one.nodes))[:_NODES],
            "acceptable": CONDITIONS[self.condition].acceptable,
        }


@dataclass(frozen=True)
class Preflight:
    """The findings of all conditions, in their order."""

    findings: tuple[Finding, ...] = field(default=())

    @property
    def refused(self) -> list[Finding]:
        """Those that stop a run."""
        return [one for one in self.findings if one.verdict == "refuse"]

    @property
    def told(self) -> dict[str, dict[str, Any]]:
        """Those under which something was seen, by name."""
        return {one.condition: one.plain() for one in self.findings if one.seen}

    def error(self) -> RolloutError | None:
        """The first condition that stops a run, as its error, which names the others too."""
        refused = self.refused
        if not refused:
            return None
        first = refused[0].error
        if not refused[1:]:
            return first
        others = ", ".join(one.condition for one in refused[1:])
        text = f"{first.message}; refused as well: {others} (salt-run rollout.preflight)"
        return RolloutError(first.reason, text, first.nodes)


def accepted(names: Iterable[str]) -> list[str]:
    """The names of conditions that an operator accepts for a run, each once.

    Raises RolloutError WRONG_ARGUMENT for a name that is none, with the nearest right one, and for one that
    may never be accepted.
    """
    found = list(dict.fromkeys(names))
    for name in found:
        if name not in CONDITIONS:
            near = difflib.get_close_matches(name, CONDITIONS, 1)
            hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(acceptable())}"
            raise RolloutError("WRONG_ARGUMENT", f"accept: {name!r} is no condition: {hint}")
        if not CONDITIONS[name].acceptable:
            may = ", ".join(acceptable())
            raise RolloutError(
                "WRONG_ARGUMENT", f"accept: {name} may never be accepted; those that may: {may}"
            )
    return found


def acceptable() -> list[str]:
    """The names of the conditions that may be accepted."""
    return [name for name, one in CONDITIONS.items() if one.acceptable]


def found(name: str, seen: Iterable[Seen], accepted: Mapping[str, Any]) -> Finding:
    """A finding. accepted: by name, what an operator accepted."""
    return Finding(name, tuple(seen), name in accepted)
