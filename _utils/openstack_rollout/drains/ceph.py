"""The drain of nodes with daemons of Ceph: Ceph says that they may stop, and is whole again after.

Nothing is moved: what a node has, others have as well. Before it goes down, all placement groups are whole,
the daemons of all nodes that are away together may stop by Ceph's own word (`ok-to-stop`), a manager and an
object gateway run elsewhere, and `noout` is set for the node's OSDs alone. The restore waits until its
daemons are back, every group is whole and none is remapped that was not before, as long as the recovery
moves, and takes back the `noout` that the drain had set: no other flag.

Its keys in a record: `fsid`, `noout` (what the drain sets it for), `up` and `in` (its OSDs that were),
`monitors` (its monitors that were in the quorum), `host` (Ceph's name of the node), `mgr` and `rgw` (its
managers and gateways that ran), `remapped` (how many groups of the cluster were).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openstack_rollout.declared.amounts import batch_size
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import StoragePolicy
from openstack_rollout.drains import ceph_health
from openstack_rollout.drains.ceph_health import ANY_WILL_DO, Daemons, Here, Places, Status
from openstack_rollout.drains.contract import Answer, Ask, Record
from openstack_rollout.errors import RolloutError, one_line

PATIENCE = 60.0  # seconds for Ceph to become whole before a node goes down, from when its recovery moved last
SETTLED = 6.0  # seconds of a whole Ceph that count: its manager hears of the OSDs every 5
POLL_INTERVAL = 2.0  # seconds
_SILENCE_TIMEOUT = 15  # seconds after which a node that shows no sign of a call counts as silent
_ASKERS = 3  # nodes that are tried for one question


class Ceph:
    """Has Ceph agree before a node goes down. Implements contract.Drain.

    model (Model): what is declared. role (str): the nodes'. ask (Ask): how functions are called on nodes.
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
        self._target = model.targets.get(role, "")
        self._others = list(model.targets.values())
        self._policy: StoragePolicy = model.policies.of(role)
        self._reboot = model.system.reboot_timeout
        self._now, self._sleep = clock
        self._one_decides = threading.Lock()
        self._away: dict[str, Here] = {}
        self._returning: set[str] = set()
        self._seen: dict[str, dict[str, Here]] = {}

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError CEPH_AT_RISK when Ceph is not whole, or a node's daemons may not stop.

        nodes: minion ids. Raises CEPH_UNREACHABLE, NODE_SILENT, or the reason that a node gives, too.
        """
        found = self._here(nodes)
        for fsid in dict.fromkeys(one["fsid"] for one in found.values() if one["daemons"]):
            mine = {node: one for node, one in found.items() if one["fsid"] == fsid and one["daemons"]}
            status = self._status(fsid, next(iter(mine)))
            if lacks := ceph_health.lacks(status):
                node = next(iter(mine))
                raise RolloutError("CEPH_AT_RISK", f"{node}: {'; '.join(lacks)}", [node])
            places = self._places(fsid)
            against = self._may_stop(fsid, [ceph_health.daemons([one], places) for one in mine.values()])
            for (node, one), said in zip(mine.items(), against, strict=True):
                if lines := [*said, *self._none_left(fsid, [one], places)]:
                    raise RolloutError("CEPH_AT_RISK", f"{node}: {'; '.join(lines)}", [node])

    def capacity(self, nodes: Sequence[str]) -> int:
        """As many as Ceph can spare together, of those that the batch allows; one where nobody tells.

        That one waits in `drain`, which says why. A node that is away does not answer, nor does a manager for
        a moment when the active one went down with it: then no other starts.
        """
        batch = batch_size(self._policy.batch, len(self._nodes.members(self._target)))
        most = min(len(nodes), batch)
        if most < 2:
            return most
        together: list[Here] = []
        for node in nodes[:most]:
            try:
                together.append(self._away.get(node) or self._here([node])[node])
                if len(together) > 1 and self._speaks_against(together):
                    return len(together) - 1
            except RolloutError:
                return max(1, len(together) - 1)
        return most

    def drain(self, node: str, record: Record) -> str:
        """Wait until Ceph is whole and can spare the node, and set `noout` for its OSDs.

        Raises RolloutError CEPH_AT_RISK, CEPH_UNREACHABLE, NODE_SILENT, or the reason that the node gives.
        """
        here = self._here([node])[node]
        if not here["daemons"]:
            return "carries nothing of Ceph"
        fsid = here["fsid"]
        with self._one_decides:
            away = [one for other, one in self._away.items() if other != node and one["fsid"] == fsid]

            def lacks() -> tuple[list[str], int]:
                status = self._status(fsid, node)
                missing = [] if away else ceph_health.lacks(status)
                return missing or self._speaks_against([*away, here]), ceph_health.left(status)

            down = record.data and ceph_health.is_down(self._status(fsid, node), record.data)
            if not down and (missing := self._wait(lacks, PATIENCE)):
                raise RolloutError("CEPH_AT_RISK", f"{node}: {'; '.join(missing)}", [node])
            if not record.data:
                self._remember(here, self._status(fsid, node), record)
            self._away[node] = here
        self._call(fsid, node, "ceph_cluster.hold", {"groups": record.data["noout"]})
        held = ", ".join(record.data["noout"])
        said = f"Ceph can spare {ceph_health.shown(here['daemons'])}"
        return f"{said}; noout for {held}" if held else f"{said}; noout was set already"

    def restore(self, node: str, record: Record) -> str:
        """Wait until the node's daemons are back and Ceph is whole, then take back what `drain` had set.

        Raises RolloutError RESTORE_FAILED, CEPH_UNREACHABLE, NODE_SILENT.
        """
        if not record.data:
            self._away.pop(node, None)
            return "nothing to restore"
        before, fsid = dict(record.data), record.data["fsid"]

        def lacks() -> tuple[list[str], int]:
            status = self._status(fsid, node)
            gone = ceph_health.not_running(self._places(fsid), before)
            return [
                *ceph_health.missing(status, before),
                *gone,
                *ceph_health.lacks(status, before),
            ], ceph_health.left(status)

        begun = self._now()
        self._returning.add(node)
        try:
            missing = self._wait(lacks, self._policy.return_timeout, SETTLED)
        finally:
            self._returning.discard(node)
        if missing:
            text = f"Ceph is not whole, and its recovery does not move: {'; '.join(missing)}"
            raise RolloutError("RESTORE_FAILED", f"{node}: {text}", [node])
        self._call(fsid, node, "ceph_cluster.release", {"groups": before["noout"]})
        self._away.pop(node, None)
        freed = f"; noout taken back from {', '.join(before['noout'])}" if before["noout"] else ""
        return f"Ceph is whole, after {self._now() - begun:.0f} s{freed}"

    def _remember(self, here: Here, status: Status, record: Record) -> None:
        """Write down what is about to be set, and what of the node was in order."""
        places = self._places(here["fsid"])
        daemons = ceph_health.daemons([here], places)
        known = {name: status["osds"][name] for name in daemons.get("osd", ()) if name in status["osds"]}
        wanted = ceph_health.groups(list(known), places["crush"])
        record.data.update(
            fsid=here["fsid"],
            noout=[one for one in wanted if one not in status["noout"]],
            up=sorted(name for name, one in known.items() if one["up"]),
            monitors=sorted(set(daemons.get("mon", ())) & set(status["quorum"])),
            remapped=ceph_health.remapped(status),
        )
        record.data["in"] = sorted(name for name, one in known.items() if one["in"])
        on = places["on"].get(here["host"], {})
        record.data.update(host=here["host"], **{kind: list(on.get(kind, ())) for kind in ANY_WILL_DO})
        record.save()

    def _wait(
        self, lacks: Callable[[], tuple[list[str], int]], patience: float, settled: float = 0.0
    ) -> list[str]:
        """What is missing in the end: nothing was for `settled` seconds, or nothing moved for `patience`.

        lacks: what is missing now, and how much is left to be recovered.
        """
        least: tuple[int, int] | None = None
        begun = moved = self._now()
        whole_since: float | None = None
        while True:
            try:
                missing, left = lacks()
            except RolloutError as error:
                if self._now() - moved > patience:
                    raise
                missing, left = [str(error)], -1
            now = self._now()
            if missing:
                whole_since = None
            elif whole_since is None:
                whole_since = now
            if whole_since is not None and now - whole_since >= settled:
                return []
            if missing and left >= 0 and (least is None or (left, len(missing)) < least):
                least, moved = (left, len(missing)), now
            if now - begun < self._reboot and self._away.keys() - self._returning:
                moved = now  # what is on another node that is still away cannot be recovered before
            if missing and now - moved > patience:
                return missing
            self._sleep(POLL_INTERVAL)

    def _speaks_against(self, away: Sequence[Here]) -> list[str]:
        """What Ceph says against these nodes being away together, a line each."""
        lines: list[str] = []
        for fsid in dict.fromkeys(one["fsid"] for one in away if one["daemons"]):
            mine, places = [one for one in away if one["fsid"] == fsid], self._places(fsid)
            lines += self._may_stop(fsid, [ceph_health.daemons(mine, places)])[0]
            lines += self._none_left(fsid, mine, places)
        return lines

    def _none_left(self, fsid: str, away: Sequence[Here], places: Places) -> list[str]:
        """The types of which none would run beside nodes that are away together, a line each.

        What a cluster has on one node alone can have no other beside it: it goes, and no node with it.
        """
        lines = []
        hosts = {one["host"] for one in away}
        for kind in ANY_WILL_DO:
            running = {host for host, daemons in places["on"].items() if daemons.get(kind)}
            known = [*self._seen.get(fsid, {}).values(), *away]
            having = running | {one["host"] for one in known if one["daemons"].get(kind)}
            gone, only = having & hosts, len(having) == len(hosts) == 1
            if gone and not running - hosts and not only:
                where = ", ".join(sorted(having))
                lines.append(
                    f"no {kind} would run beside {', '.join(sorted(gone))} (there is one on {where})"
                )
        return lines

    def _may_stop(self, fsid: str, sets: Sequence[Daemons]) -> list[list[str]]:
        found: list[list[str]] = self._call(fsid, "", "ceph_cluster.may_stop", {"sets": list(sets)})
        return found

    def _places(self, fsid: str) -> Places:
        found: Places = self._call(fsid, "", "ceph_cluster.places")
        return found

    def _status(self, fsid: str, node: str) -> Status:
        found: Status = self._call(fsid, node, "ceph_cluster.status")
        if found["fsid"] != fsid:
            raise RolloutError(
                "CEPH_UNREACHABLE", f"another Ceph answers, {found['fsid']} in place of {fsid}"
            )
        return found

    def _here(self, nodes: Sequence[str]) -> dict[str, Here]:
        """What nodes carry of Ceph. Raises RolloutError for the first that cannot tell."""
        answers = self._nodes.ask(nodes, "ceph_cluster.here", timeout=_SILENCE_TIMEOUT)
        for node in nodes:
            answer = answers[node]
            if answer.error:
                reason = answer.reason or "CEPH_UNREACHABLE"
                raise RolloutError(reason, f"{node}: {one_line(answer.error)}", [node])
            if answer.value["daemons"] and not answer.value["fsid"]:
                text = (
                    f"{node}: cannot tell of which Ceph its {ceph_health.shown(answer.value['daemons'])} are"
                )
                raise RolloutError("CEPH_UNREACHABLE", text, [node])
        return {node: answers[node].value for node in nodes}

    def _call(self, fsid: str, node: str, function: str, keywords: Mapping[str, Any] | None = None) -> Any:
        """What a function returns on a node where Ceph can be asked; that node and those away are asked last.

        Raises RolloutError CEPH_UNREACHABLE with what the last one of them said.
        """
        last = Answer(None, "no node of the cloud has an administrator's key of it, or a monitor")
        askers = sorted(self._who_asks(fsid), key=lambda name: name == node or name in self._away)
        for one in askers[:_ASKERS]:
            last = self._nodes.ask([one], function, keywords, timeout=_SILENCE_TIMEOUT)[one]
            if not last.error:
                return last.value
        reason = last.reason if last.reason != "NODE_SILENT" else ""
        text = f"Ceph {fsid} cannot be asked: {one_line(last.error)}"
        raise RolloutError(reason or "CEPH_UNREACHABLE", text, [node] if node else [])

    def _who_asks(self, fsid: str) -> list[str]:
        """The nodes on which a cluster can be asked: of the role, else of the whole cloud."""
        if fsid not in self._seen:
            for targets in ([self._target], self._others):
                members = [node for target in targets if target for node in self._nodes.members(target)]
                answers = self._nodes.ask(
                    dict.fromkeys(members), "ceph_cluster.here", timeout=_SILENCE_TIMEOUT
                )
                found = {
                    node: one.value
                    for node, one in answers.items()
                    if not one.error and one.value["fsid"] == fsid
                }
                if any(one["asks"] for one in found.values()):
                    self._seen[fsid] = found
                    break
        return [node for node, one in self._seen.get(fsid, {}).items() if one["asks"]]
