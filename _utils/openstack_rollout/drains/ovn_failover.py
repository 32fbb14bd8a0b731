"""The drain of OVN gateways: router ports move to another chassis by its priority.

The chassis of the node gets a lower priority than every other candidate, and its router ports leave it. The
restore puts the same priorities back. A priority that an operator changed in between is left as it is. Its
keys in a record: `chassis`, `ports` (router ports that the chassis had), `changes` (by row: `table`, `row`,
`from`, `to`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import Answer, Ask, Record
from openstack_rollout.errors import RolloutError

MOVE_TIMEOUT = 60.0  # seconds for router ports to move
POLL_INTERVAL = 1.0  # seconds
APPLY_TIMEOUT = 10  # seconds for chassis to apply a change

Layout = Mapping[str, Any]  # as ovn_gateway.layout returns it


class OvnFailover:
    """Lowers the priority of a gateway's chassis. Implements contract.Drain.

    model (Model): what is declared. role (str): the gateways'. ask (Ask): how functions are called on nodes.
    clock: the present time in seconds, and how to sleep for some seconds.
    """

    stages = frozenset({"ovs", "system"})

    def __init__(
        self,
        model: Model,
        role: str,
        ask: Ask,
        clock: tuple[Callable[[], float], Callable[[float], None]] = (time.monotonic, time.sleep),
    ):
        self._nodes = ask
        self._controllers = [one for role, one in model.targets.items() if model.is_control_plane([role])]
        services = model.catalogue.services().values()
        self._containers = {
            word: next(one.container for one in services if one.type == kind)
            for word, kind in (("nb", "ovn-nb"), ("sb", "ovn-sb"))
            if any(one.type == kind for one in services)
        }
        self._now, self._sleep = clock

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError NO_SPARE when a router port of a node could move to no other chassis.

        Raises NODE_SILENT, NODE_ERROR, OVN_UNREACHABLE, or the reason that a node gives, too.
        """
        layout = self._layout()
        of_node = self._chassis(nodes)
        live = self._up_to_date(_candidates(layout))
        for node in nodes:
            _refuse_without_spare(layout, node, of_node[node], live - {of_node[node]})

    def capacity(self, nodes: Sequence[str]) -> int:
        """As many as leave one live candidate in every group of chassis."""
        layout = self._layout()
        of_node = self._chassis(nodes)
        live = self._up_to_date(_candidates(layout))
        drained: set[str] = set()
        for count, node in enumerate(nodes):
            drained.add(of_node[node])
            if any(_loses_last_live(group, drained, live) for group in layout["groups"].values()):
                return count
        # Where the lowest priority is 0, a drain raises the others. Two of them would raise each other.
        one_only = any(group and group[-1]["priority"] == 0 for group in layout["groups"].values())
        return min(1, len(nodes)) if one_only else len(nodes)

    def drain(self, node: str, record: Record) -> str:
        """Give the node's chassis the lowest priority everywhere, and wait until its router ports are gone.

        Raises RolloutError NO_SPARE, DRAIN_FAILED, and as `refuse`.
        """
        chassis = record.data.get("chassis") or self._chassis([node])[node]
        if not chassis:
            return "is not an OVN chassis"
        layout = self._layout()
        _refuse_without_spare(layout, node, chassis, self._up_to_date(_candidates(layout)) - {chassis})
        carried = _ports_on(layout, chassis)
        changes = _changes_to_lower(layout, chassis)
        recorded = record.data.setdefault("changes", {})
        for change in changes:
            before = recorded.get(change["row"])
            original = before["from"] if before and before["to"] == change["from"] else change["from"]
            recorded[change["row"]] = {**change, "from": original}
        record.data.update(chassis=chassis, ports=sorted({*record.data.get("ports", []), *carried}))
        record.save()
        self._set_priorities(changes)
        late = self._wait_until_none(lambda now: _not_moved(now, chassis))
        if late:
            message = f"{', '.join(late)} did not leave {node} within {MOVE_TIMEOUT:.0f} s"
            raise RolloutError("DRAIN_FAILED", message, [node])
        not_applied = self._chassis_not_up_to_date(layout, chassis)
        return f"{_counted(record.data['ports'], 'router port')} moved{not_applied}"

    def restore(self, node: str, record: Record) -> str:
        """Put the priorities back, and wait until the router ports are back that belong to the node by them.

        Raises RolloutError RESTORE_FAILED, OVN_UNREACHABLE, or the reason that a controller gives.
        """
        chassis, ports = str(record.data.get("chassis", "")), record.data.get("ports", [])
        changes = list(record.data.get("changes", {}).values())
        if not changes:
            return "no router port had been moved"
        if not self._up_to_date([chassis]):
            message = f"{node}: its ovn-controller does not apply what is in OVN's database"
            raise RolloutError("RESTORE_FAILED", message, [node])
        made = self._set_priorities(
            [{**change, "from": change["to"], "to": change["from"]} for change in changes]
        )
        late = self._wait_until_none(lambda now: [port for port in ports if _is_missing(now, port, chassis)])
        if late:
            message = f"{', '.join(late)} did not come back to {node} within {MOVE_TIMEOUT:.0f} s"
            raise RolloutError("RESTORE_FAILED", message, [node])
        on_it = _counted(_ports_on(self._layout(), chassis), "router port")
        return f"{on_it} on it, {len(made)} of {len(changes)} changed priorities put back"

    def _set_priorities(self, changes: Sequence[Mapping[str, Any]]) -> list[Any]:
        if not changes:
            return []
        plain = [{key: change[key] for key in ("table", "row", "from", "to")} for change in changes]
        return list(self._ask("set_priorities", changes=plain, nb=self._containers.get("nb", "ovn_nb_db")))

    def _layout(self) -> Layout:
        answer: Layout = self._ask("layout", **self._containers)
        return answer

    def _up_to_date(self, chassis: Sequence[str] | set[str]) -> set[str]:
        """Those of some chassis that have applied what is in the northbound database now."""
        answer = self._ask("following", names=sorted(chassis), timeout=APPLY_TIMEOUT, **self._containers)
        return set(answer)

    def _chassis_not_up_to_date(self, layout: Layout, chassis: str) -> str:
        """The end of a line, with the other chassis that may still send to the old gateway; "" for none."""
        others = set(layout["chassis"]) - {chassis}
        late = sorted(others - self._up_to_date(others))
        return f"; not yet applied by {', '.join(late)}" if late else ""

    def _wait_until_none(self, missing: Callable[[Layout], list[str]]) -> list[str]:
        """Wait until `missing` returns nothing; returns what it still returns after MOVE_TIMEOUT."""
        deadline = self._now() + MOVE_TIMEOUT
        while True:
            late = missing(self._layout())
            if not late or self._now() >= deadline:
                return late
            self._sleep(POLL_INTERVAL)

    def _chassis(self, nodes: Sequence[str]) -> dict[str, str]:
        """Minion id -> name of its chassis, "" for none.

        Raises RolloutError NODE_SILENT, NODE_ERROR, or the reason that the node gives.
        """
        found = {}
        for node, answer in self._nodes.ask(nodes, "ovn_gateway.chassis").items():
            if answer.error:
                raise RolloutError(answer.reason or "NODE_ERROR", f"{node}: {answer.error}", [node])
            found[node] = str(answer.value)
        return found

    def _ask(self, function: str, **keywords: Any) -> Any:
        """Call a function of ovn_gateway on one controller after the other, until one succeeds.

        Raises RolloutError OVN_UNREACHABLE, or the reason that a controller gives.
        """
        errors, reasons = [], []
        members = [node for target in self._controllers for node in self._nodes.members(target)]
        for controller in dict.fromkeys(members):
            answer: Answer = self._nodes.ask([controller], f"ovn_gateway.{function}", keywords)[controller]
            if not answer.error:
                return answer.value
            errors.append(f"{controller}: {answer.error}")
            reasons.append(answer.reason)
        text = "; ".join(errors) or "openstack:roles:controller matches no node"
        # A controller that does not answer gives no reason that concerns the database.
        named = (reason for reason in reasons if reason not in ("", "NODE_SILENT"))
        raise RolloutError(next(named, "OVN_UNREACHABLE"), f"OVN's northbound database: {text}")


