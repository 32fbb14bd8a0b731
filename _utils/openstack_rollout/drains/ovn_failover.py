"""The drain of OVN gateways: router ports go to another chassis by priority before a switch is disturbed.

A chassis is put below every other candidate, and its router ports follow; the same priorities are put back
afterwards. What an operator changes in between stays as the operator wants it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import Answer, Ask, Record
from openstack_rollout.errors import RolloutError

PATIENCE = 60.0  # seconds for router ports to move
LOOK_EVERY = 1.0
FOLLOW_WITHIN = 10  # seconds for chassis to carry out a change

Layout = Mapping[str, Any]


class OvnFailover:
    """Implements drain.Drain. model: what is declared. role: the gateways'. ask: how nodes are asked."""

    stages = frozenset({"ovs", "system"})

    def __init__(
        self,
        model: Model,
        role: str,
        ask: Ask,
        clock: tuple[Callable[[], float], Callable[[float], None]] = (time.monotonic, time.sleep),
    ):
        self._nodes = ask
        self._controllers = model.roles.get("controller", "")
        services = model.catalogue.services().values()
        self._containers = {
            word: next(one.container for one in services if one.type == kind)
            for word, kind in (("nb", "ovn-nb"), ("sb", "ovn-sb"))
            if any(one.type == kind for one in services)
        }
        self._role = role
        self._now, self._sleep = clock

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise NO_SPARE while a router port would have nowhere to go."""
        layout = self._layout()
        of_node = self._chassis(nodes)
        live = self._following(_candidates(layout))
        for node in nodes:
            _refuse_without_spare(layout, node, of_node[node], live - {of_node[node]})

    def room(self, nodes: Sequence[str]) -> int:
        """As many as leave one live candidate for every group."""
        layout = self._layout()
        of_node = self._chassis(nodes)
        live = self._following(_candidates(layout))
        away: set[str] = set()
        for count, node in enumerate(nodes):
            away.add(of_node[node])
            if any(_is_left_alone(group, away, live) for group in layout["groups"].values()):
                return count
        # Where priorities begin at 0 a drain moves the others up, and two of them would do so in turn.
        crowded = any(group and group[-1]["priority"] == 0 for group in layout["groups"].values())
        return min(1, len(nodes)) if crowded else len(nodes)

    def drain(self, node: str, record: Record) -> str:
        """Put the node's chassis last in every group, and wait until its router ports are gone."""
        chassis = record.data.get("chassis") or self._chassis([node])[node]
        if not chassis:
            return "is no OVN chassis"
        layout = self._layout()
        _refuse_without_spare(layout, node, chassis, self._following(_candidates(layout)) - {chassis})
        carried = _carried(layout, chassis)
        changes = _lowered(layout, chassis)
        known = record.data.setdefault("changes", {})
        for change in changes:
            before = known.get(change["row"])
            first = before["from"] if before and before["to"] == change["from"] else change["from"]
            known[change["row"]] = {**change, "from": first}
        record.data.update(chassis=chassis, ports=sorted({*record.data.get("ports", []), *carried}))
        record.save()
        self._set(changes)
        late = self._wait(lambda now: _not_moved(now, chassis))
        if late:
            message = f"{', '.join(late)} did not leave {node} within {PATIENCE:.0f} s"
            raise RolloutError("DRAIN_FAILED", message, [node])
        return f"{_counted(record.data['ports'], 'router port')} moved{self._stragglers(layout, chassis)}"

    def restore(self, node: str, record: Record) -> str:
        """Put back the very priorities, and wait until the router ports are back that these give the node."""
        chassis, ports = str(record.data.get("chassis", "")), record.data.get("ports", [])
        changes = list(record.data.get("changes", {}).values())
        if not changes:
            return "no router port had been moved"
        if not self._following([chassis]):
            message = f"{node}: its ovn-controller does not carry out what OVN's database says"
            raise RolloutError("RESTORE_FAILED", message, [node])
        made = self._set([{**change, "from": change["to"], "to": change["from"]} for change in changes])
        late = self._wait(lambda now: [port for port in ports if _owed(now, port, chassis)])
        if late:
            message = f"{', '.join(late)} did not come back to {node} within {PATIENCE:.0f} s"
            raise RolloutError("RESTORE_FAILED", message, [node])
        on_it = _counted(_carried(self._layout(), chassis), "router port")
        return f"{on_it} on it, {len(made)} of {len(changes)} changed priorities put back"

    def _set(self, changes: Sequence[Mapping[str, Any]]) -> list[Any]:
        if not changes:
            return []
        plain = [{key: change[key] for key in ("table", "row", "from", "to")} for change in changes]
        return list(self._ask("set_priorities", changes=plain, nb=self._containers.get("nb", "ovn_nb_db")))

    def _layout(self) -> Layout:
        answer: Layout = self._ask("layout", **self._containers)
        return answer

    def _following(self, chassis: Sequence[str] | set[str]) -> set[str]:
        return set(self._ask("following", names=sorted(chassis), timeout=FOLLOW_WITHIN, **self._containers))

    def _stragglers(self, layout: Layout, chassis: str) -> str:
        """Names the chassis that may still send to the old gateway: all should have heard before it goes."""
        others = set(layout["chassis"]) - {chassis}
        late = sorted(others - self._following(others))
        return f"; not yet heard by {', '.join(late)}" if late else ""

    def _wait(self, missing: Callable[[Layout], list[str]]) -> list[str]:
        until = self._now() + PATIENCE
        while True:
            late = missing(self._layout())
            if not late or self._now() >= until:
                return late
            self._sleep(LOOK_EVERY)

    def _chassis(self, nodes: Sequence[str]) -> dict[str, str]:
        """The chassis names of nodes. Raises RolloutError NODE_SILENT or NODE_ERROR."""
        found = {}
        for node, answer in self._nodes.ask(nodes, "ovn_gateway.chassis").items():
            if answer.error:
                raise RolloutError(answer.reason or "NODE_ERROR", f"{node}: {answer.error}", [node])
            found[node] = str(answer.value)
        return found

    def _ask(self, function: str, **keywords: Any) -> Any:
        """Ask the controllers in turn, until one answers."""
        errors, reasons = [], []
        for controller in self._nodes.members(self._controllers) if self._controllers else []:
            answer: Answer = self._nodes.ask([controller], f"ovn_gateway.{function}", keywords)[controller]
            if not answer.error:
                return answer.value
            errors.append(f"{controller}: {answer.error}")
            reasons.append(answer.reason)
        said = "; ".join(errors) or "openstack:roles:controller matches no node"
        # That one does not answer says nothing of the database.
        told = next((reason for reason in reasons if reason not in ("", "NODE_SILENT")), "OVN_UNREACHABLE")
        raise RolloutError(told, f"OVN's northbound database: {said}")


