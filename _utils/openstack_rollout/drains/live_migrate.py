"""The drain of computes whose servers are live-migrated away, and back if the policy says so.

Which server was where is in the record before Nova is asked to move it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.cloud import migration, nova, risks
from openstack_rollout.cloud.api import match_host
from openstack_rollout.cloud.migration import BROKEN, COLD, FAILED, LIVE, MOVED, Journey, Outcome, Way
from openstack_rollout.cloud.migrations import Convoy, Slots
from openstack_rollout.cloud.nova import Guest
from openstack_rollout.cloud.placement import Landscape
from openstack_rollout.cloud.risks import Verdict
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.computes import Compute, listed
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.errors import RolloutError

_LOOK = 1.0
_TASKS = 120.0  # seconds for what its users had begun with a server
_MOST_AT_ONCE = 32  # nodes whose servers are counted for one answer of capacity


class LiveMigrate(Compute):
    """Servers are live-migrated away, and back if the policy says so."""

    def __init__(self, model: Model, role: str = "compute", ask: Ask | None = None):
        super().__init__(model, role, ask)
        self._slots = Slots(self.policy.migrations_per_host, self.policy.migrations_per_cloud)

    def refuse(self, nodes: Sequence[str]) -> None:
        """As for both kinds; SERVERS_UNMOVABLE too when a drain would fail on a server that is there."""
        super().refuse(nodes)
        if self.policy.unmovable not in ("fail", "cold"):
            return
        services = nova.services(self.cloud)
        hosts = {found.host: node for node in nodes if (found := match_host(node, services))}
        stay = risks.blocked(self.cloud, hosts, self.policy)
        if stay:
            lines = [f"{hosts[host]}: {one.guest.name} {one.why}" for host in stay for one in stay[host]]
            named = [hosts[host] for host in stay]
            raise RolloutError(
                "SERVERS_UNMOVABLE", f"policy unmovable: {self.policy.unmovable}; {listed(lines)}", named
            )

    def room(self, nodes: Sequence[str]) -> int:
        """As many as the other computes have room for the servers of, as Placement counts now."""
        landscape = Landscape.of(self.cloud, groups=False)
        guests: list[Guest] = []
        away: list[str] = []
        for count, node in enumerate(nodes[:_MOST_AT_ONCE]):
            found = match_host(node, dict(landscape.services))
            if found is not None:
                away.append(found.host)
                on_it = nova.servers_on(self.cloud, found.host)
                guests += [guest for guest in on_it if not guest.at_rest]
            spares = landscape.spares(away)
            if not spares or not landscape.holds(guests, spares):
                return count
        return min(len(nodes), _MOST_AT_ONCE)

    def drain(self, node: str, record: Record) -> str:
        """Close the compute and move its servers. Raises RolloutError DRAIN_FAILED or SERVERS_UNMOVABLE."""
        service = nova.service_of(self.cloud, node)
        around = None
        if "service" not in record.data:
            around = self._refuse_blocked(node, service.host)
        self.close(service, record)
        staying: dict[str, str] = {}
        ended = self._settle(record)
        _refuse_broken(node, record, ended)
        while True:
            verdicts = self._verdicts(service.host, staying, around)
            around = None  # it has been used up: servers will be elsewhere
            moving = [one for one in verdicts if one.course in (LIVE, COLD)]
            staying.update(
                {one.guest.id: f"{one.guest.name} {one.why}" for one in verdicts if one not in moving}
            )
            if not moving:
                return _told(record, staying)
            for how in (LIVE, COLD):
                group = [one for one in moving if one.course == how]
                ended = self._convoy(record, group, how).run(one.guest.id for one in group)
                _refuse_broken(node, record, ended)
                self._stuck(node, record, how, ended, staying)

    def restore(self, node: str, record: Record) -> str:
        """Open the compute, and bring back the servers that left it. Raises RolloutError RESTORE_FAILED."""
        if "service" not in record.data:
            return "nothing had been done"
        lost = [
            f"{record.data['servers'][server]['name']}: {outcome.text}"
            for server, outcome in self._settle(record).items()
            if outcome.state == BROKEN
        ]
        line = self.open(node, record)
        if lost:
            raise RolloutError("RESTORE_FAILED", f"{node} {line}, but {'; '.join(lost)}", [node])
        away = self._away(record) if self.policy.migrate_back else {}
        if not away:
            return line
        if not nova.service_of(self.cloud, node).enabled:
            # Nova places nothing on a compute that is disabled; whoever disabled it wants that.
            return f"{line}, so {len(away)} servers stay where they went"
        back = self._bring_back(node, record, away)
        return f"{line}, {back}" if back else line

    def _refuse_blocked(self, node: str, host: str) -> risks.Surroundings:
        """Say no before anything is touched, by policy; returns what that was judged by."""
        guests = nova.servers_on(self.cloud, host)
        around = risks.gather(self.cloud, host, guests)
        _refuse_verdicts(node, risks.verdicts(guests, around, self.policy))
        return around

    def _verdicts(
        self, host: str, staying: Mapping[str, str], around: risks.Surroundings | None = None
    ) -> list[Verdict]:
        """What becomes of the servers on a host; waits a while for what their users have begun.

        around: gathered a moment ago, of use unless there are servers that it does not know.
        """
        until = time.monotonic() + _TASKS
        while True:
            guests = [one for one in nova.servers_on(self.cloud, host) if one.id not in staying]
            busy = [one for one in guests if one.task or one.status == "BUILD"]
            if not busy or time.monotonic() > until:
                break
            time.sleep(_LOOK)
        if not guests:
            return []
        if around is None or not around.knows(guests):
            around = risks.gather(self.cloud, host, guests)
        found = risks.verdicts([one for one in guests if one not in busy], around, self.policy)
        late = [
            Verdict(one, (), risks.BY_POLICY.get(self.policy.unmovable, risks.FAILS), f"is still {one.task}")
            for one in busy
        ]
        _refuse_verdicts(host, [*found, *late])
        return [*found, *late]

    def _convoy(self, record: Record, verdicts: Iterable[Verdict], how: str) -> Convoy:
        targets = {one.guest.id: one.target for one in verdicts}

        def make(server: str) -> Journey | None:
            guest = nova.server(self.cloud, server)
            if guest is None or guest.host != record.data["host"]:
                return None
            entry = record.data["servers"].setdefault(server, {"name": guest.name, "out": {}, "back": {}})
            return self._journey(record, guest, entry["out"], how, targets.get(server))

        stubborn = self.policy.unmovable in ("leave", "cold")
        return Convoy(self.cloud, self._slots, make, stubborn)

    def _journey(
        self, record: Record, guest: Guest, entry: dict[str, Any], how: str, target: str | None
    ) -> Journey:
        limit = migration.limit_of(guest, self.policy.timeout_per_gib)
        way = Way(how, target, limit, self.policy.on_timeout)
        return Journey(self.cloud, guest, entry, record.save, way)

    def _settle(self, record: Record) -> dict[str, Outcome]:
        """Wait for the end of what a killed drain or restore had asked for."""
        open_ends = {
            server: (entry, entry[way])
            for server, entry in (record.data.get("servers") or {}).items()
            for way in ("out", "back")
            if entry[way].get("moving")
        }

        def make(server: str) -> Journey | None:
            guest = nova.server(self.cloud, server)
            entry = open_ends[server][1]
            if guest is None or not entry.get("moving"):
                entry["moving"] = False
                return None
            return self._journey(record, guest, entry, entry["how"], entry.get("target"))

        return Convoy(self.cloud, self._slots, make).run(open_ends)

    def _stuck(
        self, node: str, record: Record, how: str, ended: Mapping[str, Outcome], staying: dict[str, str]
    ) -> None:
        """What the policy makes of servers whose migration failed for good, while they run on as before."""
        stuck = {
            server: f"{record.data['servers'][server]['name']}: {outcome.text}"
            for server, outcome in ended.items()
            if outcome.state == FAILED
        }
        if not stuck:
            return
        if self.policy.unmovable == "leave":
            staying.update(stuck)
            return
        if self.policy.unmovable == "cold" and how == LIVE:
            guests = [guest for one in stuck if (guest := nova.server(self.cloud, one))]
            again = [Verdict(guest, (), COLD) for guest in guests if guest.host == record.data["host"]]
            ended = self._convoy(record, again, COLD).run(one.guest.id for one in again)
            _refuse_broken(node, record, ended)
            self._stuck(node, record, COLD, ended, staying)
            return
        reason = "SERVERS_UNMOVABLE" if self.policy.unmovable == "skip" else "DRAIN_FAILED"
        raise RolloutError(reason, f"{node}: {listed(list(stuck.values()))}", [node])

    def _away(self, record: Record) -> dict[str, dict[str, Any]]:
        """The servers that we moved and that are still where we moved them to: id -> their entry."""
        away = {}
        for server, entry in record.data["servers"].items():
            guest = nova.server(self.cloud, server) if entry["out"].get("to") else None
            if guest and guest.running and record.data["host"] != guest.host == entry["out"]["to"]:
                away[server] = entry
        return away

    def _bring_back(self, node: str, record: Record, away: Mapping[str, dict[str, Any]]) -> str:
        """Migrate servers back."""
        host = record.data["host"]

        def make(server: str) -> Journey | None:
            guest = nova.server(self.cloud, server)
            if guest is None or guest.host == host:
                return None
            return self._journey(record, guest, away[server]["back"], away[server]["out"]["how"], host)

        ended = Convoy(self.cloud, self._slots, make).run(away)
        wrong = [
            f"{away[server]['name']}: {outcome.text}"
            for server, outcome in ended.items()
            if outcome.state in (FAILED, BROKEN)
        ]
        if wrong:
            raise RolloutError(
                "RESTORE_FAILED", f"{node} is enabled, but did not get back {listed(wrong)}", [node]
            )
        count = sum(outcome.state == MOVED for outcome in ended.values())
        return f"{count} servers are back" if count else ""


def _refuse_verdicts(node: str, verdicts: Iterable[Verdict]) -> None:
    for course, reason in ((risks.FAILS, "DRAIN_FAILED"), (risks.SKIPPED, "SERVERS_UNMOVABLE")):
        blocked = [f"{one.guest.name} {one.why}" for one in verdicts if one.course == course]
        if blocked:
            raise RolloutError(reason, f"{node}: {listed(blocked)}", [node])


def _refuse_broken(node: str, record: Record, ended: Mapping[str, Outcome]) -> None:
    broken = [
        f"{record.data['servers'][server]['name']} {outcome.text}"
        for server, outcome in ended.items()
        if outcome.state == BROKEN
    ]
    if broken:
        raise RolloutError("DRAIN_FAILED", f"{node}: {listed(broken)}", [node])


def _told(record: Record, staying: Mapping[str, str]) -> str:
    """One line on a drained compute."""
    went = Counter(entry["out"]["to"] for entry in record.data["servers"].values() if entry["out"].get("to"))
    where = ", ".join(f"{count} to {host}" for host, count in sorted(went.items()))
    line = f"{went.total()} servers moved ({where})" if went else "no server had to move"
    return f"{line}; {len(staying)} stay: {listed(list(staying.values()))}" if staying else line