def _members(group: Sequence[Mapping[str, Any]]) -> set[str]:
    return {one["chassis"] for one in group}


def _loses_last_live(group: Sequence[Mapping[str, Any]], drained: set[str], live: set[str]) -> bool:
    """Whether a group with a drained chassis has no live one that is not drained."""
    return bool(_members(group) & drained) and not _members(group) & (live - drained)


def _candidates(layout: Layout) -> set[str]:
    return {chassis for group in layout["groups"].values() for chassis in _members(group)} & set(
        layout["chassis"]
    )


def _ports_on(layout: Layout, chassis: str) -> list[str]:
    return sorted(port for port in layout["ports"] if _on(layout, port, chassis))


def _on(layout: Layout, port: str, chassis: str) -> bool:
    return bool(layout["ports"].get(port, {}).get("chassis") == chassis)


def _not_moved(layout: Layout, chassis: str) -> list[str]:
    """The ports that are still on a chassis, or could be and are up on no chassis."""
    found = []
    for port, binding in layout["ports"].items():
        group = layout["groups"].get(binding["group"], ())
        nowhere = chassis in _members(group) and not (binding["chassis"] and binding["up"])
        if nowhere or binding["chassis"] == chassis:
            found.append(port)
    return found


def _is_missing(layout: Layout, port: str, chassis: str) -> bool:
    """Whether a port that still exists belongs to a chassis by the priorities, and is not up on it."""
    binding = layout["ports"].get(port)
    group = layout["groups"].get(binding["group"]) if binding else None
    if not binding or not group or group[0]["chassis"] != chassis:
        return False
    return not (binding["chassis"] == chassis and binding["up"])


def _refuse_without_spare(layout: Layout, node: str, chassis: str, live: set[str]) -> None:
    """Raise RolloutError NO_SPARE when a router port could move to no chassis of `live`."""
    pinned = sorted(router for router, where in layout["pinned"].items() if where == chassis)
    if pinned:
        raise RolloutError("NO_SPARE", f"{node}: router {', '.join(pinned)} is pinned to it", [node])
    without = sorted(
        name
        for name, group in layout["groups"].items()
        if chassis in _members(group) and not _members(group) & live
    )
    if without:
        message = f"{node}: no other live gateway may take over {', '.join(without)}"
        raise RolloutError("NO_SPARE", message, [node])


def _changes_to_lower(layout: Layout, chassis: str) -> list[dict[str, Any]]:
    """The changes that give a chassis the lowest priority in its groups.

    Where another one has 0, the others are raised.
    """
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