def _members(group: Sequence[Mapping[str, Any]]) -> set[str]:
    return {one["chassis"] for one in group}


def _is_left_alone(group: Sequence[Mapping[str, Any]], away: set[str], live: set[str]) -> bool:
    """Whether a group that has a chassis away has no live one left."""
    return bool(_members(group) & away) and not _members(group) & (live - away)


def _candidates(layout: Layout) -> set[str]:
    return {chassis for group in layout["groups"].values() for chassis in _members(group)} & set(
        layout["chassis"]
    )


def _carried(layout: Layout, chassis: str) -> list[str]:
    return sorted(port for port in layout["ports"] if _on(layout, port, chassis))


def _on(layout: Layout, port: str, chassis: str) -> bool:
    return bool(layout["ports"].get(port, {}).get("chassis") == chassis)


def _not_moved(layout: Layout, chassis: str) -> list[str]:
    """The ports that a chassis still carries, or could carry and that no other one carries yet."""
    found = []
    for port, binding in layout["ports"].items():
        group = layout["groups"].get(binding["group"], ())
        nowhere = chassis in _members(group) and not (binding["chassis"] and binding["up"])
        if nowhere or binding["chassis"] == chassis:
            found.append(port)
    return found


def _owed(layout: Layout, port: str, chassis: str) -> bool:
    """Whether a port that is still there belongs to a chassis by its priorities, and is not carried by it."""
    binding = layout["ports"].get(port)
    group = layout["groups"].get(binding["group"]) if binding else None
    if not binding or not group or group[0]["chassis"] != chassis:
        return False
    return not (binding["chassis"] == chassis and binding["up"])


def _refuse_without_spare(layout: Layout, node: str, chassis: str, live: set[str]) -> None:
    pinned = sorted(router for router, where in layout["pinned"].items() if where == chassis)
    if pinned:
        raise RolloutError("NO_SPARE", f"{node}: router {', '.join(pinned)} is pinned to it", [node])
    alone = sorted(
        name
        for name, group in layout["groups"].items()
        if chassis in _members(group) and not _members(group) & live
    )
    if alone:
        message = f"{node}: no other gateway that is alive may carry {', '.join(alone)}"
        raise RolloutError("NO_SPARE", message, [node])


def _lowered(layout: Layout, chassis: str) -> list[dict[str, Any]]:
    """The changes that put a chassis last in its groups; where it is at the bottom already, others rise."""
    changes = []
    for group in layout["groups"].values():
        own = [one for one in group if one["chassis"] == chassis]
        others = [one for one in group if one["chassis"] != chassis]
        if not own or not others:
            continue
        lowest = min(one["priority"] for one in others)
        if own[0]["priority"] < lowest:
            continue
        if lowest == 0:
            changes += [_change(one, one["priority"] + 1) for one in others]
            lowest = 1
        if own[0]["priority"] != lowest - 1:
            changes.append(_change(own[0], lowest - 1))
    return changes


def _counted(things: Sequence[Any], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _change(one: Mapping[str, Any], priority: int) -> dict[str, Any]:
    return {"table": one["table"], "row": one["row"], "from": one["priority"], "to": priority}
