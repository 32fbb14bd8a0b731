"""The drain of computes whose servers are live-migrated away, and back if the policy says so.

The host of each server is written to the record before Nova is asked to move it. Its keys in a record, beside
those of ComputeDrain: `servers`, by server id: `name`, `drain` and `restore`, each an entry of
cloud.server_migration.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from openstack_rollout.cloud import faults, nova, risks, room
from openstack_rollout.cloud.api import match_host
from openstack_rollout.cloud.migrations import MigrationLimit, Migrations
from openstack_rollout.cloud.nova import Server, ServerGroup
from openstack_rollout.cloud.risks import Assessment
from openstack_rollout.cloud.server_migration import (
    COLD,
    LIVE,
    UNDER_WAY,
    MigrationRequest,
    MigrationResult,
    MigrationState,
    ServerMigration,
    timeout_of,
)
from openstack_rollout.declared.model import Model
from openstack_rollout.drains.computes import ComputeDrain, some_of
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.errors import RolloutError

_POLL_INTERVAL = 1.0  # seconds
_TASK_TIMEOUT = 120.0  # seconds for tasks that users had begun with servers
_MOST_COUNTED = 32  # nodes whose servers are counted for one answer of capacity


class LiveMigrate(ComputeDrain):
    """Live-migrates the servers of a compute away, and back if the policy says so. Implements contract.Drain.

    model (Model): what is declared. role (str): the computes'. ask: not used, Nova is asked instead.
    """

    def __init__(self, model: Model, role: str = "compute", ask: Ask | None = None):
        super().__init__(model, role, ask)
        self._limit = MigrationLimit(self.policy.migrations_per_host, self.policy.migrations_per_cloud)

    def refuse(self, nodes: Sequence[str]) -> None:
        """As ComputeDrain; raises SERVERS_UNMOVABLE too when a drain would fail because of a server."""
        super().refuse(nodes)
        if self.policy.unmovable not in ("fail", "cold"):
            return
        services = nova.services(self.cloud)
        hosts = {found.host: node for node in nodes if (found := match_host(node, services))}
        unmovable = risks.unmovable_servers(self.cloud, hosts, self.policy)
        if unmovable:
            lines = [
                f"{hosts[host]}: {one.server.name} {one.why}"
                for host, found in unmovable.items()
                for one in found
            ]
            text = f"policy unmovable: {self.policy.unmovable}; {some_of(lines)}"
            raise RolloutError("SERVERS_UNMOVABLE", text, [hosts[host] for host in unmovable])

    def capacity(self, nodes: Sequence[str]) -> int:
        """As many as the other computes may take the servers of, and have room for."""
        services = nova.services(self.cloud)
        counted = nodes[:_MOST_COUNTED]
        matched = [(place, match_host(node, services)) for place, node in enumerate(counted)]
        hosts = {service.host: place for place, service in matched if service is not None}
        servers = self._leaving(nova.servers_of(self.cloud, hosts))
        every = [server for some in servers.values() for server in some]
        conditions = risks.gather(self.cloud, "", every)
        found = room.count(list(hosts), servers, conditions, self.policy)
        return [*hosts.values(), len(counted)][found]  # the place of the first that has to stay

    def apart(self, nodes: Sequence[str]) -> dict[str, frozenset[str]]:
        """The server groups that servers on each node are in: no two members are to be disturbed at once.

        Implements contract.KeepsApart.
        """
        groups = [group for group in nova.server_groups(self.cloud) if len(group.members) > 1]
        if not groups:
            return dict.fromkeys(nodes, frozenset())
        services = nova.services(self.cloud)
        hosts = {node: found.host for node in nodes if (found := match_host(node, services))}
        servers = nova.servers_of(self.cloud, hosts.values())
        return {node: _groups(servers.get(hosts.get(node, ""), ()), groups) for node in nodes}

    def drain(self, node: str, record: Record) -> str:
        """Disable the compute and move its servers. Raises RolloutError DRAIN_FAILED or SERVERS_UNMOVABLE."""
        service = nova.service_of(self.cloud, node)
        conditions = None
        if "service" not in record.data:
            conditions = self._refuse_unmovable(node, service.host)
        self.disable(service, record)
        staying: dict[str, str] = {}
        _refuse_broken(node, record, self._finish_interrupted(record))
        while True:
            assessments = self._assess_host(service.host, staying, conditions)
            conditions = None  # good for one round: the servers will be elsewhere
            moving = [one for one in assessments if one.action in (LIVE, COLD)]
            staying.update(
                {one.server.id: f"{one.server.name} {one.why}" for one in assessments if one not in moving}
            )
            if not moving:
                return _summary(record, staying)
            for method in (LIVE, COLD):
                group = [one for one in moving if one.action == method]
                results = self._migrations_away(record, group, method).run(one.server.id for one in group)
                _refuse_broken(node, record, results)
                self._apply_policy_to_failed(node, record, method, results, staying)

    def restore(self, node: str, record: Record) -> str:
        """Enable the compute, and bring back the servers that left it. Raises RolloutError RESTORE_FAILED."""
        if "service" not in record.data:
            return "nothing to restore"
        broken = [
            f"{record.data['servers'][server_id]['name']}: {result.text}"
            for server_id, result in self._finish_interrupted(record).items()
            if result.state == MigrationState.BROKEN
        ]
        line = self.enable(node, record)
        if broken:
            text = f"{node}: {line}; {'; '.join(broken)}{faults.remedies(broken, 'RESTORE_FAILED')}"
            raise RolloutError("RESTORE_FAILED", text, [node])
        moved = self._moved_servers(record) if self.policy.migrate_back else {}
        if not moved:
            return line
        if not nova.service_of(self.cloud, node).enabled:
            # Nova places nothing on a disabled compute, as the operator who disabled it wants.
            return f"{line}; {len(moved)} servers stay on the hosts they moved to"
        returned = self._migrate_back(node, record, moved)
        return f"{line}, {returned}" if returned else line

    def _leaving(self, found: Mapping[str, Iterable[Server]]) -> dict[str, list[Server]]:
        """The servers that have to leave each host. One on its way to another host has to leave that one.

        found: host -> the servers on it.
        """
        leaving: dict[str, list[Server]] = {host: [] for host in found}
        for host, some in found.items():
            servers = list(some)
            moving = nova.migrations_from(self.cloud, host) if any(one.task for one in servers) else ()
            targets = {one.server_id: one.target for one in moving if one.target and one.status in UNDER_WAY}
            for server in servers:
                target = targets.get(server.id) if server.task else None
                if target is None:
                    leaving[host].append(server)
                elif target in leaving:
                    leaving[target].append(replace(server, host=target, task="", status="ACTIVE"))
        return leaving

    def _refuse_unmovable(self, node: str, host: str) -> risks.Conditions:
        """Raise RolloutError, before anything is changed, when the policy does not allow to drain the host.

        Returns the conditions that the servers were assessed under.
        """
        servers = nova.servers_on(self.cloud, host)
        conditions = risks.gather(self.cloud, host, servers)
        _refuse_assessments(node, risks.assess_all(servers, conditions, self.policy))
        return conditions

    def _assess_host(
        self, host: str, staying: Mapping[str, str], conditions: risks.Conditions | None = None
    ) -> list[Assessment]:
        """What becomes of the servers on a host; first waits a while for the tasks that they are in.

        staying: server id -> why, for servers to be left out. conditions: gathered a moment ago; gathered
        again when there are servers that it does not cover.
        """
        deadline = time.monotonic() + _TASK_TIMEOUT
        while True:
            servers = [one for one in nova.servers_on(self.cloud, host) if one.id not in staying]
            busy = [one for one in servers if one.task or one.status == "BUILD"]
            if not busy or time.monotonic() > deadline:
                break
            time.sleep(_POLL_INTERVAL)
        if not servers:
            return []
        if conditions is None or not conditions.covers(servers):
            conditions = risks.gather(self.cloud, host, servers)
        ready = risks.assess_all([one for one in servers if one not in busy], conditions, self.policy)
        action = risks.ACTION_OF_POLICY.get(self.policy.unmovable, risks.FAILS)
        late = [Assessment(one, (), action, f"is still in a task ({one.task or one.status})") for one in busy]
        _refuse_assessments(host, [*ready, *late])
        return [*ready, *late]

    def _migrations_away(self, record: Record, assessments: Iterable[Assessment], method: str) -> Migrations:
        assessments = list(assessments)
        targets = {(one.server.id, 0): one.target for one in assessments}
        apart = {one.server.id: one.groups for one in assessments}

        def create(server_id: str) -> ServerMigration | None:
            server = nova.find_server(self.cloud, server_id)
            if server is None or server.host != record.data["host"]:
                return None
            new = {"name": server.name, "drain": {}, "restore": {}}
            entry = record.data["servers"].setdefault(server_id, new)["drain"]
            failed = entry.get("failed", ())
            key = server_id, len(failed)
            if key not in targets:
                targets[key] = self._elsewhere(server, failed)
            return self._migration(record, server, entry, method, targets[key])

        goes_on = self.policy.unmovable in ("leave", "cold")
        return Migrations(self.cloud, self._limit, create, apart, continue_after_failure=goes_on)

    def _elsewhere(self, server: Server, failed: Sequence[str]) -> str | None:
        """A target for a server beside those that failed, the last one first of all.

        None, for Nova to choose, where no host is certain to be allowed to take it.
        """
        conditions = risks.gather(self.cloud, server.host, [server])
        found = conditions.targets_of(server, self.policy)
        for left_out in (failed, failed[-1:]):
            certain = found.without(left_out).certain
            if certain:
                return certain[0]
        return None

    def _migration(
        self, record: Record, server: Server, entry: dict[str, Any], method: str, target: str | None
    ) -> ServerMigration:
        timeout = timeout_of(server, self.policy.timeout_per_gib)
        request = MigrationRequest(method, target, timeout, self.policy.on_timeout)
        return ServerMigration(self.cloud, server, entry, record.save, request)

    def _finish_interrupted(self, record: Record) -> dict[str, MigrationResult]:
        """Wait for the migrations that an interrupted drain or restore had requested.

        Returns their results, by server id.
        """
        interrupted = {
            server_id: entry[step]
            for server_id, entry in (record.data.get("servers") or {}).items()
            for step in ("drain", "restore")
            if entry[step].get("in_progress")
        }

        def create(server_id: str) -> ServerMigration | None:
            server = nova.find_server(self.cloud, server_id)
            entry = interrupted[server_id]
            if server is None or not entry.get("in_progress"):
                entry["in_progress"] = False
                return None
            return self._migration(record, server, entry, entry["method"], None)

        return Migrations(self.cloud, self._limit, create).run(interrupted)

    def _apply_policy_to_failed(
        self,
        node: str,
        record: Record,
        method: str,
        results: Mapping[str, MigrationResult],
        staying: dict[str, str],
    ) -> None:
        """Leave, migrate cold, or refuse the servers whose migration failed, and which run on as before.

        staying: server id -> why; those that are left are added. Raises RolloutError DRAIN_FAILED or
        SERVERS_UNMOVABLE.
        """
        failed = {
            server_id: f"{record.data['servers'][server_id]['name']}: {result.text}"
            for server_id, result in results.items()
            if result.state == MigrationState.FAILED
        }
        if not failed:
            return
        if self.policy.unmovable == "leave":
            staying.update(failed)
            return
        if self.policy.unmovable == "cold" and method == LIVE:
            servers = [server for one in failed if (server := nova.find_server(self.cloud, one))]
            again = [Assessment(one, (), COLD) for one in servers if one.host == record.data["host"]]
            results = self._migrations_away(record, again, COLD).run(one.server.id for one in again)
            _refuse_broken(node, record, results)
            self._apply_policy_to_failed(node, record, COLD, results, staying)
            return
        reason = "SERVERS_UNMOVABLE" if self.policy.unmovable == "skip" else "DRAIN_FAILED"
        lines = list(failed.values())
        raise RolloutError(reason, f"{node}: {some_of(lines)}{faults.remedies(lines, reason)}", [node])

    def _moved_servers(self, record: Record) -> dict[str, dict[str, Any]]:
        """The servers that the drain moved and that are still where it moved them to: id -> their entry."""
        moved = {}
        for server_id, entry in record.data["servers"].items():
            host = entry["drain"].get("host")
            server = nova.find_server(self.cloud, server_id) if host else None
            if server and server.live_migratable and record.data["host"] != server.host == host:
                moved[server_id] = entry
        return moved

    def _migrate_back(self, node: str, record: Record, moved: Mapping[str, dict[str, Any]]) -> str:
        """Migrate servers back. moved: server id -> entry. Raises RolloutError RESTORE_FAILED."""
        host = record.data["host"]

        def create(server_id: str) -> ServerMigration | None:
            server = nova.find_server(self.cloud, server_id)
            if server is None or server.host == host:
                return None
            entry = moved[server_id]
            return self._migration(record, server, entry["restore"], entry["drain"]["method"], host)

        results = Migrations(self.cloud, self._limit, create).run(moved)
        failed = [
            f"{moved[server_id]['name']}: {result.text}"
            for server_id, result in results.items()
            if result.state in (MigrationState.FAILED, MigrationState.BROKEN)
        ]
        if failed:
            text = f"{node} is enabled, but these servers did not come back: {some_of(failed)}"
            raise RolloutError("RESTORE_FAILED", f"{text}{faults.remedies(failed, 'RESTORE_FAILED')}", [node])
        count = sum(result.state == MigrationState.MOVED for result in results.values())
        return f"{count} servers are back" if count else ""


def _groups(servers: Iterable[Server], groups: Iterable[ServerGroup]) -> frozenset[str]:
    """The groups of the servers that run, by their ids."""
    running = {server.id for server in servers if not server.at_rest}
    return frozenset(group.id for group in groups if not running.isdisjoint(group.members))


def _refuse_assessments(node: str, assessments: Iterable[Assessment]) -> None:
    for action, reason in ((risks.FAILS, "DRAIN_FAILED"), (risks.SKIPPED, "SERVERS_UNMOVABLE")):
        unmovable = [f"{one.server.name} {one.why}" for one in assessments if one.action == action]
        if unmovable:
            raise RolloutError(reason, f"{node}: {some_of(unmovable)}", [node])


def _refuse_broken(node: str, record: Record, results: Mapping[str, MigrationResult]) -> None:
    broken = [
        f"{record.data['servers'][server_id]['name']} {result.text}"
        for server_id, result in results.items()
        if result.state == MigrationState.BROKEN
    ]
    if broken:
        text = f"{node}: {some_of(broken)}{faults.remedies(broken, 'DRAIN_FAILED')}"
        raise RolloutError("DRAIN_FAILED", text, [node])


def _summary(record: Record, staying: Mapping[str, str]) -> str:
    """One line on a drained compute. staying: server id -> name and why."""
    hosts = (entry["drain"].get("host") for entry in record.data["servers"].values())
    moved = Counter(host for host in hosts if host)
    where = ", ".join(f"{count} to {host}" for host, count in sorted(moved.items()))
    line = f"{moved.total()} servers moved ({where})" if moved else "no server had to move"
    return f"{line}; {len(staying)} stay: {some_of(list(staying.values()))}" if staying else line
